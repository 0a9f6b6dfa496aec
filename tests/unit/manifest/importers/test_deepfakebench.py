import json

import pytest

from realface.core.errors import ManifestError, MissingInputError
from realface.manifest.importers.deepfakebench import DeepfakeBenchImporter
from realface.manifest.leaks import find_leaks

FORENSICS = "FaceForensics++"
REAL = "original_sequences/youtube/c23/frames/071"
SWAP = "manipulated_sequences/FaceSwap/c23/frames/071_054"
DEEP = "manipulated_sequences/Deepfakes/c23/frames/071_054"


def touched(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def read(tmp_path, document, **options):
    (tmp_path / "set.json").write_text(json.dumps(document))
    return DeepfakeBenchImporter().read(tmp_path / "set.json", **options)


def entry(label, *frames):
    return {"label": label, "frames": list(frames), "masks": []}


def forensics(before="", split="train"):
    def one(label, video, *folders):
        return {split: {"c23": {video: entry(label, *(f"{before}{FORENSICS}/{folder}/000.png" for folder in folders))}}}

    return {
        FORENSICS: {
            "FF-real": one("FF-real", "071", REAL),
            "FF-DF": one("FF-DF", "071_054", DEEP),
            "FF-FS": one("FF-FS", "071_054", SWAP),
        }
    }


def celeb(label, splits, *frames):
    return {"Celeb-DF-v2": {label: {split: {"id0_0000": entry(label, *frames)} for split in splits}}}


def test_a_video_is_named_by_set_label_folder_compression_and_name(tmp_path):
    manifest = read(tmp_path, forensics())
    assert manifest.labels.tolist() == [0, 1, 1]
    assert manifest.column("video") == ["FF-real/071", "FF-DF/071_054", "FF-FS/071_054"]
    assert manifest.column("method") == [None, "Deepfakes", "FaceSwap"]
    assert manifest.video_keys() == [
        "FaceForensics++//c23/FF-real/071",
        "FaceForensics++/Deepfakes/c23/FF-DF/071_054",
        "FaceForensics++/FaceSwap/c23/FF-FS/071_054",
    ]
    assert manifest.column("split") == ["train"] * 3
    assert manifest.column("identities") == [["071"], ["071", "054"], ["071", "054"]]
    assert manifest.column("original") == [None, "FF-real/071", "FF-real/071"]
    assert manifest.column("frame") == [0, 0, 0]
    assert manifest.header.crop.is_unknown


@pytest.mark.parametrize("before", ["/home/author/data/", "../datasets/rgb/", "./", "D:\\sets\\", ""])
def test_an_author_s_paths_are_found_below_the_root(tmp_path, before):
    root = tmp_path / "rgb"
    touched(root, f"{FORENSICS}/{REAL}/000.png", f"{FORENSICS}/{SWAP}/000.png", f"{FORENSICS}/{DEEP}/001.png")
    manifest = read(tmp_path, forensics(before), root=root)
    assert manifest.column("path") == [f"{FORENSICS}/{folder}/000.png" for folder in (REAL, DEEP, SWAP)]
    assert manifest.header.note.startswith("FaceForensics++: 2 of 3 listed frames are there, ")


def test_back_slashes_are_read(tmp_path):
    path = f"{FORENSICS}/{SWAP}/000.png"
    touched(tmp_path, path)
    document = {FORENSICS: {"FF-FS": {"test": {"c23": {"071_054": entry("FF-FS", path.replace("/", "\\"))}}}}}
    manifest = read(tmp_path, document)
    assert manifest.column("path") == [path]
    assert "1 of 1 listed" in manifest.header.note


def test_the_root_may_be_the_set_s_own_folder(tmp_path):
    touched(tmp_path / FORENSICS, f"{REAL}/000.png")
    manifest = read(tmp_path, forensics("/elsewhere/"), root=tmp_path / FORENSICS)
    assert manifest.column("path") == [f"{REAL}/000.png", f"{DEEP}/000.png", f"{SWAP}/000.png"]


def test_a_set_that_lies_in_another_s_folder_is_found(tmp_path):
    path = "FaceForensics++/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__walk/000.png"
    touched(tmp_path, path)
    document = {"DeepFakeDetection": {"DFD_fake": {"test": {"01_02__walk": entry("DFD_fake", f"/author/{path}")}}}}
    assert read(tmp_path, document).column("path") == [path]


def test_an_absolute_path_that_exists_stays(tmp_path):
    touched(tmp_path, "mine/frames/a/0.png")
    path = f"{tmp_path}/mine/frames/a/0.png"
    manifest = read(tmp_path, celeb("CelebDFv2_fake", ["train"], path), root=tmp_path / "empty")
    assert str(manifest.file_of(0)) == path


def test_a_frame_of_another_method_s_video_is_never_taken(tmp_path):
    touched(tmp_path, "frames/071_054/000.png")
    manifest = read(tmp_path, forensics("/author/"))
    assert "0 of 3 listed" in manifest.header.note
    assert manifest.column("path")[1] == f"{FORENSICS}/{DEEP}/000.png"


def test_masks_lie_beside_the_frames_and_landmarks_are_counted(tmp_path):
    beside = [f"{FORENSICS}/{SWAP}/000.png".replace("frames", kind) for kind in ("frames", "masks", "landmarks")]
    touched(tmp_path, beside[0], beside[1], beside[2].replace(".png", ".npy"))
    touched(tmp_path, f"{FORENSICS}/{REAL}/000.png", f"{FORENSICS}/{REAL}/000.png".replace("frames", "masks"))
    manifest = read(tmp_path, forensics("C:\\x\\"))
    assert manifest.column("mask") == [None, None, beside[1]]
    assert manifest.header.note == (
        "FaceForensics++: 2 of 3 listed frames are there, with 1 masks of fakes and 1 files of landmarks"
    )


@pytest.mark.parametrize(
    ("folder", "label"),
    [("DFDCP_Real", 0), ("DFD_real", 0), ("DFDCP_FakeA", 1), ("realfake_Fake", 1), ("UADFV_REAL", 0)],
)
def test_a_label_that_ends_in_real_is_real_and_any_other_fake(tmp_path, folder, label):
    assert read(tmp_path, {"S": {folder: {"test": {"v": entry(folder, "a/b.png")}}}}).labels.tolist() == [label]


def test_a_second_folder_of_reals_does_not_replace_the_first(tmp_path):
    folders = {f"{method}_Real": {"test": {"v": entry(f"{method}_Real", f"{method}/v/0.png")}} for method in "ab"}
    manifest = read(tmp_path, {"DF40": folders})
    assert len(set(manifest.video_keys())) == 2


def test_a_frame_of_val_that_is_in_test_too_stays_in_test_and_is_counted(tmp_path):
    document = celeb("CelebDFv2_real", ["train"], "t/0.png")
    document["Celeb-DF-v2"]["CelebDFv2_real"] |= {
        split: {"id1_0000": entry("CelebDFv2_real", "x/0.png", "x/1.png")} for split in ("val", "test")
    }
    manifest = read(tmp_path, document)
    assert manifest.column("split") == ["train", "test", "test"]
    assert manifest.header.skipped == {"listed in val and in test, kept in test": 2}
    assert find_leaks(manifest) == []


def test_a_list_without_videos_gives_no_rows(tmp_path):
    assert len(read(tmp_path, {"UADFV": {"UADFV_Real": {"test": {}}}})) == 0


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "set.json: expected an object, got list"),
        ({"S": {"S_Real": {"test": []}}}, "set.json: S/S_Real/test: expected an object, got list"),
        ({"S": {"S_Real": {"test": {"v": {"frames": "a"}}}}}, "S/S_Real/test/v: expected `frames`, a list of paths"),
        ({"S": {"S_Real": {"test": {"c23": {"v": {"label": "x"}}}}}}, "test/c23/v: expected `frames`, a list of paths"),
        (
            {"S": {"S_Real": {"test": {"v": entry("S_Fake", "a")}}}},
            "S/S_Real/test/v: the folder S_Real is real, but the video's label S_Fake is fake; mend the one",
        ),
    ],
)
def test_lists_that_are_not_as_documented_are_refused_by_place(tmp_path, document, fault):
    with pytest.raises(ManifestError) as error:
        read(tmp_path, document)
    assert fault in str(error.value)


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "set.json").write_text("{")
    with pytest.raises(ManifestError, match=r"set\.json: not JSON \("):
        DeepfakeBenchImporter().read(tmp_path / "set.json")
    with pytest.raises(MissingInputError, match=r"list .*gone\.json does not exist"):
        DeepfakeBenchImporter().read(tmp_path / "gone.json")
