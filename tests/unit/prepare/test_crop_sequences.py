import gzip
import io
import os
import subprocess
import sys
import tarfile

import pytest

from realface.core.errors import MediaError, MissingInputError, UnreadableFolderError
from realface.prepare import crop_sequences
from realface.prepare.crop_sequences import CropPicture, CropSequence, read_sequences

SEQUENCE = [f"7/{frame:03d}.png" for frame in range(100)]


def entry(name, content=b"", kind=tarfile.REGTYPE, **fields):
    """A member and its bytes, which by default are its name."""
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    content = content or (os.fsencode(name) if kind == tarfile.REGTYPE else b"")
    member.size = len(content)
    return member, content


def tar(path, *members, mode="w:gz", **options):
    with tarfile.open(path, mode, **options) as archive:
        for member in members:
            info, content = entry(member) if isinstance(member, str) else member
            archive.addfile(info, io.BytesIO(content))
    return path


def folder(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))
    return root


def read(source, count=8):
    return list(read_sequences(source, count=count))


def frames(sequences):
    return {sequence.name: [picture.frame for picture in sequence.frames] for sequence in sequences}


def refusal(path, count=8):
    with pytest.raises(MediaError) as caught:
        read(path, count)
    return caught.value


@pytest.fixture(params=["gzipped tar", "tar", "folder"])
def crops(request, tmp_path):
    """Makes a source of face crops with the given names."""

    def make(*names):
        if request.param == "folder":
            return folder(tmp_path / "12", *names)
        mode = "w:gz" if request.param == "gzipped tar" else "w"
        return tar(tmp_path / "12.tar.gz", *names, mode=mode)

    return make


def test_each_folder_is_a_sequence_with_its_pictures_as_they_are(crops):
    found = read(crops("7/000.png", "7/001.png", "real/8/004.JPG"))
    assert sorted(found, key=lambda sequence: sequence.name) == [
        CropSequence("7", [CropPicture(0, "000.png", b"7/000.png"), CropPicture(1, "001.png", b"7/001.png")]),
        CropSequence("real/8", [CropPicture(4, "004.JPG", b"real/8/004.JPG")]),
    ]


def test_pictures_in_no_folder_are_a_sequence_without_a_name(crops):
    assert frames(read(crops("3.png", "a/5.png"))) == {"": [3], "a": [5]}


def test_a_picture_is_a_sequence_by_itself(tmp_path):
    folder(tmp_path, "x_12.png", "cover.jpg")
    assert read(tmp_path / "x_12.png") == [CropSequence("", [CropPicture(12, "x_12.png", b"x_12.png")])]
    assert read(tmp_path / "cover.jpg") == [CropSequence("", [CropPicture(0, "cover.jpg", b"cover.jpg")])]


def test_pictures_are_spread_over_the_sequence_and_not_its_first(crops):
    # the middle of each quarter of 100
    assert frames(read(crops(*reversed(SEQUENCE)), count=4)) == {"7": [12, 37, 62, 87]}


def test_pictures_are_in_the_order_of_their_numbers_and_not_of_their_letters(crops):
    (sequence,) = read(crops("a/frame10.png", "a/frame9.png", "a/frame100.png"))
    assert [(picture.frame, picture.data) for picture in sequence.frames] == [
        (9, b"a/frame9.png"),
        (10, b"a/frame10.png"),
        (100, b"a/frame100.png"),
    ]


def test_the_last_number_of_a_name_is_the_frame(crops):
    assert frames(read(crops("a/id3_clip2_0017.png", "a/id3_clip2_0004.png"))) == {"a": [4, 17]}


@pytest.mark.parametrize(
    "names",
    [
        ("a/1.png", "a/01.png", "a/2.png"),  # one number twice
        ("a/1.jpg", "a/1.png", "a/2.png"),
        ("a/1_face0.png", "a/2_face0.png", "a/3_face0.png"),
        ("a/1.png", "a/2.png", "a/cover.png"),  # one without a number
        ("a/1.png", "a/2.png", "a/99999999999.png"),  # a time stamp, which no manifest can hold
        ("a/1.png", "a/2.png", f"a/{'9' * 200}.png"),
    ],
)
def test_pictures_without_a_number_of_their_own_are_counted_and_none_is_lost(crops, names):
    (sequence,) = read(crops(*names))
    assert [picture.frame for picture in sequence.frames] == [0, 1, 2]
    assert sorted(picture.data.decode() for picture in sequence.frames) == sorted(names)


