"""A folder of somebody's own real photos and videos."""

import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.real_folder import FEWEST_PEOPLE, RealFolderReader
from realface.datasets.registry import scan_dataset

PEOPLE = [f"identity{number}" for number in range(FEWEST_PEOPLE)]


def scan(root, *files, identities="auto"):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return scan_dataset(root, RealFolderReader(identities))


def who_and_source(found):
    return {(*item.identities, item.dataset) for item in found.items}


def test_each_file_at_the_top_is_an_identity_of_its_own(tmp_path):
    found = scan(tmp_path / "mine", "a.jpg", "b.mp4", "b.jpg", "notes.txt")
    assert who_and_source(found) == {("a", "mine"), ("b.jpg", "mine"), ("b.mp4", "mine")}
    assert {item.label for item in found.items} == {Label.REAL}
    assert found.counts == {"photos": 2, "videos": 1}
    assert found.left_out == {"other files (.txt)": 1}
    assert not found.notes


def test_a_few_subfolders_are_sources_whose_files_are_people(tmp_path):
    found = scan(tmp_path, "photos/a.jpg", "photos/b.jpg", "videos/a.mp4", "videos/deep/c.mp4")
    assert who_and_source(found) == {
        ("photos/a", "photos"),
        ("photos/b", "photos"),
        ("videos/a", "videos"),
        ("videos/deep/c", "videos"),
    }
    assert "each file in photos, videos, videos/deep counts as another identity" in found.notes[0]
    assert "set data.identities=folders" in found.notes[0]


def test_many_subfolders_are_people(tmp_path):
    found = scan(tmp_path / "mine", *(f"{name}/{photo}.jpg" for name in PEOPLE for photo in "ab"))
    assert who_and_source(found) == {(name, "mine") for name in PEOPLE}
    assert f"{FEWEST_PEOPLE} sub-folders, such as identity0, count as one identity each" in found.notes[0]
    assert "set data.identities=files" in found.notes[0]


def test_people_within_a_source_belong_to_it(tmp_path):
    found = scan(tmp_path, *(f"lfw/{name}/1.jpg" for name in PEOPLE), "ffhq/1.png", "ffhq/2.png")
    assert who_and_source(found) == {
        *((f"lfw/{name}", "lfw") for name in PEOPLE),
        ("ffhq/1", "ffhq"),
        ("ffhq/2", "ffhq"),
    }
    assert len(found.notes) == 2


def test_identities_can_be_those_of_folders_or_files(tmp_path):
    files = ["anna/1.jpg", "anna/2.mp4", "ben/1.jpg", "cleo.jpg"]
    found = scan(tmp_path / "mine", *files, identities="folders")
    assert who_and_source(found) == {("anna", "mine"), ("ben", "mine"), ("cleo", "mine")}
    found = scan(tmp_path / "mine", identities="files")
    assert len({item.identities for item in found.items}) == 4
    assert not found.notes


def test_many_folders_with_files_are_listed_in_short(tmp_path):
    found = scan(tmp_path, *(f"source{number}/a.jpg" for number in range(5)))
    assert "each file in source0, source1, source2 and 2 more folders counts" in found.notes[0]


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["real/a.jpg", "fake/b.jpg"], "fake is named like a folder of fakes.*; give .*real$"),
        (["train/0/a.jpg", "train/1/b.jpg"], "1 is named like a folder of fakes.*; give .*0$"),
        (["Fakes/b.jpg"], "Fakes is named like a folder of fakes.*; move it elsewhere"),
        (["Celeb-real/a.mp4", "YouTube-real/b.mp4", "Celeb-synthesis/c.mp4"], "is a celeb_df data set, which contains"),
    ],
)
def test_a_folder_with_fakes_is_refused(tmp_path, files, text):
    with pytest.raises(DatasetError, match=text):
        scan(tmp_path, *files)


def test_a_folder_without_photos_and_videos_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="contains no photo and no video; give a folder with real faces"):
        scan(tmp_path, "notes.txt")


def test_people_with_numbers_for_names_are_not_taken_for_labels(tmp_path):
    found = scan(tmp_path, *(f"{number}/a.jpg" for number in range(FEWEST_PEOPLE)))
    assert len(found.items) == FEWEST_PEOPLE
