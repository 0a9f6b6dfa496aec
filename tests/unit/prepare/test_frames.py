"""Whose boxes a fake is cut by."""

from dataclasses import replace

import av
import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.labels import Label
from realface.faces.detectors.face_detector import Face
from realface.media.images import read_image
from realface.media.opening import open_media
from realface.prepare.item import prepare_item
from realface.prepare.record import ItemRecord, Original, PrepareJob, TrackedFace

REAL_BOX, OTHER_BOX = Box(8, 8, 40, 40), Box(20, 10, 50, 40)


@pytest.fixture
def prepare_pair(output, make_item, fixed_face_detector):
    """Prepares a real video, whose faces are at `REAL_BOX`, then its fake with one that says `OTHER_BOX`."""

    def run(real_path, fake_path, *, real_boxes=(REAL_BOX,), spec=None, **known):
        at = replace(output, spec=output.spec.model_copy(update=spec or {}))
        real_item = make_item(real_path, label=Label.REAL, video="a", method=None, original=None)
        real = prepare_item(PrepareJob(0, real_item, is_original=True), at, fixed_face_detector(*real_boxes))
        real = ItemRecord.from_json(real.to_json())
        face_detector = fixed_face_detector(OTHER_BOX)
        original = real.as_original(real_path)
        job = PrepareJob(1, make_item(fake_path, **known), original, "" if original else "no face in the original")
        return real, prepare_item(job, at, face_detector), face_detector

    return run


def test_a_fake_takes_the_boxes_of_its_real_original_and_searches_nothing(prepare_pair, tmp_path, grey_video):
    real, fake, face_detector = prepare_pair(
        grey_video(tmp_path / "a.mp4", *[200] * 8), grey_video(tmp_path / "a_b.mp4", *[90] * 8)
    )
    assert fake.boxes == "original"
    assert face_detector.num_pictures == 0
    for column in ("frame", "track", "box", "landmarks"):
        assert [row[column] for row in fake.rows] == [row[column] for row in real.rows]


def test_its_crops_show_the_fake_and_not_the_original(prepare_pair, output, tmp_path, grey_video):
    _, fake, _ = prepare_pair(grey_video(tmp_path / "a.mp4", 200, 200), grey_video(tmp_path / "a_b.mp4", 90, 90))
    assert abs(int(read_image(output.out / fake.rows[0]["path"]).mean()) - 90) <= 2


@pytest.mark.parametrize("num_fake", [5, 11])
def test_a_fake_of_another_length_is_cut_where_its_own_frames_are_in_the_original(
    prepare_pair, tmp_path, grey_video, num_fake
):
    real, fake, face_detector = prepare_pair(
        grey_video(tmp_path / "a.mp4", *[200] * 8), grey_video(tmp_path / "a_b.mp4", *[90] * num_fake)
    )
    assert [row["frame"] for row in real.rows] == [1, 3, 5, 7]
    # of the frames that both have, 5 or 8, those in the middle of each quarter
    assert [row["frame"] for row in fake.rows] == ([0, 1, 3, 4] if num_fake == 5 else [1, 3, 5, 7])
    assert fake.boxes == "original"
    expected = OTHER_BOX if num_fake == 5 else REAL_BOX  # frames that were not used are searched in the real one
    assert {tuple(row["box"]) for row in fake.rows} == {expected}
    assert face_detector.num_pictures == (4 if num_fake == 5 else 0)


@pytest.mark.parametrize(
    ("change", "why"), [({"height": 64}, "own: other size"), ({"fps": 30}, "own: other frame rate")]
)
def test_a_fake_that_cannot_show_the_same_scene_is_searched_itself(prepare_pair, tmp_path, grey_video, change, why):
    _, fake, face_detector = prepare_pair(
        grey_video(tmp_path / "a.mp4", *[200] * 4), grey_video(tmp_path / "a_b.mp4", *[90] * 4, **change)
    )
    assert (fake.boxes, face_detector.num_pictures) == (why, 4)
    assert {tuple(row["box"]) for row in fake.rows} == {OTHER_BOX}