def test_a_tar_that_holds_a_name_twice_is_refused(tmp_path):
    path = tar(tmp_path / "x.tar", entry("a/1.png", b"first"), entry("./a/1.png", b"second"), mode="w")
    error = refusal(path)
    assert error.reason == "one name twice"
    assert str(error) == f"{path} holds a/1.png more than once; remove one of them"


def test_what_is_no_face_crop_is_passed_over(crops):
    found = read(
        crops("7/0.png", "7/0.npy", "README", "._0.png", "7/.1.png", ".git/0.png", "masks/7/0.png", "7/Landmarks/0.png")
    )
    assert frames(found) == {"7": [0]}


def test_sequences_of_a_folder_come_in_natural_order(tmp_path):
    source = folder(tmp_path, "10/0.png", "9/0.png", "9/b/0.png")
    assert [sequence.name for sequence in read(source)] == ["9", "9/b", "10"]


def test_sequences_that_are_mixed_in_a_tar_are_kept_apart(tmp_path):
    path = tar(tmp_path / "x.tgz", *(f"{name}/{frame}.png" for frame in (2, 1) for name in "ab"))
    assert frames(read(path)) == {"a": [1, 2], "b": [1, 2]}


def test_only_the_chosen_pictures_of_a_tar_are_read(tmp_path, monkeypatch):
    extracted = []
    real = tarfile.TarFile.extractfile
    monkeypatch.setattr(
        tarfile.TarFile, "extractfile", lambda self, member: extracted.append(member.name) or real(self, member)
    )
    read(tar(tmp_path / "x.tar.gz", *SEQUENCE), count=2)
    assert extracted == ["7/025.png", "7/075.png"]


def test_names_that_are_no_text_can_be_stored(crops):
    (sequence,) = read(crops(os.fsdecode(b"\xc4\xe3/1\xff.png")))
    assert (sequence.name, sequence.frames[0].name) == ("%C4%E3", "1%FF.png")


def test_long_names_and_every_format_of_tars_are_read(tmp_path):
    name = "x" * 150 + "/" + "y" * 150 + "/1.png"
    for style in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tar(tmp_path / "x.tar", "./a/1.png", name, mode="w", format=style, pax_headers={})
        assert frames(read(path)) == {"a": [1], name.removesuffix("/1.png"): [1]}


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"face crops .*gone\.tar\.gz does not exist"):
        read(tmp_path / "gone.tar.gz")


def test_a_folder_or_tar_without_pictures_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tar(tmp_path / "a.tar.gz", "readme.txt"), tar(tmp_path / "b.tar", mode="w")):
        error = refusal(path)
        assert error.reason == "no pictures"
        assert str(error) == f"{path} has no pictures; copy or download it again, or leave it out"


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "x.tar.gz").touch()
    assert refusal(tmp_path / "x.tar.gz").reason == "empty file"


