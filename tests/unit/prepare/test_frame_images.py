import matplotlib.cbook
import pytest
from PIL import Image

from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.manifest import Manifest
from realface.prepare.frame_images import spread_frame_images, with_frame_number
from realface.prepare.pipeline import ExecutionSettings, prepare_dataset
from realface.prepare.record import ItemRecord

SPEC = default_crop_spec(size=32, frames=2)
HERE = ExecutionSettings(workers=0, quiet=True)


@pytest.fixture
def portrait():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return Image.open(file).convert("RGB").resize((200, 240))


def test_a_video_of_images_keeps_as_many_as_a_video_file_evenly_spread(tmp_path, make_item):
    frames = [make_item(tmp_path / f"v/{number}.png", video="v", frame=number) for number in range(8)]
    others = [make_item(tmp_path / f"{name}.mp4", video=name) for name in "ab"]
    kept = spread_frame_images([others[0], *frames, others[1]], count=2)
    assert [(item.video, item.frame) for item in kept] == [("a", None), ("v", 2), ("v", 6), ("b", None)]
    assert spread_frame_images(frames, count=32) == frames


def test_videos_of_one_name_and_several_methods_are_spread_apart(tmp_path, make_item):
    frames = [
        make_item(tmp_path / f"{method}/v/{number}.png", video="v", method=method, frame=number)
        for method in ("A", "B")
        for number in range(3)
    ]
    assert [(item.method, item.frame) for item in spread_frame_images(frames, count=1)] == [("A", 1), ("B", 1)]


def test_a_row_of_a_frame_image_has_the_frames_number_and_no_time(tmp_path, make_item):
    record = ItemRecord("v/7.png", rows=[{"path": "a.png", "frame": 0, "time_s": 0.0}])
    assert with_frame_number(record, make_item(tmp_path / "7.png", frame=7)).rows == [
        {"path": "a.png", "frame": 7, "time_s": None}
    ]
    assert with_frame_number(record, make_item(tmp_path / "7.png")) == record


def test_folders_of_numbered_frames_become_one_video_each(tmp_path, portrait, capsys):
    for video in ("real/a", "real/b"):
        (tmp_path / "in" / video).mkdir(parents=True)
        for number in (1, 2, 3, 4):
            portrait.save(tmp_path / "in" / video / f"{number:04d}.png")
    result = prepare_dataset(tmp_path / "in", tmp_path / "out", spec=SPEC, execution=ExecutionSettings(workers=0))
    manifest = Manifest.read(result.manifest)
    assert list(zip(manifest.column("video"), manifest.column("frame"), strict=True)) == [
        ("real/a", 2),
        ("real/a", 4),
        ("real/b", 2),
        ("real/b", 4),
    ]
    assert all(manifest.file_of(row).is_file() for row in range(len(manifest)))
    assert result.left_out == {}
    (note,) = result.notes
    assert note in manifest.header.note
    assert f"realface prepare: note: {note}\n" in capsys.readouterr().err


def test_files_of_one_stem_become_two_videos(tmp_path, portrait):
    (tmp_path / "in" / "real").mkdir(parents=True)
    for name in ("x.png", "x.bmp", "y.png"):
        portrait.save(tmp_path / "in" / "real" / name)
    manifest = Manifest.read(prepare_dataset(tmp_path / "in", tmp_path / "out", spec=SPEC, execution=HERE).manifest)
    assert sorted(manifest.column("video")) == ["real/x.bmp", "real/x.png", "real/y"]


def test_unused_files_are_counted_in_the_summary_and_the_note(tmp_path, portrait, capsys):
    (tmp_path / "in" / "real").mkdir(parents=True)
    portrait.save(tmp_path / "in" / "real" / "x.png")
    portrait.save(tmp_path / "in" / "y.png")
    (tmp_path / "in" / "z.mp4").touch()
    (tmp_path / "in" / "readme.txt").touch()
    result = prepare_dataset(
        tmp_path / "in", tmp_path / "in" / "out", spec=SPEC, execution=ExecutionSettings(workers=0)
    )
    assert result.left_out == {"images": 1, "videos": 1, "other files (.txt)": 1}
    assert "realface prepare: unused files: 1 images, 1 videos, 1 other files (.txt)\n" in capsys.readouterr().err
    note = Manifest.read(result.manifest).header.note
    assert note == "unused files in the source folder: 1 images and 1 videos"
    again = prepare_dataset(tmp_path / "in", tmp_path / "in" / "out", spec=SPEC, execution=HERE)
    assert again.left_out == result.left_out
