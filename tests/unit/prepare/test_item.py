from pathlib import Path

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.labels import Label
from realface.data.layouts.layout import SourceItem
from realface.faces.finder import Face
from realface.media.images import read_image
from realface.media.video_writing import write_video
from realface.prepare.item import crop_folder, prepare_item

SPEC = CropSpec(finder="fixed", margin=0.0, size=16, frames=4)


class FixedFinder:
    """Finds, in every picture, the faces it was told of; none where the picture is black."""

    name, version = "fixed", "1"

    def __init__(self, *boxes):
        self._faces = [Face(Box(*box), score=0.9, landmarks=np.zeros((5, 2), dtype=np.float32)) for box in boxes]

    def find(self, images):
        return [self._faces if image.max() > 40 else [] for image in images]


def item(source, **known):
    return SourceItem(
        **(
            {
                "source": source,
                "label": Label.FAKE,
                "dataset": "set",
                "video": "a_b",
                "method": "Swap",
                "compression": "c23",
                "split": "test",
                "identities": ("a", "b"),
                "original": "a",
            }
            | known
        )
    )


def video(path, *levels):
    """A small video whose frames are plain greys."""
    write_video(path, [np.full((48, 64, 3), level, dtype=np.uint8) for level in levels], crf=0)
    return path


def prepare(tmp_path, source, finder, **known):
    return prepare_item(item(source, **known), source_root=tmp_path, out=tmp_path / "out", spec=SPEC, finder=finder)


def test_a_video_gives_one_row_per_sampled_frame_with_all_that_is_known(tmp_path):
    source = video(tmp_path / "in" / "a_b.mp4", *[200] * 8)
    record = prepare(tmp_path, source, FixedFinder((8, 8, 40, 40)))
    assert record.reason == ""
    assert [row["frame"] for row in record.rows] == [1, 3, 5, 7]
    row = record.rows[0]
    assert row["path"] == "crops/set/test/Swap/c23/a_b.mp4/000001.png"
    assert (row["label"], row["dataset"], row["split"], row["method"]) == (1, "set", "test", "Swap")
    assert (row["video"], row["original"], row["identities"]) == ("a_b", "a", ["a", "b"])
    assert row["source"] == "in/a_b.mp4"
    assert row["time_s"] == pytest.approx(0.04)
    assert row["box"] == [8, 8, 40, 40]
    assert len(row["sha256"]) == 64


def test_the_box_is_the_face_without_the_margin_around_it(tmp_path):
    source = video(tmp_path / "a_b.mp4", 200)
    finder, spec = FixedFinder((8, 8, 40, 40)), SPEC.model_copy(update={"margin": 0.5})
    record = prepare_item(item(source), source_root=tmp_path, out=tmp_path / "out", spec=spec, finder=finder)
    assert record.rows[0]["box"] == [8, 8, 40, 40]


def test_the_stored_crop_is_the_face(tmp_path):
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[8:24, 20:36] = [250, 100, 50]
    Image.fromarray(picture).save(tmp_path / "a.png")
    record = prepare(tmp_path, tmp_path / "a.png", FixedFinder((20, 8, 36, 24)))
    crop = read_image(tmp_path / "out" / record.rows[0]["path"])
    assert (crop == [250, 100, 50]).all()


def test_a_picture_has_no_time(tmp_path):
    Image.new("RGB", (64, 48), "white").save(tmp_path / "a.png")
    record = prepare(tmp_path, tmp_path / "a.png", FixedFinder((0, 0, 20, 20)))
    assert [(row["frame"], row["time_s"]) for row in record.rows] == [(0, None)]


def test_the_larger_of_two_people_is_kept_in_every_frame(tmp_path):
    source = video(tmp_path / "a.mp4", *[200] * 4)
    record = prepare(tmp_path, source, FixedFinder((0, 0, 10, 10), (30, 10, 50, 30)))
    assert {tuple(row["box"]) for row in record.rows} == {(30, 10, 50, 30)}


def mask_video(path, num_frames):
    """Marks the frame's left half."""
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[:, :32] = 255
    write_video(path, [picture] * num_frames, crf=0)
    return path


def test_a_known_mask_is_cut_like_the_crop_and_stored_under_the_same_name(tmp_path):
    source, mask = video(tmp_path / "a_b.mp4", *[200] * 8), mask_video(tmp_path / "mask.mp4", 8)
    record = prepare(tmp_path, source, FixedFinder((16, 8, 48, 40)), mask=mask)
    assert [row["mask"] for row in record.rows] == [row["path"].replace("crops/", "masks/") for row in record.rows]
    with Image.open(tmp_path / "out" / record.rows[0]["mask"]) as stored:
        assert stored.mode == "L"
        assert (np.asarray(stored) == np.repeat([[255] * 8 + [0] * 8], 16, axis=0)).all()
    assert record.mask_reason == ""


