from dataclasses import replace

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from realface.media.decoding import VideoDecoder
from realface.media.images import read_image
from realface.media.video_writing import write_video
from realface.prepare.item import prepare_item
from realface.prepare.record import PrepareJob, SkippedFile


@pytest.fixture
def prepare(output, make_item):
    """Prepares one file with a face detector; changes of the spec, and known facts of the item."""

    def run(source, face_detector, *, spec=None, **known):
        at = replace(output, spec=output.spec.model_copy(update=spec or {}))
        return prepare_item(PrepareJob(0, make_item(source, **known)), at, face_detector)

    return run


def test_a_video_gives_one_row_per_sampled_frame_with_all_that_is_known(
    prepare, tmp_path, grey_video, fixed_face_detector
):
    source = grey_video(tmp_path / "in" / "a_b.mp4", *[200] * 8)
    record = prepare(source, fixed_face_detector((8, 8, 40, 40)))
    assert record.skipped == []
    assert [row["frame"] for row in record.rows] == [1, 3, 5, 7]
    row = record.rows[0]
    assert row["path"] == "crops/set/test/Swap/c23/a_b.mp4/000001.png"
    assert (row["label"], row["dataset"], row["split"], row["method"]) == (1, "set", "test", "Swap")
    assert (row["video"], row["original"], row["identities"]) == ("a_b", "a", ["a", "b"])
    assert row["source"] == "in/a_b.mp4"
    assert row["time_s"] == pytest.approx(0.04)
    assert row["box"] == [8, 8, 40, 40]
    assert row["landmarks"] == [12, 20, 30, 20, 21, 28, 14, 36, 28, 36]
    assert len(row["sha256"]) == 64


def test_the_box_is_the_face_without_the_margin_around_it(prepare, tmp_path, grey_video, fixed_face_detector):
    record = prepare(grey_video(tmp_path / "a_b.mp4", 200), fixed_face_detector((8, 8, 40, 40)), spec={"margin": 0.5})
    assert record.rows[0]["box"] == [8, 8, 40, 40]


def test_the_stored_crop_is_the_face(prepare, tmp_path, fixed_face_detector):
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[8:24, 20:36] = [250, 100, 50]
    Image.fromarray(picture).save(tmp_path / "a.png")
    record = prepare(tmp_path / "a.png", fixed_face_detector((20, 8, 36, 24)))
    assert (read_image(tmp_path / "out" / record.rows[0]["path"]) == [250, 100, 50]).all()


def test_crops_are_stored_as_jpeg_where_the_spec_says_so(prepare, tmp_path, grey_video, fixed_face_detector):
    record = prepare(
        grey_video(tmp_path / "a.mp4", 200), fixed_face_detector((8, 8, 40, 40)), spec={"jpeg_quality": 90}
    )
    path = tmp_path / "out" / record.rows[0]["path"]
    with Image.open(path) as stored:
        assert (path.suffix, stored.format) == (".jpg", "JPEG")


def test_a_picture_has_no_time(prepare, tmp_path, fixed_face_detector):
    Image.new("RGB", (64, 48), "white").save(tmp_path / "a.png")
    record = prepare(tmp_path / "a.png", fixed_face_detector((0, 0, 20, 20)))
    assert [(row["frame"], row["time_s"]) for row in record.rows] == [(0, None)]


