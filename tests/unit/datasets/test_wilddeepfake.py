import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.registry import choose_reader
from realface.datasets.wilddeepfake import NO_VALIDATION, WildDeepfakeReader

COPIES = "left out: further copies of what is here already"


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("wilddeepfake", tmp_path / "deepfake_in_the_wild")


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def scan(root):
    return WildDeepfakeReader().scan(root)


def sources(found, root):
    return [item.source.relative_to(root).as_posix() for item in found.items]


def test_folders_give_label_and_split_in_natural_order(study):
    found = scan(study)
    assert [(item.video, item.label, item.split) for item in found.items] == [
        ("real_train/2", Label.REAL, "train"),
        ("real_train/10", Label.REAL, "train"),
        ("real_test/1", Label.REAL, "test"),
        ("fake_train/7", Label.FAKE, "train"),
        ("fake_test/1", Label.FAKE, "test"),
    ]
    assert sources(found, study)[:1] == ["real train/2.tar.gz"]
    assert found.counts == {
        "real_train, tars": 2,
        "real_test, tars": 1,
        "fake_train, unpacked folders": 1,
        "fake_test, tars": 1,
    }


def test_both_spellings_together_are_one_folder(study):
    add(study, "real_train/3.tar.gz")
    assert [item.video for item in scan(study).items][:3] == ["real_train/2", "real_train/3", "real_train/10"]


def test_they_are_face_crops_and_nobody_is_known(study):
    found = scan(study)
    assert found.are_crops
    assert {(item.dataset, item.method, item.identities, item.original) for item in found.items} == {
        ("wilddeepfake", None, (), None)
    }


def test_that_there_is_no_validation_split_is_said(study):
    assert scan(study).missing == [NO_VALIDATION]
    assert NO_VALIDATION.startswith("a validation split, which the data set does not have")


@pytest.mark.parametrize("written", ["real_train", "real train", "Real Train"])
def test_folders_are_detected_however_they_are_written(tmp_path, written):
    add(tmp_path, f"{written}/3.tgz", f"{written}/4.tar")
    assert choose_reader(tmp_path).name == "wilddeepfake"
    found = scan(tmp_path)
    assert [item.video for item in found.items] == ["real_train/3", "real_train/4"]
    assert found.missing == [
        "real_test: no sequences",
        "fake_train: no sequences",
        "fake_test: no sequences",
        NO_VALIDATION,
    ]


def test_of_a_tar_and_its_unpacked_folder_the_tar_is_used(study):
    add(study, "real_train/2/1/000.png", "real train/10/1/000.png", "real train/11/1/000.png", "real_train/10.tar.gz")
    found = scan(study)
    assert sources(found, study)[:3] == ["real train/2.tar.gz", "real train/10.tar.gz", "real train/11"]
    assert found.counts[COPIES] == 3
    assert (
        "real_train: 2 are here more than once; real train/2.tar.gz is used and not real_train/2, and so on"
        in found.missing
    )


def test_an_unpacked_folder_may_nest_its_sequences(tmp_path):
    add(tmp_path, "fake_test/3/fake/1/000.png", "fake_test/3/fake/2/000.png")
    (item,) = scan(tmp_path).items
    assert (item.source, item.video) == (tmp_path / "fake_test" / "3", "fake_test/3")


@pytest.mark.parametrize(("name", "other"), [("fake_test/3/real/1/0.png", "real"), ("real train/3/Fake/0.png", "fake")])
def test_a_folder_with_the_other_label_is_refused(tmp_path, name, other):
    add(tmp_path, name)
    with pytest.raises(DatasetError, match=f"is a folder of {other}s among .*s; restore the folders as they came"):
        scan(tmp_path)


def test_other_files_are_counted_and_named(study):
    add(study, "real train/notes.txt", "real train/5.zip", "real train/.DS_Store", "README.md", "extra/1.tar.gz")
    found = scan(study)
    assert found.counts["left out: neither tars nor folders"] == 2
    assert "real_train: 2 files that are neither tars nor folders were left out" in found.missing
    assert len(found.items) == 5


def test_a_folder_without_tars_and_folders_is_not_detected(tmp_path):
    add(tmp_path, "real_train/a.mp4", "real_train/.hidden/1.png")
    with pytest.raises(DatasetError, match=r"wilddeepfake: missing folder real_train, .* with tars or folders in it"):
        choose_reader(tmp_path)
