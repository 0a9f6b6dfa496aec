import json
import subprocess
import sys
from itertools import chain

import pytest

from realface.core.errors import OutputExistsError
from realface.core.files import sha256_of
from realface.core.labels import Label
from realface.datasets.faceforensics import FaceForensicsReader
from realface.demo.sample_study.forgery import FORGERS
from realface.demo.sample_study.study import StudySize, write_sample_study
from realface.media.videos import VideoReader

SMALLEST = StudySize(train_pairs=1, val_pairs=1, test_pairs=1, num_frames=3)


def write(folder, **settings):
    return write_sample_study(folder, size=SMALLEST, quiet=True, **settings)


def hashes(root):
    return {str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write(tmp_path_factory.mktemp("study") / "videos", workers=2)


def test_the_dataset_reader_finds_every_video_with_its_split_people_and_mask(study):
    inventory = FaceForensicsReader().scan(study)
    fakes = [item for item in inventory.items if item.label == Label.FAKE]
    assert len(inventory.items) == 6 + 18
    assert len(fakes) == 18
    assert inventory.missing == []
    assert {item.method for item in fakes} == set(FORGERS)
    assert all(item.mask is not None and item.mask.is_file() for item in fakes)
    assert {item.split for item in inventory.items} == {"train", "val", "test"}


def test_a_video_and_its_mask_have_the_asked_frames(study):
    videos = list(chain(study.rglob("c23/videos/*.mp4"), study.rglob("masks/videos/*.mp4")))
    infos = [VideoReader.open(path).info() for path in videos]
    assert {(info.num_frames, info.height, info.width) for info in infos} == {(3, 256, 256)}


def test_nobody_is_in_two_splits(study):
    people = [
        name
        for split in ("train", "val", "test")
        for pair in json.loads((study / "splits" / f"{split}.json").read_text())
        for name in pair
    ]
    assert people == ["000", "001", "002", "003", "004", "005"]


def test_the_bytes_do_not_depend_on_the_number_of_workers(study, tmp_path):
    assert hashes(write(tmp_path / "again", workers=1)) == hashes(study)


def test_another_seed_gives_other_videos(study, tmp_path):
    size = StudySize(train_pairs=1, val_pairs=0, test_pairs=0, num_frames=3)
    other = hashes(write_sample_study(tmp_path / "other", size=size, seed=1, workers=1, quiet=True))
    first = hashes(study)
    videos = [name for name in other if name.endswith(".mp4")]
    assert len(videos) == 2 + 12  # with the masks
    assert all(other[name] != first[name] for name in videos)


def test_the_processes_that_draw_import_no_torch():
    program = "import sys, realface.demo.sample_study.study; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(OutputExistsError, match="is not empty; give another folder"):
        write(tmp_path)


def test_pairs_are_numbered_through_the_splits():
    size = StudySize(train_pairs=2, val_pairs=0, test_pairs=1, num_frames=1)
    assert size.pairs() == {"train": [(0, 1), (2, 3)], "val": [], "test": [(4, 5)]}