def test_only_the_parts_that_the_label_belongs_to_are_looked_at(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", *[200] * 12)
    record = prepare(source, fixed_face_detector((8, 8, 40, 40)), spans=((3, 4), (9, 9)))
    assert [row["frame"] for row in record.rows] == [3, 4, 9]


def test_the_larger_of_two_people_is_kept_in_every_frame(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", *[200] * 4)
    record = prepare(source, fixed_face_detector((0, 0, 10, 10), (30, 10, 50, 30)))
    assert {tuple(row["box"]) for row in record.rows} == {(30, 10, 50, 30)}


def test_everybody_is_kept_under_a_name_and_number_of_their_own(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", 200, 200)
    record = prepare(source, fixed_face_detector((0, 0, 10, 10), (30, 10, 50, 30)), spec={"face": "all"})
    assert [(row["frame"], row["track"]) for row in record.rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert record.rows[1]["path"].endswith("/000000-1.png")
    assert len({row["path"] for row in record.rows}) == 4


@pytest.fixture
def mask_video(tmp_path):
    """Writes a mask that marks the frame's left half."""

    def write(num_frames):
        picture = np.zeros((48, 64, 3), dtype=np.uint8)
        picture[:, :32] = 255
        write_video(tmp_path / "mask.mp4", [picture] * num_frames, crf=0)
        return tmp_path / "mask.mp4"

    return write


def test_a_known_mask_is_cut_like_the_crop_and_stored_under_the_same_name(
    prepare, tmp_path, grey_video, fixed_face_detector, mask_video
):
    source = grey_video(tmp_path / "a_b.mp4", *[200] * 8)
    record = prepare(source, fixed_face_detector((16, 8, 48, 40)), mask=mask_video(8))
    assert [row["mask"] for row in record.rows] == [row["path"].replace("crops/", "masks/") for row in record.rows]
    with Image.open(tmp_path / "out" / record.rows[0]["mask"]) as stored:
        assert stored.mode == "L"
        assert (np.asarray(stored) == np.repeat([[255] * 8 + [0] * 8], 16, axis=0)).all()
    assert record.skipped == []


def test_the_one_whom_the_mask_marks_is_kept_though_smaller(
    prepare, tmp_path, grey_video, fixed_face_detector, mask_video
):
    source = grey_video(tmp_path / "a_b.mp4", *[200] * 2)
    face_detector = fixed_face_detector((33, 0, 63, 30), (4, 10, 16, 22))
    record = prepare(source, face_detector, spec={"face": "mask"}, mask=mask_video(2))
    assert {tuple(row["box"]) for row in record.rows} == {(4, 10, 16, 22)}
    largest = prepare(source, face_detector, mask=mask_video(2))
    assert {tuple(row["box"]) for row in largest.rows} == {(33, 0, 63, 30)}


def test_crops_of_somebody_whom_the_mask_does_not_mark_are_counted(
    prepare, tmp_path, grey_video, fixed_face_detector, mask_video
):
    source, mask = grey_video(tmp_path / "a_b.mp4", *[200] * 2), mask_video(2)
    face_detector = fixed_face_detector((33, 0, 63, 30), (4, 10, 16, 22))
    assert prepare(source, face_detector, spec={"face": "largest"}, mask=mask).num_unmarked == 2
    assert prepare(source, face_detector, spec={"face": "mask"}, mask=mask).num_unmarked == 0


def test_who_is_outside_the_mask_is_not_kept_among_all(prepare, tmp_path, grey_video, fixed_face_detector, mask_video):
    source = grey_video(tmp_path / "a_b.mp4", *[200] * 2)
    face_detector = fixed_face_detector((33, 0, 63, 30), (4, 10, 16, 22))
    record = prepare(source, face_detector, spec={"face": "all"}, mask=mask_video(2))
    assert {tuple(row["box"]) for row in record.rows} == {(4, 10, 16, 22)}


def test_a_fake_whose_mask_marks_no_face_that_was_found_is_lost(
    prepare, tmp_path, grey_video, fixed_face_detector, mask_video
):
    source = grey_video(tmp_path / "a_b.mp4", *[200] * 2)
    record = prepare(source, fixed_face_detector((33, 0, 63, 30)), spec={"face": "mask"}, mask=mask_video(2))
    text = f"{source}: the mask marks none of the faces found in 2 frames"
    assert (record.rows, record.skipped) == ([], [SkippedFile("face outside the mask", text)])


def test_without_a_mask_none_is_written(prepare, tmp_path, grey_video, fixed_face_detector):
    record = prepare(grey_video(tmp_path / "a_b.mp4", 200), fixed_face_detector((16, 8, 48, 40)), spec={"face": "mask"})
    assert record.rows[0].get("mask") is None
    assert not (tmp_path / "out" / "masks").exists()


def test_a_mask_that_does_not_fit_leaves_the_crops_without_one_and_says_why(
    prepare, tmp_path, grey_video, fixed_face_detector, mask_video
):
    source = grey_video(tmp_path / "a_b.mp4", *[200] * 8)
    record = prepare(source, fixed_face_detector((16, 8, 48, 40)), mask=mask_video(7))
    assert [row.get("mask") for row in record.rows] == [None] * 4
    (each,) = record.skipped
    assert each.reason == "mask: other length"
    assert "mask.mp4 has 7 frames" in each.text
    assert not (tmp_path / "out" / "masks").exists()


def test_a_mask_that_is_not_there_leaves_the_crops_without_one(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a_b.mp4", 200)
    record = prepare(source, fixed_face_detector((16, 8, 48, 40)), mask=tmp_path / "gone.mp4")
    assert (len(record.rows), record.rows[0].get("mask"), record.reasons) == (1, None, {"mask: missing"})


def test_frames_without_the_face_are_left_out_and_counted(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", 200, 0, 200, 0)
    record = prepare(source, fixed_face_detector((0, 0, 20, 20)))
    assert [row["frame"] for row in record.rows] == [0, 2]
    text = f"{source}: the face was not found in 2 of 4 frames"
    assert record.skipped == [SkippedFile("frame: no face found", text, 2)]


def test_frames_that_cannot_be_decoded_are_counted(prepare, tmp_path, grey_video, fixed_face_detector, monkeypatch):
    source = grey_video(tmp_path / "a.mp4", *[200] * 8)
    whole = VideoDecoder.frames

    def damaged(decoder):
        decoder.num_failed = 1
        return (frame for index, frame in enumerate(whole(decoder)) if index != 5)

    monkeypatch.setattr(VideoDecoder, "frames", damaged)
    record = prepare(source, fixed_face_detector((0, 0, 20, 20)))
    assert [row["frame"] for row in record.rows] == [1, 3, 7]
    assert record.skipped == [SkippedFile("frame: damaged", f"{source}: 1 of 4 frames cannot be decoded", 1)]


def test_damaged_frames_are_named_if_no_face_is_found(prepare, tmp_path, grey_video, fixed_face_detector, monkeypatch):
    source = grey_video(tmp_path / "dark.mp4", 0, 0, 0)
    whole = VideoDecoder.frames

    def damaged(decoder):
        decoder.num_failed = 1
        return (frame for index, frame in enumerate(whole(decoder)) if index != 1)

    monkeypatch.setattr(VideoDecoder, "frames", damaged)
    record = prepare(source, fixed_face_detector((0, 0, 20, 20)))
    text = f"{source}: no face found in 2 frames (1 of 3 frames cannot be decoded)"
    assert record.skipped == [SkippedFile("no face found", text)]


def test_faces_below_the_smallest_size_are_left_out_and_counted(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", 200, 200)
    face_detector = fixed_face_detector((0, 0, 30, 10), (40, 0, 59, 19))
    record = prepare(source, face_detector, spec={"min_face": 20})
    assert {tuple(row["box"]) for row in record.rows} == {(0, 0, 30, 10)}
    text = f"{source}: 2 faces in 2 frames below the smallest size"
    assert record.skipped == [SkippedFile("frame: face too small", text, 2)]


def test_a_video_of_too_small_faces_alone_is_lost(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "a.mp4", 200)
    record = prepare(source, fixed_face_detector((40, 0, 59, 19)), spec={"min_face": 20})
    text = f"{source}: 1 faces in 1 frame, all below the smallest size"
    assert (record.rows, record.skipped) == ([], [SkippedFile("face too small", text)])


def test_a_video_without_a_face_is_lost_with_the_reason(prepare, tmp_path, grey_video, fixed_face_detector):
    source = grey_video(tmp_path / "dark.mp4", 0, 0)
    record = prepare(source, fixed_face_detector((0, 0, 20, 20)))
    assert (record.rows, record.skipped) == ([], [SkippedFile("no face found", f"{source}: no face found in 2 frames")])
    assert not (tmp_path / "out").exists()


def test_a_face_that_cannot_be_aligned_loses_the_file_and_not_the_run(
    prepare, tmp_path, grey_video, fixed_face_detector
):
    face_detector = fixed_face_detector((8, 8, 40, 40))
    face_detector._faces = [
        replace(face, landmarks=np.full((5, 2), np.nan, dtype=np.float32)) for face in face_detector._faces
    ]
    record = prepare(grey_video(tmp_path / "a.mp4", 200), face_detector, spec={"alignment": "five-point"})
    assert (record.rows, record.reasons) == ([], {"cannot be aligned"})
    upright = prepare(tmp_path / "a.mp4", face_detector)
    assert upright.rows[0]["landmarks"] is None


def test_a_file_that_is_no_video_is_lost_with_the_reason(prepare, tmp_path, fixed_face_detector):
    (tmp_path / "a.mp4").write_bytes(b"")
    (each,) = prepare(tmp_path / "a.mp4", fixed_face_detector((0, 0, 20, 20))).skipped
    assert each.reason == "empty file"
    assert str(tmp_path / "a.mp4") in each.text


def test_a_link_that_leads_nowhere_is_lost_with_the_reason(prepare, tmp_path, fixed_face_detector):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone.mp4")
    (each,) = prepare(tmp_path / "a.mp4", fixed_face_detector((0, 0, 20, 20))).skipped
    assert each.reason == "missing"
    assert f"{tmp_path / 'a.mp4'} does not exist" in each.text


def test_a_file_that_the_disk_does_not_give_is_lost_with_the_reason(
    prepare, tmp_path, fixed_face_detector, monkeypatch
):
    def failing(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("realface.prepare.item.open_media", failing)
    (each,) = prepare(tmp_path / "a.mp4", fixed_face_detector((0, 0, 20, 20))).skipped
    assert each == SkippedFile("unreadable", f"cannot read {tmp_path / 'a.mp4'}: Input/output error")


def test_the_default_face_detector_crops_a_portrait(prepare, tmp_path):
    from realface.faces.detectors.registry import default_crop_spec, face_detector_for

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        (tmp_path / "grace hopper.jpg").write_bytes(file.read())
    spec = default_crop_spec(size=64)
    record = prepare(
        tmp_path / "grace hopper.jpg", face_detector_for(spec), spec=spec.model_dump(), video="grace hopper"
    )
    (row,) = record.rows
    assert read_image(tmp_path / "out" / row["path"]).shape == (64, 64, 3)
    assert len(row["landmarks"]) == 10
