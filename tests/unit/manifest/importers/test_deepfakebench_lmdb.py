import json
import sys

import cv2
import lmdb
import numpy as np
import pytest

from realface.core.errors import ManifestError, MissingInputError, OutputExistsError
from realface.manifest.importers.deepfakebench_lmdb import read_from_lmdb

SET = "FaceForensics++"
REAL = "original_sequences/youtube/c23/frames/071/000.png"
FAKE = "manipulated_sequences/FaceSwap/c23/frames/071_054/000.png"
MASK = FAKE.replace("/frames/", "/masks/")
LANDMARKS = FAKE.replace("/frames/", "/landmarks/").replace(".png", ".npy")
PLACES = (REAL, FAKE, MASK, LANDMARKS)


def content_of(place):
    """What is stored of a place: an image of one pixel, its grey by the place, or the bytes of 81 landmarks."""
    if place.endswith(".npy"):
        return np.zeros((81, 2), np.int32).tobytes()
    return cv2.imencode(".png", np.full((1, 1, 3), len(place) % 256, np.uint8))[1].tobytes()


def linux_key(place, dataset=SET):
    return f"{dataset}\\{place}"


def windows_key(place, dataset=SET):
    return f"{dataset}\\{place}".replace("/", "\\")


def written_lmdb(folder, contents):
    with lmdb.open(str(folder), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        for key, value in contents.items():
            transaction.put(key.encode(), value)
    return folder


def forensics_lmdb(tmp_path, key=linux_key, places=PLACES):
    return written_lmdb(tmp_path / f"{SET}_lmdb", {key(place): content_of(place) for place in places})


def written_list(tmp_path, *, before="/home/author/data/", real=REAL, fake=FAKE, dataset=SET, separator="/"):
    def one(label, video, place):
        path = f"{before}{place}".replace("/", separator)
        return {"train": {"c23": {video: {"label": label, "frames": [path], "masks": []}}}}

    folders = {"FF-real": one("FF-real", "071", f"{SET}/{real}"), "FF-FS": one("FF-FS", "071_054", f"{SET}/{fake}")}
    (tmp_path / "set.json").write_text(json.dumps({dataset: folders}))
    return tmp_path / "set.json"


def unpacked(tmp_path, listed, stored):
    return read_from_lmdb(listed, stored, unpack=tmp_path / "unpacked", quiet=True)


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("key", [linux_key, windows_key])
@pytest.mark.parametrize(("before", "separator"), [("/home/author/data/", "/"), ("../rgb/", "/"), ("D:\\sets\\", "\\")])
def test_listed_frames_and_masks_are_written_as_they_are_stored(tmp_path, key, before, separator):
    listed = written_list(tmp_path, before=before, separator=separator)
    manifest = unpacked(tmp_path, listed, forensics_lmdb(tmp_path, key))
    assert files_below(tmp_path / "unpacked") == {f"{SET}/{place}": content_of(place) for place in (REAL, FAKE, MASK)}
    assert manifest.root == tmp_path / "unpacked"
    assert manifest.column("path") == [f"{SET}/{REAL}", f"{SET}/{FAKE}"]
    assert manifest.column("mask") == [None, f"{SET}/{MASK}"]
    assert manifest.labels.tolist() == [0, 1]
    assert manifest.column("video") == ["FF-real/071", "FF-FS/071_054"]
    assert manifest.header.crop.is_unknown
    assert manifest.header.skipped == {}
    assert manifest.header.note == (
        "FaceForensics++: 2 of 2 listed frames are there, with 1 masks of fakes and 1 files of landmarks"
    )


def test_one_lmdb_may_have_keys_of_both_kinds(tmp_path):
    contents = {linux_key(REAL): content_of(REAL), windows_key(FAKE): content_of(FAKE)}
    unpacked(tmp_path, written_list(tmp_path), written_lmdb(tmp_path / "lmdb", contents))
    assert set(files_below(tmp_path / "unpacked")) == {f"{SET}/{REAL}", f"{SET}/{FAKE}"}


def test_a_list_of_a_set_within_another_s_folder_is_found_under_the_other_s_name(tmp_path):
    listed = written_list(tmp_path, dataset="DeepFakeDetection")
    assert len(unpacked(tmp_path, listed, forensics_lmdb(tmp_path))) == 2


def test_paths_that_begin_below_the_set_s_folder_are_found(tmp_path):
    document = {SET: {"FF-FS": {"test": {"c23": {"071_054": {"label": "FF-FS", "frames": [FAKE]}}}}}}
    (tmp_path / "set.json").write_text(json.dumps(document))
    manifest = unpacked(tmp_path, tmp_path / "set.json", forensics_lmdb(tmp_path))
    assert manifest.column("path") == [FAKE]
    assert set(files_below(tmp_path / "unpacked")) == {FAKE, MASK}


@pytest.mark.parametrize("stored", [{}, {linux_key(FAKE): b""}])
def test_frames_that_are_not_stored_are_left_out_and_counted(tmp_path, stored):
    contents = {linux_key(REAL): content_of(REAL)} | stored
    manifest = unpacked(tmp_path, written_list(tmp_path), written_lmdb(tmp_path / "lmdb", contents))
    assert manifest.column("path") == [f"{SET}/{REAL}"]
    assert manifest.header.skipped == {"not in the LMDB": 1}
    assert manifest.header.note.startswith("FaceForensics++: 1 of 2 listed frames are there")
    assert set(files_below(tmp_path / "unpacked")) == {f"{SET}/{REAL}"}


def test_a_frame_of_another_method_s_video_is_never_taken(tmp_path):
    contents = {linux_key(place): content_of(place) for place in (REAL, FAKE.replace("FaceSwap", "Deepfakes"))}
    contents["frames\\071_054/000.png"] = content_of(FAKE)
    assert len(unpacked(tmp_path, written_list(tmp_path), written_lmdb(tmp_path / "lmdb", contents))) == 1


def test_names_longer_than_a_key_can_be_are_not_there(tmp_path):
    listed = written_list(tmp_path, fake=f"manipulated_sequences/{'x' * 600}/c23/frames/071_054/000.png")
    assert unpacked(tmp_path, listed, forensics_lmdb(tmp_path)).header.skipped == {"not in the LMDB": 1}


def test_an_lmdb_of_another_set_is_refused_and_nothing_is_made(tmp_path):
    stored = written_lmdb(tmp_path / "UADFV_lmdb", {linux_key("fake/frames/0001_fake/000.png", "UADFV"): b"png"})
    with pytest.raises(
        ManifestError, match=r"UADFV_lmdb has none of the 2 frames .* lists, its keys begin with 'UADFV'"
    ):
        unpacked(tmp_path, written_list(tmp_path), stored)
    assert not (tmp_path / "unpacked").exists()


def test_an_empty_lmdb_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"has none of the 2 frames .* its keys begin with ''; give the LMDB"):
        unpacked(tmp_path, written_list(tmp_path), written_lmdb(tmp_path / "lmdb", {}))