def stream_of(path, level, heights):
    """An MPEG-TS of four plain grey frames of each height."""
    parts = []
    for height in heights:
        with av.open(str(path), "w", format="mpegts") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = height, 64, "yuv420p"
            for _ in range(4):
                grey = np.full((height, 64, 3), level, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(("of_real", "of_fake"), [((48, 64), (48, 48)), ((48, 48), (48, 64)), ((48, 64), (48, 64))])
def test_a_fake_is_searched_itself_if_the_size_of_one_of_the_two_changes(prepare_pair, tmp_path, of_real, of_fake):
    real, fake, _ = prepare_pair(
        stream_of(tmp_path / "a.ts", 200, of_real), stream_of(tmp_path / "a_b.ts", 90, of_fake)
    )
    assert (len(real.rows), len(fake.rows), fake.boxes) == (4, 4, "own: other size")
    assert {tuple(row["box"]) for row in fake.rows} == {OTHER_BOX}


def test_a_mask_of_one_size_does_not_fit_a_fake_whose_size_changes(prepare_pair, tmp_path):
    same, changing = (48, 48), (48, 64)
    _, fake, _ = prepare_pair(
        stream_of(tmp_path / "a.ts", 200, same),
        stream_of(tmp_path / "a_b.ts", 90, changing),
        mask=stream_of(tmp_path / "mask.ts", 255, same),
    )
    assert [each.reason for each in fake.skipped] == ["mask: other size"]


def test_a_fake_whose_forged_part_lies_behind_the_end_of_the_real_one_is_searched_itself(
    prepare_pair, tmp_path, grey_video
):
    _, fake, _ = prepare_pair(
        grey_video(tmp_path / "a.mp4", *[200] * 4), grey_video(tmp_path / "a_b.mp4", *[90] * 8), spans=((5, 6),)
    )
    assert (fake.boxes, [row["frame"] for row in fake.rows]) == ("own: other length", [5, 6])


def test_the_mask_chooses_among_the_people_of_the_original(prepare_pair, tmp_path, grey_video):
    """Two people in the real video, the larger one kept there; the fake's mask marks the smaller."""
    from realface.media.video_writing import write_video

    mask = np.zeros((48, 64, 3), dtype=np.uint8)
    mask[4:16, 2:14] = 255
    write_video(tmp_path / "mask.mp4", [mask] * 4, crf=0)
    small = Box(2, 4, 14, 16)
    real, fake, _ = prepare_pair(
        grey_video(tmp_path / "a.mp4", *[200] * 4),
        grey_video(tmp_path / "a_b.mp4", *[90] * 4),
        real_boxes=(Box(20, 8, 60, 48), small),
        spec={"face": "mask"},
        mask=tmp_path / "mask.mp4",
    )
    assert {tuple(row["box"]) for row in real.rows} == {(20, 8, 60, 48)}
    assert {tuple(row["box"]) for row in fake.rows} == {small}


def test_a_real_video_without_a_face_is_nobodys_original(prepare_pair, tmp_path, grey_video):
    real, fake, _ = prepare_pair(grey_video(tmp_path / "a.mp4", 0, 0), grey_video(tmp_path / "a_b.mp4", 90, 90))
    assert real.rows == []
    assert fake.boxes == "own: no face in the original"
    assert {tuple(row["box"]) for row in fake.rows} == {OTHER_BOX}


def test_faces_survive_the_record(output, make_item, fixed_face_detector, tmp_path, grey_video):
    source = grey_video(tmp_path / "a.mp4", 200, 0)
    item = make_item(source, label=Label.REAL, original=None)
    record = prepare_item(PrepareJob(0, item, is_original=True), output, fixed_face_detector((0.125, 1 / 3, 20, 20)))
    original = ItemRecord.from_json(record.to_json()).as_original(source)
    assert isinstance(original, Original)
    assert original.info == open_media(source).info()
    ((one,), none) = (original.faces[0], original.faces[1])
    assert isinstance(one, TrackedFace)
    assert isinstance(one.face, Face)
    assert (one.face.box, one.face.score, one.track, list(none)) == (Box(0.125, 1 / 3, 20, 20), 0.9, 0, [])
