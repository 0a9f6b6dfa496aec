import pytest

from realface.core.labels import Label
from realface.datasets.dfd import NUM_VIDEOS, DfdReader
from realface.datasets.faceforensics import FaceForensicsReader

FAKE = "01_02__kitchen_pan__ABCDEFGH"


@pytest.fixture
def study(build_tree, tmp_path, monkeypatch):
    monkeypatch.setitem(NUM_VIDEOS, Label.REAL, 2)
    monkeypatch.setitem(NUM_VIDEOS, Label.FAKE, 1)
    return build_tree("dfd", tmp_path / "DFD")


@pytest.fixture
def study_in_ffpp(study):
    """The same videos where FaceForensics++'s download script puts them."""
    for kind, group in (("original_sequences", "actors"), ("manipulated_sequences", "DeepFakeDetection")):
        (study / kind).mkdir()
        (study / group).rename(study / kind / group)
    return study


def scan(root):
    return DfdReader().scan(root)


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def item_named(found, video):
    (item,) = (item for item in found.items if item.video == video)
    return item


def test_a_whole_study_is_found_all_of_it_test_and_nothing_is_missing(study):
    found = scan(study)
    assert found.missing == []
    assert found.counts == {"real videos, actors c23": 2, "fake videos, DeepFakeDetection c23": 1}
    assert {(item.dataset, item.split, item.compression) for item in found.items} == {
        ("deepfakedetection", "test", "c23")
    }


def test_a_fake_shows_target_and_source_and_has_the_targets_scene_as_original(study):
    found = scan(study)
    fake = item_named(found, FAKE)
    assert (fake.label, fake.method, fake.identities) == (Label.FAKE, "DeepFakeDetection", ("01", "02"))
    assert fake.mask == study / "DeepFakeDetection" / "masks" / "videos" / f"{FAKE}.mp4"
    real = item_named(found, fake.original)
    assert (real.label, real.method, real.identities, real.mask) == (Label.REAL, None, ("01",), None)


def test_it_is_read_as_well_where_the_script_of_faceforensics_puts_it(study_in_ffpp):
    assert DfdReader().list_missing(study_in_ffpp) == []
    found = scan(study_in_ffpp)
    assert found.missing == []
    assert [item.video for item in found.items] == ["01__kitchen_pan", "02__kitchen_pan", FAKE]
    assert item_named(found, FAKE).mask is not None


def test_beside_faceforensics_that_reader_reads_it_the_same_way(study_in_ffpp):
    alone = scan(study_in_ffpp).items
    add(study_in_ffpp, "original_sequences/youtube/c23/videos/071.mp4")
    assert DfdReader().list_missing(study_in_ffpp) == [
        "a separate folder (use --dataset faceforensics to read it together with FaceForensics++)"
    ]
    both = FaceForensicsReader().scan(study_in_ffpp).items
    assert [item for item in both if item.dataset == "deepfakedetection"] == alone


def test_beside_faceforensics_the_same_is_missing(study_in_ffpp):
    add(study_in_ffpp, "original_sequences/youtube/c23/videos/071.mp4")
    (study_in_ffpp / "original_sequences/actors/c23/videos/01__kitchen_pan.mp4").unlink()
    missing = FaceForensicsReader().scan(study_in_ffpp).missing
    assert "original_sequences/actors/c23/videos: 1 of the release's 2 videos" in missing
    assert f"the originals of 1 fakes, such as 01__kitchen_pan of {FAKE}" in missing


def test_alone_in_that_tree_it_is_not_faceforensics(study_in_ffpp):
    assert FaceForensicsReader().list_missing(study_in_ffpp) != []


def test_several_compressions_are_all_read(study):
    add(study, "actors/raw/videos/01__kitchen_pan.mp4")
    assert {item.compression for item in scan(study).items} == {"raw", "c23"}


def test_a_fake_without_its_mask_in_the_masks_folder_keeps_the_masks_place(study):
    mask = study / f"DeepFakeDetection/masks/videos/{FAKE}.mp4"
    mask.unlink()
    assert item_named(scan(study), FAKE).mask == mask
    mask.parent.rmdir()
    assert item_named(scan(study), FAKE).mask is None


def test_one_label_is_enough_and_the_other_is_named(study):
    (study / "DeepFakeDetection").rename(study / "elsewhere")
    assert DfdReader().list_missing(study) == []
    assert scan(study).missing == ["no fake videos"]


def test_large_numbers_have_commas_throughout(study, monkeypatch):
    monkeypatch.setitem(NUM_VIDEOS, Label.FAKE, 3068)
    assert any("3,067 of the release's 3,068 videos" in text for text in scan(study).missing)