@pytest.mark.parametrize(
    "outside",
    ["../../outside/c23/frames/a/000.png", "../c23/frames/a/000.png", "a/c23/frames/b/..", "C:/c23/frames/a/000.png"],
)
@pytest.mark.parametrize("key", [linux_key, windows_key])
def test_a_name_that_leads_out_of_the_folder_is_refused_and_nothing_is_made(tmp_path, key, outside):
    stored = forensics_lmdb(tmp_path, key, places=(REAL, outside))
    with pytest.raises(ManifestError, match=r"set\.json: 'FaceForensics\+\+/.+' is no path below the folder to unpack"):
        unpacked(tmp_path, written_list(tmp_path, fake=outside), stored)
    assert {path.name for path in tmp_path.iterdir()} == {"set.json", f"{SET}_lmdb"}


def test_an_absolute_name_stays_below_the_folder_or_is_refused(tmp_path):
    def list_of(frame):
        entry = {"label": "S_fake", "frames": [frame]}
        (tmp_path / "set.json").write_text(json.dumps({"S": {"S_fake": {"test": {"a": entry}}}}))
        return tmp_path / "set.json"

    keys = ["\\etc/c23/frames/a/000.png", "\\/etc/c23/frames/a/000.png"]
    stored = written_lmdb(tmp_path / "lmdb", dict.fromkeys(keys, b"png"))
    with pytest.raises(ManifestError, match=r"'//etc/c23/frames/a/000\.png' is no path below the folder"):
        unpacked(tmp_path, list_of("//etc/c23/frames/a/000.png"), stored)
    unpacked(tmp_path, list_of("/etc/c23/frames/a/000.png"), stored)
    assert files_below(tmp_path / "unpacked") == {"etc/c23/frames/a/000.png": b"png"}


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    listed, stored = written_list(tmp_path), forensics_lmdb(tmp_path)
    unpacked(tmp_path, listed, stored)
    before = files_below(tmp_path / "unpacked")
    with pytest.raises(OutputExistsError, match="unpacked exists and is not empty; give another folder"):
        unpacked(tmp_path, listed, stored)
    assert files_below(tmp_path / "unpacked") == before


def test_the_lmdb_is_neither_changed_nor_locked(tmp_path):
    stored = forensics_lmdb(tmp_path)
    (stored / "lock.mdb").unlink()
    before = files_below(stored)
    unpacked(tmp_path, written_list(tmp_path), stored)
    assert files_below(stored) == before


def test_what_is_no_lmdb_is_refused(tmp_path):
    listed = written_list(tmp_path)
    with pytest.raises(MissingInputError, match=r"LMDB .*gone does not exist"):
        unpacked(tmp_path, listed, tmp_path / "gone")
    (tmp_path / "other").mkdir()
    with pytest.raises(ManifestError, match=r"other is no LMDB: it has no data\.mdb; give the folder <set>_lmdb"):
        unpacked(tmp_path, listed, tmp_path / "other")
    with pytest.raises(ManifestError, match=r"set\.json is no LMDB: it has no data\.mdb"):
        unpacked(tmp_path, listed, listed)
    (tmp_path / "other/data.mdb").write_bytes(bytes(9000))
    with pytest.raises(ManifestError, match=r"other is no LMDB that can be read, or is damaged \(.+\); copy it again"):
        unpacked(tmp_path, listed, tmp_path / "other")


def test_an_lmdb_that_was_cut_off_is_refused(tmp_path):
    stored = forensics_lmdb(tmp_path)
    content = (stored / "data.mdb").read_bytes()
    (stored / "data.mdb").write_bytes(content[:9000])
    with pytest.raises(ManifestError, match=r"data\.mdb is cut off: it should have [\d,]+ bytes and has 9,000; copy"):
        unpacked(tmp_path, written_list(tmp_path), stored)


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(
        ManifestError, match=r'--lmdb needs the package lmdb; install it: pip install "realface\[lmdb\]"'
    ):
        unpacked(tmp_path, tmp_path / "set.json", tmp_path / "lmdb")
