import numpy as np
import pytest
from PIL import Image

from realface.core.errors import MissingInputError
from realface.media.masks import forged_pixels, read_forged_pixels


def test_a_pixel_is_forged_from_half_brightness_up_in_any_colour():
    image = np.array([[[0, 0, 0], [127, 127, 127], [128, 128, 128], [0, 0, 200], [255, 255, 255]]], dtype=np.uint8)
    assert forged_pixels(image).tolist() == [[False, False, True, True, True]]


def test_a_mask_takes_another_size_by_the_nearest_pixel(tmp_path):
    Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).save(tmp_path / "m.png")
    expected = np.kron([[False, True], [True, False]], np.ones((2, 3), dtype=bool))
    assert (read_forged_pixels(tmp_path / "m.png", (4, 6)) == expected).all()


def test_the_nearest_pixel_is_that_of_the_pixels_center(tmp_path):
    Image.fromarray(np.array([[0, 0, 255, 255, 0, 0]] * 3, dtype=np.uint8)).save(tmp_path / "m.png")
    # centers of the two wide pixels lie at 1.5 and 4.5 of six; of the four at 0.75, 2.25, 3.75 and 5.25
    assert read_forged_pixels(tmp_path / "m.png", (1, 2)).tolist() == [[False, False]]
    assert read_forged_pixels(tmp_path / "m.png", (1, 4)).tolist() == [[False, True, True, False]]


def test_a_mask_that_is_gone_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"m\.png does not exist"):
        read_forged_pixels(tmp_path / "m.png", (2, 2))