def test_without_a_mask_none_is_written(tmp_path):
    record = prepare(tmp_path, video(tmp_path / "a_b.mp4", 200), FixedFinder((16, 8, 48, 40)))
    assert record.rows[0]["mask"] is None
    assert not (tmp_path / "out" / "masks").exists()


def test_a_mask_that_does_not_fit_leaves_the_crops_without_one_and_says_why(tmp_path):
    source, mask = video(tmp_path / "a_b.mp4", *[200] * 8), mask_video(tmp_path / "mask.mp4", 7)
    record = prepare(tmp_path, source, FixedFinder((16, 8, 48, 40)), mask=mask)
    assert [row["mask"] for row in record.rows] == [None] * 4
    assert (record.reason, record.mask_reason) == ("", "other length")
    assert "mask.mp4 has 7 frames" in record.mask_text
    assert not (tmp_path / "out" / "masks").exists()


def test_a_mask_removed_since_the_scan_leaves_the_crops_without_one(tmp_path):
    source = video(tmp_path / "a_b.mp4", 200)
    record = prepare(tmp_path, source, FixedFinder((16, 8, 48, 40)), mask=tmp_path / "gone.mp4")
    assert (len(record.rows), record.rows[0]["mask"], record.mask_reason) == (1, None, "missing")


def test_frames_without_the_face_are_left_out(tmp_path):
    source = video(tmp_path / "a.mp4", 200, 0, 200, 0)
    record = prepare(tmp_path, source, FixedFinder((0, 0, 20, 20)))
    assert [row["frame"] for row in record.rows] == [0, 2]


def test_a_video_without_a_face_is_lost_with_the_reason(tmp_path):
    source = video(tmp_path / "dark.mp4", 0, 0)
    record = prepare(tmp_path, source, FixedFinder((0, 0, 20, 20)))
    assert (record.reason, record.rows) == ("no face found", [])
    assert record.text == f"{source}: no face found in 2 frames"
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_video_is_lost_with_the_reason(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    record = prepare(tmp_path, tmp_path / "a.mp4", FixedFinder((0, 0, 20, 20)))
    assert record.reason == "empty file"
    assert str(tmp_path / "a.mp4") in record.text


def test_a_link_that_leads_nowhere_is_lost_with_the_reason(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone.mp4")
    record = prepare(tmp_path, tmp_path / "a.mp4", FixedFinder((0, 0, 20, 20)))
    assert record.reason == "missing"
    assert f"{tmp_path / 'a.mp4'} does not exist" in record.text


def test_a_file_that_the_disk_does_not_give_is_lost_with_the_reason(tmp_path, monkeypatch):
    def failing(_path, _count):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("realface.prepare.item.spread_frames", failing)
    record = prepare(tmp_path, tmp_path / "a.mp4", FixedFinder((0, 0, 20, 20)))
    assert record.reason == "unreadable"
    assert record.text == f"cannot read {tmp_path / 'a.mp4'}: Input/output error"


def test_names_that_differ_only_in_kind_or_suffix_get_folders_of_their_own():
    same = [
        item(Path("x/1.mp4")),
        item(Path("x/1.mp4"), method="Other"),
        item(Path("x/1.mp4"), compression="c40"),
        item(Path("x/1.mp4"), label=Label.REAL, method=None),
        item(Path("x/1.mp4"), method=None),
        item(Path("x/1.avi")),
        item(Path("x/1.MP4")),
        item(Path("x/1.mp4"), video="b_a"),
    ]
    assert len({crop_folder(one) for one in same}) == len(same)


def test_a_videos_name_cannot_leave_the_output_folder():
    folder = crop_folder(item(Path("x.mp4"), video="../../etc", dataset="..", method="a/b"))
    assert ".." not in folder.parts
    assert not folder.is_absolute()


def test_names_too_long_for_a_file_system_are_shortened_and_stay_different():
    first, second = (crop_folder(item(Path("x.mp4"), video="é" * 200 + end)) for end in "ab")
    assert first != second
    assert max(len(part.encode()) for part in first.parts) < 150


def test_letters_of_any_alphabet_and_spaces_are_kept():
    assert "тест 1.mp4" in crop_folder(item(Path("тест 1.mp4"), video="тест 1")).parts


def test_the_default_finder_crops_a_portrait(tmp_path):
    from realface.faces.finders import default_crop_spec, finder_for

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        (tmp_path / "grace hopper.jpg").write_bytes(file.read())
    spec = default_crop_spec(size=64)
    record = prepare_item(
        item(tmp_path / "grace hopper.jpg", video="grace hopper"),
        source_root=tmp_path,
        out=tmp_path / "out",
        spec=spec,
        finder=finder_for(spec),
    )
    (row,) = record.rows
    assert read_image(tmp_path / "out" / row["path"]).shape == (64, 64, 3)
    assert len(row["landmarks"]) == 10
