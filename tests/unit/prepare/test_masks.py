import numpy as np
import pytest
from PIL import Image

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import MediaError, MissingInputError
from realface.faces.detectors.face_detector import Face
from realface.media.opening import open_media
from realface.media.video_writing import write_video
from realface.media.videos import VideoReader
from realface.prepare.masks import cut_masks
from realface.prepare.record import TrackedFace

SPEC = CropSpec(face_detector="fixed", margin=0.0, size=16)


def face(*box):
    """A face at a box, the only one of its frame."""
    return [TrackedFace(Face(Box(*box), 0.9, np.zeros((5, 2), dtype=np.float32)), 0)]


FACE = face(8, 8, 40, 40)  # 32 px to a crop of 16: halved


def mask_frame(x, y, *, colour=(255, 255, 255), height=48, width=64):
    """Black but for a rectangle of 16 x 8 px whose upper left corner is (x, y)."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[y : y + 8, x : x + 16] = colour
    return picture


def video(path, frames):
    write_video(path, frames, crf=0)
    return path


def fake(tmp_path, num_frames, *, height=48, width=64):
    frames = [np.full((height, width, 3), 99, dtype=np.uint8)] * num_frames
    return video(tmp_path / "fake.mp4", frames)


def crop_with(rows, columns):
    expected = np.zeros((16, 16), dtype=np.uint8)
    expected[rows, columns] = 255
    return expected


def test_the_marked_rectangle_lies_where_the_crop_shows_it(tmp_path):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16)])
    masks = cut_masks(mask, open_media(fake(tmp_path, 1)), {0: FACE}, SPEC)
    # x from (16 - 8) / 2 to (32 - 8) / 2, y from (16 - 8) / 2 to (24 - 8) / 2
    assert masks[0][0].crop.dtype == np.uint8
    assert (masks[0][0].crop == crop_with(slice(4, 8), slice(4, 12))).all()


def test_every_crop_gets_the_mask_of_its_own_frame_and_box(tmp_path):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16 + 2 * number, 16) for number in range(6)])
    masks = cut_masks(mask, open_media(fake(tmp_path, 6)), {1: FACE, 4: face(16, 8, 48, 40)}, SPEC)
    assert sorted(masks) == [1, 4]
    assert (masks[1][0].crop == crop_with(slice(4, 8), slice(5, 13))).all()
    assert (masks[4][0].crop == crop_with(slice(4, 8), slice(4, 12))).all()


def test_beyond_the_frame_the_mask_repeats_its_border_as_the_crop_does(tmp_path):
    Image.fromarray(mask_frame(0, 16)).save(tmp_path / "mask.png")
    Image.fromarray(mask_frame(0, 0)).save(tmp_path / "fake.png")
    masks = cut_masks(tmp_path / "mask.png", open_media(tmp_path / "fake.png"), {0: face(-16, 8, 16, 40)}, SPEC)
    assert (masks[0][0].crop == crop_with(slice(4, 8), slice(0, 16))).all()


@pytest.mark.parametrize("colour", [(0, 255, 0), (255, 0, 0), (200, 200, 200)])
def test_a_mask_of_any_colour_counts(tmp_path, colour):
    Image.fromarray(mask_frame(16, 16, colour=colour)).save(tmp_path / "mask.png")
    masks = cut_masks(tmp_path / "mask.png", open_media(fake(tmp_path, 1)), {0: FACE}, SPEC)
    assert (masks[0][0].crop == crop_with(slice(4, 8), slice(4, 12))).all()


@pytest.mark.parametrize("num_frames", [3, 5])
def test_a_mask_of_other_length_is_refused_as_a_whole(tmp_path, num_frames):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16)] * num_frames)
    with pytest.raises(
        MediaError, match=rf"mask\.mp4 has {num_frames} frames but .*fake\.mp4 has 4, so which"
    ) as fault:
        cut_masks(mask, open_media(fake(tmp_path, 4)), {0: FACE}, SPEC)
    assert fault.value.reason == "other length"


def test_a_mask_of_other_size_is_refused(tmp_path):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16, height=64, width=80)])
    with pytest.raises(MediaError, match=r"mask\.mp4 has 80 x 64 pixels but .*fake\.mp4 has 64 x 48") as fault:
        cut_masks(mask, open_media(fake(tmp_path, 1)), {0: FACE}, SPEC)
    assert fault.value.reason == "other size"


def test_a_mask_that_does_not_follow_a_change_of_size_is_refused(tmp_path):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16)] * 3)
    text = (
        r"mask\.mp4 has 64 x 48 pixels in frame 2 but .*fake\.mp4 has 128 x 96; give the mask of the source's own size"
    )
    sizes = {0: (48, 64), 2: (96, 128)}
    with pytest.raises(MediaError, match=text) as fault:
        cut_masks(mask, open_media(fake(tmp_path, 3)), {0: FACE, 2: FACE}, SPEC, sizes=sizes)
    assert fault.value.reason == "other size"


def test_a_mask_with_a_frame_that_cannot_be_decoded_is_refused_as_a_whole(tmp_path, monkeypatch):
    whole = VideoReader.frames_at
    monkeypatch.setattr(VideoReader, "frames_at", lambda reader, indices: [*whole(reader, indices)][:-1])
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16)] * 3)
    with pytest.raises(MediaError, match=r"mask\.mp4: frame 2 cannot be decoded") as fault:
        cut_masks(mask, open_media(fake(tmp_path, 3)), {0: FACE, 2: FACE}, SPEC)
    assert fault.value.reason == "damaged"


def test_a_mask_that_is_gone_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"mask\.mp4 does not exist"):
        cut_masks(tmp_path / "mask.mp4", open_media(fake(tmp_path, 1)), {0: FACE}, SPEC)


def test_the_overlap_is_intersection_over_union_of_box_and_forged_pixels(tmp_path):
    Image.fromarray(mask_frame(16, 16)).save(tmp_path / "mask.png")
    Image.fromarray(mask_frame(0, 0)).save(tmp_path / "fake.png")
    boxes = [(16, 16, 32, 24), (24, 16, 32, 32), (40, 0, 50, 10), (-8, -8, 24, 24)]
    masks = cut_masks(
        tmp_path / "mask.png", open_media(tmp_path / "fake.png"), {0: [face(*box)[0] for box in boxes]}, SPEC
    )
    # forged: 16 x 8 = 128; shared 128, 64, 0 and 64; boxes of 128, 128, 100 and 1024
    expected = [1.0, 64 / (128 + 128 - 64), 0.0, 64 / (1024 + 128 - 64)]
    assert [cut.overlap for cut in masks[0]] == pytest.approx(expected)
    # of each box 128 / 128, 64 / 128, 0, 64 / 1024, or of the 128 forged 1, 1/2, 0, 1/2
    assert [cut.share for cut in masks[0]] == pytest.approx([1.0, 0.5, 0.0, 0.5])


def test_frames_without_a_face_need_no_mask(tmp_path):
    mask = video(tmp_path / "mask.mp4", [mask_frame(16, 16)] * 3)
    assert sorted(cut_masks(mask, open_media(fake(tmp_path, 3)), {0: [], 2: FACE}, SPEC)) == [2]
