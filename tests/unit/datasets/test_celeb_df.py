import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.celeb_df import CelebDfReader

UNNAMED = "videos whose name does not say who is in them"


@pytest.fixture
def study(build_tree, tmp_path):
    return build_tree("celeb_df", tmp_path / "Celeb-DF-v2")


def scan(root):
    return CelebDfReader().scan(root)


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_list(root, *lines):
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines) + "\n")


def item_named(found, video, method=None):
    (item,) = (item for item in found.items if (item.video, item.method) == (video, method))
    return item


def test_the_list_names_reals_with_1_and_the_rest_is_training(study):
    found = scan(study)
    assert {item.source.relative_to(study).as_posix(): (item.label, item.split) for item in found.items} == {
        "Celeb-real/id0_0000.mp4": (Label.REAL, "test"),
        "Celeb-real/id1_0000.mp4": (Label.REAL, "train"),
        "Celeb-synthesis/id0_id1_0000.mp4": (Label.FAKE, "test"),
        "Celeb-synthesis/id1_id0_0000.mp4": (Label.FAKE, "train"),
        "YouTube-real/00170.mp4": (Label.REAL, "test"),
        "YouTube-real/00171.mp4": (Label.REAL, "train"),
    }


def test_a_list_with_the_labels_the_wrong_way_round_is_refused(study):
    write_list(study, "0 YouTube-real/00170.mp4", "1 Celeb-synthesis/id0_id1_0000.mp4")
    with pytest.raises(DatasetError, match=r"txt:1: says 0 of a video in YouTube-real, but in this list 1 is real"):
        scan(study)


def test_a_fake_shows_target_and_source_and_has_the_targets_video_as_original(study):
    found = scan(study)
    fake = item_named(found, "id0_id1_0000", "Celeb-synthesis")
    assert (fake.identities, fake.original) == (("id0", "id1"), "id0_0000")
    assert item_named(found, fake.original).label == Label.REAL
    assert item_named(found, "id0_0000").identities == ("id0",)
    assert item_named(found, "00170").identities == ()
    assert {item.dataset for item in found.items} == {"celeb_df"}


def test_videos_come_in_natural_order(study):
    add(study, "Celeb-real/id10_0000.mp4", "Celeb-real/id2_0000.mp4")
    assert [item.video for item in scan(study).items][:4] == ["id0_0000", "id1_0000", "id2_0000", "id10_0000"]


def test_youtube_reals_are_found_in_either_spelling(study):
    (study / "YouTube-real").rename(study / "Youtube-real")
    found = scan(study)
    assert found.missing == []
    assert item_named(found, "00170").split == "test"


def test_videos_may_lie_in_a_folder_called_videos(study):
    (study / "Celeb-real" / "videos").mkdir()
    (study / "Celeb-real" / "id0_0000.mp4").rename(study / "Celeb-real" / "videos" / "id0_0000.mp4")
    assert item_named(scan(study), "id0_0000").split == "test"


def test_without_the_list_nothing_has_a_split(study):
    (study / "List_of_testing_videos.txt").unlink()
    found = scan(study)
    assert {item.split for item in found.items} == {None}
    assert found.missing == [
        "List_of_testing_videos.txt, which says what is test and what train; nothing has a split without it"
    ]


def test_reals_alone_are_enough_and_what_lacks_is_named(tmp_path):
    add(tmp_path, "Celeb-real/id0_0000.mp4")
    assert CelebDfReader().list_missing(tmp_path) == []
    assert scan(tmp_path).missing[:2] == ["YouTube-real: no videos", "Celeb-synthesis: no videos"]


def test_the_list_may_have_back_slashes_tabs_and_empty_lines(study):
    write_list(study, r"1 YouTube-real\00170.mp4", "", "0\t" r".\Celeb-synthesis\id1_id0_0000.mp4")
    found = scan(study)
    assert found.missing == []
    assert {item.video for item in found.items if item.split == "test"} == {"00170", "id1_id0_0000"}


@pytest.fixture
def plus(study):
    """Celeb-DF++: the fakes of v2 and those of further methods, which have the same names."""
    fakes = study / "Celeb-synthesis"
    names = [path.name for path in fakes.iterdir()]
    (fakes / "FaceSwap" / "Celeb-DF-v2").mkdir(parents=True)
    for name in names:
        (fakes / name).rename(fakes / "FaceSwap" / "Celeb-DF-v2" / name)
        add(fakes, *(f"{kind}/{name}" for kind in ("FaceSwap/SimSwap", "FaceReenact/DaGAN", "TalkingFace/EDTalk")))
    return study


def test_one_name_in_several_methods_is_several_videos(plus):
    write_list(plus, "1 YouTube-real/00170.mp4", "0 Celeb-synthesis/FaceReenact/DaGAN/id0_id1_0000.mp4")
    found = scan(plus)
    assert found.missing == []
    assert {item.method: item.split for item in found.items if item.video == "id0_id1_0000"} == {
        "Celeb-DF-v2": "train",
        "SimSwap": "train",
        "DaGAN": "test",
        "EDTalk": "train",
    }
    assert found.counts["fake videos, Celeb-synthesis/TalkingFace/EDTalk"] == 2


def test_the_list_of_v2_finds_its_fakes_in_the_folder_they_have_in_plus(plus):
    found = scan(plus)
    assert found.missing == []
    assert [item.method for item in found.items if item.label == Label.FAKE and item.split == "test"] == ["Celeb-DF-v2"]


def test_only_swaps_have_an_original(plus):
    fakes = [item for item in scan(plus).items if item.video == "id0_id1_0000"]
    assert {item.method: item.original for item in fakes} == {
        "Celeb-DF-v2": "id0_0000",
        "SimSwap": "id0_0000",
        "DaGAN": None,
        "EDTalk": None,
    }
    assert {item.identities for item in fakes} == {("id0", "id1")}


def test_videos_in_other_folders_are_left_out_and_named(plus):
    add(plus, "Celeb-synthesis/Unheard/Of/id0_id1_0000.mp4", "Celeb-real/old/id7_0000.mp4")
    found = scan(plus)
    assert found.counts["videos left out: in no known folder"] == 2
    assert [line.split(";")[0] for line in found.missing] == [
        "Celeb-real/old: 1 videos left out",
        "Celeb-synthesis/Unheard/Of: 1 videos left out",
    ]


@pytest.mark.parametrize("line", ["2 YouTube-real/00170.mp4", "1 Elsewhere/00170.mp4", "YouTube-real/00170.mp4", "1"])
def test_a_line_of_another_form_is_refused(study, line):
    write_list(study, "1 YouTube-real/00171.mp4", line)
    with pytest.raises(DatasetError, match=r"videos\.txt:2: expected a line such as `1 YouTube-real/00170\.mp4`, got"):
        scan(study)


def test_an_empty_list_is_refused(study):
    write_list(study, "")
    with pytest.raises(DatasetError, match="names no video; restore the list that came with the data set"):
        scan(study)
