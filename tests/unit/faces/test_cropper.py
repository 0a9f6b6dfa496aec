import numpy as np
import pytest

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.faces.cropper import crop_box, crop_face


def spec(**changes):
    return CropSpec(**({"size": 16, "margin": 0.0} | changes))


def gradient(height, width):
    """A picture whose red channel is the column and whose green channel is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def test_crop_box_is_a_square_of_the_longer_side_plus_margin():
    assert crop_box(Box(10, 20, 30, 60), spec(margin=0.5)) == Box(-10, 10, 50, 70)


def test_crop_box_lies_on_whole_pixels():
    box = crop_box(Box(10.4, 20.4, 30.4, 40.4), spec(margin=0.3))
    assert all(value == int(value) for value in box)
    assert box.width == box.height == 26


def test_a_crop_of_the_stored_size_copies_pixels():
    image = gradient(40, 60)
    assert np.array_equal(crop_face(image, Box(5, 7, 21, 23), spec()), image[7:23, 5:21])


@pytest.mark.parametrize(
    ("box", "corner", "expected"),
    [
        (Box(-8, 0, 8, 16), (0, 0), (0, 0)),  # left of the picture: its first column again
        (Box(0, -8, 16, 8), (0, 5), (5, 0)),  # above: its first row again
        (Box(52, 0, 68, 16), (0, 15), (59, 0)),  # right: its last column
        (Box(0, 32, 16, 48), (15, 3), (3, 39)),  # below: its last row
        (Box(100, 100, 116, 116), (8, 8), (59, 39)),  # wholly outside: the nearest pixel
    ],
)
def test_what_lies_beyond_the_picture_repeats_its_border(box, corner, expected):
    crop = crop_face(gradient(40, 60), box, spec())
    assert tuple(crop[corner][:2]) == expected


def test_shrinking_averages_so_that_fine_stripes_become_grey():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(crop_face(stripes, Box(0, 0, 64, 64), spec()).astype(int) - 100).max() <= 1


def test_a_crop_is_contiguous_and_leaves_the_picture_unchanged():
    image = gradient(40, 60)
    before = image.copy()
    crop = crop_face(image, Box(5, 5, 35, 35), spec(size=20))
    assert crop.shape == (20, 20, 3)
    assert crop.flags["C_CONTIGUOUS"]
    assert np.array_equal(image, before)


def test_a_box_of_no_area_still_gives_a_crop():
    assert crop_face(gradient(40, 60), Box(5, 5, 5, 5), spec()).shape == (16, 16, 3)