@pytest.mark.parametrize(
    "content",
    [b"hello", b"no tar " * 500, gzip.compress(b"no tar " * 500)],
    ids=["short", "long", "gzip"],  # the packed bytes hold the time, and a test's name must not
)
def test_what_is_no_tar_is_refused(tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    error = refusal(tmp_path / "x.tar.gz")
    assert error.reason == "not an archive"
    assert "x.tar.gz is not a tar, gzipped or not (" in str(error)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_off_anywhere_gives_no_sequence(tmp_path, mode):
    whole = tar(tmp_path / "whole", *SEQUENCE[:3], mode=mode).read_bytes()
    content = 3 * 1024  # three headers, three blocks of data
    for length in range(512, content + 1, 256) if mode == "w" else range(30, len(whole), 10):
        (tmp_path / "x.tar").write_bytes(whole[:length])
        error = refusal(tmp_path / "x.tar")
        assert (error.reason, length) == ("truncated", length)
        assert "x.tar is cut off: its end is missing; copy or download it again" in str(error)


def test_damage_within_a_tar_does_not_pass_for_its_end(tmp_path):
    path = tar(tmp_path / "x.tar", *SEQUENCE[:3], mode="w")
    content = bytearray(path.read_bytes())
    content[1024] ^= 1  # the first letter of the second header, so that its checksum is wrong
    path.write_bytes(content)
    error = refusal(path)
    assert error.reason == "damaged"
    assert "x.tar is damaged (bad checksum); copy or download it again" in str(error)


def test_a_wrong_checksum_of_gzip_is_noticed(tmp_path):
    path = tar(tmp_path / "x.tar.gz", *SEQUENCE[:3])
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    assert refusal(path).reason == "damaged"


UNSAFE = {
    "absolute": (entry("/etc/1.png"), "member '/etc/1.png' has an absolute path"),
    "drive": (entry("C:/1.png"), "member 'C:/1.png' has an absolute path"),
    "drive in a folder": (entry("a/c:x.png"), "member 'a/c:x.png' has an absolute path"),
    "network": (entry("\\\\host\\1.png"), r"member '\\\\host\\1.png' has a back slash"),
    "back slash": (entry("a\\..\\1.png"), r"member 'a\\..\\1.png' has a back slash"),
    "up": (entry("../1.png"), "member '../1.png' leads out of it"),
    "up inside": (entry("a/../../b/1.txt"), "member 'a/../../b/1.txt' leads out of it"),
    "up as a folder": (entry("a/..", kind=tarfile.DIRTYPE), "member 'a/..' leads out of it"),
    "link": (entry("a/2.png", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), "member 'a/2.png' is a link"),
    "hard link": (entry("a/2.png", kind=tarfile.LNKTYPE, linkname="a/1.png"), "member 'a/2.png' is a link"),
    "link of a folder": (entry("b", kind=tarfile.SYMTYPE, linkname="/etc"), "member 'b' is a link"),
    "device": (entry("a/null", kind=tarfile.CHRTYPE), "member 'a/null' is neither a file nor a folder"),
    "disk": (entry("a/sda", kind=tarfile.BLKTYPE), "member 'a/sda' is neither a file nor a folder"),
    "fifo": (entry("a/2.png", kind=tarfile.FIFOTYPE), "member 'a/2.png' is neither a file nor a folder"),
    "sparse": (
        entry("a/2.png", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}),
        "member 'a/2.png' is neither a file nor a folder",
    ),
    "null": (entry("a/2.png", pax_headers={"path": "a/2.png\0.txt"}), r"member 'a/2.png\x00.txt' has a back slash or"),
    "negative": (entry("a/2.png", b"x", pax_headers={"size": "-1"}), "is neither a file nor a folder"),
    "long name": (entry("9" * 5000 + ".png"), "is longer than 4,096 letters"),
}


@pytest.mark.parametrize("kind", UNSAFE)
@pytest.mark.parametrize("place", ["first", "last"])
def test_one_unsafe_member_refuses_the_whole_tar(tmp_path, kind, place):
    member, why = UNSAFE[kind]
    members = [entry("a/1.png"), member]
    path = tar(tmp_path / "x.tar.gz", *(members if place == "last" else members[::-1]), format=tarfile.PAX_FORMAT)
    error = refusal(path)
    assert error.reason == "unsafe archive"
    assert str(error).startswith(f"{path} is not safe: ")
    assert why in str(error)
    assert "nothing of it was used" in str(error)


def test_a_tar_with_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_sequences, "MAX_MEMBERS", 3)
    assert len(read(tar(tmp_path / "a.tar.gz", *SEQUENCE[:3]))) == 1
    error = refusal(tar(tmp_path / "b.tar.gz", *SEQUENCE[:4]))
    assert error.reason == "unsafe archive"
    assert "it has more than 3 members" in str(error)


def test_a_picture_that_is_too_large_is_refused(crops, tmp_path, monkeypatch):
    monkeypatch.setattr(crop_sequences, "MAX_PICTURE_BYTES", 9)
    source = crops("7/000.png")
    assert frames(read(source)) == {"7": [0]}
    monkeypatch.setattr(crop_sequences, "MAX_PICTURE_BYTES", 8)
    error = refusal(source)
    assert error.reason == "too large"
    assert "000.png is too large for a face crop: 9 bytes, and the limit is 8" in str(error)


def test_what_is_held_at_once_is_limited(crops, monkeypatch):
    monkeypatch.setattr(crop_sequences, "MAX_HELD_BYTES", 18)  # two pictures of 9 bytes
    source = crops(*SEQUENCE, "8/000.png", "8/001.png")
    assert frames(read(source, count=2)) == {"7": [25, 75], "8": [0, 1]}
    error = refusal(source, count=3)
    assert error.reason == "too large"
    assert "chosen pictures of its unfinished sequences take more than 18 bytes; choose fewer frames" in str(error)


