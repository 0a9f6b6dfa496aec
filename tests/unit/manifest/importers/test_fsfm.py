import pytest

from realface.core.errors import ManifestError, MissingInputError
from realface.manifest.importers.fsfm import FsfmImporter


def read(tmp_path, text, **options):
    (tmp_path / "list.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return FsfmImporter().read(tmp_path / "list.txt", **options)


def test_a_list_is_read_relative_to_a_root_with_spaces_and_back_slashes_in_paths(tmp_path):
    manifest = read(tmp_path, "my faces/a 1.png 0\r\n\r\nb\\0007.png\t1\n", root=tmp_path / "base")
    assert manifest.column("path") == ["my faces/a 1.png", "b/0007.png"]
    assert manifest.file_of(0) == tmp_path / "base" / "my faces" / "a 1.png"
    assert manifest.labels.tolist() == [0, 1]
    assert manifest.column("frame") == [None, 7]
    assert manifest.header.crop.is_unknown


def test_without_root_paths_are_relative_to_the_list(tmp_path):
    assert read(tmp_path, "a.png 0").file_of(0) == tmp_path / "a.png"


def test_one_video_name_in_two_methods_stays_two_videos(tmp_path):
    lines = [f"manipulated_sequences/{method}/c23/frames/071_054/0.png 1" for method in ("Deepfakes", "FaceSwap")]
    manifest = read(tmp_path, "\n".join(lines))
    assert manifest.video_keys() == [
        "faceforensics/Deepfakes/c23/071_054",
        "faceforensics/FaceSwap/c23/071_054",
    ]


def test_celeb_df_s_own_list_is_no_such_list(tmp_path):
    with pytest.raises(ManifestError, match=r"list\.txt:1: expected `path label` .*got '1 YouTube-real/00170\.mp4'"):
        read(tmp_path, "1 YouTube-real/00170.mp4\n")


def test_labels_the_wrong_way_round_are_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"row 2: the list says 0 \(real\), the path says fake: .*1 of 2 rows so"):
        read(tmp_path, "a.png 1\nCeleb-synthesis/id0_id1_0000/3.png 0")


def test_folders_above_the_root_say_nothing_about_a_label(tmp_path):
    root = tmp_path / "fake"
    assert read(tmp_path, f"{root}/a.png 0", root=root).labels.tolist() == [0]


def test_what_is_no_text_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"list\.txt: not UTF-8 text \(byte 1\)"):
        read(tmp_path, b"a\xff.png 0")
    with pytest.raises(MissingInputError, match=r"list .*gone\.txt does not exist"):
        FsfmImporter().read(tmp_path / "gone.txt")
