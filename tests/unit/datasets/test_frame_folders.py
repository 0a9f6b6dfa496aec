from pathlib import Path

import pytest

from realface.core.labels import Label
from realface.datasets.frame_folders import LabelledPlace, find_frame_folders

LABELS = {"real": Label.REAL, "fake": Label.FAKE}


def find(*names):
    paths = [Path(name) for name in names]
    return find_frame_folders(
        {path: LabelledPlace(LABELS[path.parts[0]], None, path.parts[1:-1]) for path in paths if len(path.parts) > 1}
    )


def videos(*names):
    return {folder.as_posix() for folder in find(*names).videos}


def frames_of(*folders, form="{number:04d}.png", numbers=(1, 2, 3)):
    return [f"{folder}/{form.format(number=number)}" for folder in folders for number in numbers]


@pytest.mark.parametrize("form", ["{number}.png", "{number:06d}.jpg", "frame_{number}.png", "f{number}.png"])
def test_a_number_or_a_frame_number_is_a_name_of_frames(form):
    assert videos(*frames_of("fake/swap/v", form=form)) == {"fake/swap/v"}
    assert find(*frames_of("fake/swap/v", form=form)).frame_of(Path(f"fake/swap/v/{form.format(number=3)}")) == 3


def test_frames_may_be_named_after_their_folder():
    assert videos(*frames_of("fake/swap/071_054", form="071_054_{number:03d}.png")) == {"fake/swap/071_054"}


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "b.png"],  # no numbers
        ["IMG_1.jpg", "IMG_2.jpg"],  # photographs
        ["seed1.png", "seed2.png"],  # generated faces
        ["1.png", "2.jpg"],  # two formats
        ["1.png", "frame_2.png"],  # two forms
        ["1.png", "01.png"],  # one number twice
        ["1.png", "2.png", "3.mp4"],  # a video among them
        ["1.png"],  # a single image
        ["12345678901.png", "12345678902.png"],  # no frame numbers
    ],
)
def test_other_files_are_no_frames(names):
    found = find(*(f"fake/swap/v/{name}" for name in names))
    assert (found.videos, found.separate) == ({}, {})


def test_images_in_the_label_folder_itself_are_separate_and_need_no_note():
    assert find(*frames_of("real", "fake")).notes() == []


def test_a_collection_that_is_alone_in_real_is_separate():
    found = find(*frames_of("real/ffhq"))
    assert found.separate == {Path("real/ffhq"): 3}
    assert found.notes()


def test_a_folder_that_is_alone_in_real_is_a_video_if_its_name_is_a_number():
    assert videos(*frames_of("real/071")) == {"real/071"}


def test_numbers_that_go_on_from_folder_to_folder_are_no_frames():
    names = [*frames_of("real/00000", numbers=range(3)), *frames_of("real/01000", numbers=range(1000, 1003))]
    assert videos(*names) == set()


def test_a_folder_has_company_in_another_split():
    places = {
        Path(f"{split}/real/{video}/{number}.png"): LabelledPlace(Label.REAL, split, (video,))
        for split, video in (("train", "a"), ("test", "b"))
        for number in (1, 2)
    }
    assert {folder.as_posix() for folder in find_frame_folders(places).videos} == {"train/real/a", "test/real/b"}