def header(name, kind, size):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def sparse_header(name, size):
    member = tarfile.TarInfo(name)
    member.size, member.pax_headers = size, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return member.tobuf(tarfile.PAX_FORMAT)


MIB = 2**20
HUGE = 128 * MIB
BOMBS = {  # pieces, and how often each is written
    "a long name": [(header("x", tarfile.GNUTYPE_LONGNAME, HUGE), 1), (bytes(MIB), 128)],
    "a pax header": [(header("x", tarfile.XHDTYPE, HUGE), 1), (b"1" * MIB, 128)],
    "a global header": [(header("x", tarfile.XGLTYPE, HUGE), 1), (bytes(MIB), 128)],
    "nested headers": [(header("x", tarfile.XHDTYPE, 0), 100_000)],
    "headers for all": [(header("x", tarfile.XGLTYPE, 0), 100_000)],
    "a sparse map": [(sparse_header("a/1.png", HUGE), 1), (b"9999999\n", 1), (b"1\n" * (MIB // 2), 128)],
    "a picture": [(header("a/1.png", tarfile.REGTYPE, HUGE), 1), (bytes(MIB), 128)],
    "another file": [
        (header("a/1.bin", tarfile.REGTYPE, HUGE), 1),
        (bytes(MIB), 128),
        (header("a/1.png", tarfile.REGTYPE, 0), 1),
    ],
    "what follows the end": [(header("a/1.png", tarfile.REGTYPE, 0), 1), (bytes(MIB), 128)],
}
OUTCOMES = {
    "a picture": "too large",
    "nested headers": "damaged",
    "headers for all": "damaged",
    "another file": "1 sequence",
    "what follows the end": "1 sequence",
}
LIMITED = """
import resource, sys
from pathlib import Path
from realface.core.errors import MediaError
from realface.prepare.crop_sequences import read_sequences
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in map(Path, sys.argv[1:]):
    try:
        print(path.name, f"{len(list(read_sequences(path, count=8)))} sequence", sep=":")
    except MediaError as error:
        print(path.name, error.reason, sep=":")
print("grown by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) // 1024)
"""


def test_gzip_bombs_do_not_fill_the_memory(tmp_path):
    for name, pieces in BOMBS.items():
        with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
            for piece, times in pieces:
                for _ in range(times):
                    file.write(piece)
            file.write(bytes(1024))
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, *(tmp_path / name for name in BOMBS)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    *outcomes, grown = run.stdout.splitlines()
    assert dict(line.split(":") for line in outcomes) == {name: OUTCOMES.get(name, "unsafe archive") for name in BOMBS}
    assert int(grown.removeprefix("grown by ")) < 32  # MiB, of bombs of 128


def test_a_size_that_cannot_be_does_not_keep_it_busy(tmp_path):
    (tmp_path / "x.tar").write_bytes(header("a/1.bin", tarfile.REGTYPE, 2**80) + bytes(2048))
    assert refusal(tmp_path / "x.tar").reason == "truncated"


def test_links_in_a_folder_of_ones_own_are_read_and_broken_ones_are_named(tmp_path):
    folder(tmp_path, "store/1.png", "a/2.png")
    (tmp_path / "a" / "1.png").symlink_to(tmp_path / "store" / "1.png")
    assert frames(read(tmp_path / "a")) == {"": [1, 2]}
    (tmp_path / "store" / "1.png").unlink()
    with pytest.raises(MissingInputError, match=r"picture .*1\.png does not exist"):
        read(tmp_path / "a")


def test_a_pipe_called_as_a_picture_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "1.png")
    error = refusal(tmp_path)
    assert error.reason == "not a file"
    assert "1.png is not a file; give the path of one picture" in str(error)


def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path, monkeypatch):
    folder(tmp_path, "a/1.png", "b/1.png")
    scandir = os.scandir

    def refuse(place):
        if os.fspath(place).endswith("/b"):
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableFolderError, match=r"cannot read the folder .*/b \(Permission denied\)"):
        read(tmp_path)


def test_a_link_to_a_folder_of_crops_is_read_like_the_folder(tmp_path):
    folder(tmp_path, "store/1.png", "video/a/1.png", "video/a/2.png")
    (tmp_path / "video" / "b").symlink_to(tmp_path / "store")
    (tmp_path / "video" / "loop").symlink_to(tmp_path / "video")
    assert frames(read(tmp_path / "video")) == {"a": [1, 2], "b": [1]}
