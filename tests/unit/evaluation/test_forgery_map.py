import numpy as np
import pytest
import torch

from realface.core.map_kinds import MapKind
from realface.evaluation.forgery_map import Scale, colour_bar, forgery_maps, lay_over
from realface.models.outputs import Output, ReconstructionOutput

WHOLE = Scale(0.0, 1.0)
YELLOW = (252, 255, 164)  # the brightest colour of matplotlib's inferno


def output(*, error_map=None, attention=None):
    error_map = torch.zeros(1, 1, 64, 64) if error_map is None else error_map
    return ReconstructionOutput(torch.zeros(1), error_map.expand(-1, 3, -1, -1), error_map, attention=attention)


def peak_of(face_map):
    return np.unravel_index(face_map.argmax(), face_map.shape)


def test_smoothed_error_map_keeps_its_peak_and_its_sum():
    error_map = torch.zeros(1, 1, 64, 64)
    error_map[0, 0, 20, 41] = 1.0
    (smoothed,) = forgery_maps(output(error_map=error_map), MapKind.ERROR_MAP)
    assert peak_of(smoothed) == (20, 41)
    assert smoothed.sum() == pytest.approx(1.0, abs=1e-5)
    # a Gaussian of 64 / 64 = 1 pixel: 1 / (2 pi) at its peak, exp(-1/2) of that one pixel further
    assert smoothed[20, 41] == pytest.approx(1 / (2 * np.pi), rel=0.02)
    assert smoothed[20, 42] / smoothed[20, 41] == pytest.approx(np.exp(-0.5), rel=0.02)


def test_an_even_error_map_stays_even_up_to_the_edge():
    (smoothed,) = forgery_maps(output(error_map=torch.full((1, 1, 64, 64), 0.3)), MapKind.ERROR_MAP)
    np.testing.assert_allclose(smoothed, 0.3, rtol=1e-5)


@pytest.mark.parametrize("place", [(0, 0), (0, 4), (2, 2), (3, 1), (4, 4)])
def test_the_peak_of_attention_stays_in_its_place_when_it_is_upsampled(place):
    attention = torch.zeros(1, 1, 5, 5)
    attention[0, 0][place] = 1.0
    (upsampled,) = forgery_maps(output(error_map=torch.zeros(1, 1, 65, 65), attention=attention), MapKind.ATTENTION)
    assert upsampled.shape == (65, 65)
    assert peak_of(upsampled) == (16 * place[0], 16 * place[1])  # outermost points on the edges


def test_every_face_of_a_batch_has_its_own_map():
    error_map = torch.tensor([0.1, 0.2]).reshape(2, 1, 1, 1).expand(2, 1, 64, 64)
    maps = forgery_maps(ReconstructionOutput(torch.zeros(2), error_map, error_map), MapKind.ERROR_MAP)
    assert [float(face_map.mean()) for face_map in maps] == pytest.approx([0.1, 0.2])


def test_maps_that_a_method_does_not_have_are_none():
    assert forgery_maps(output(), MapKind.ATTENTION) is None
    assert [forgery_maps(Output(torch.zeros(1)), kind) for kind in MapKind] == [None, None, None]


def test_the_map_of_a_mask_head_is_a_probability_on_one_scale():
    mask = torch.tensor([[[[-30.0, -30.0], [30.0, 30.0]]]])
    (drawn,) = forgery_maps(Output(torch.zeros(1), manipulation_mask=mask), MapKind.MANIPULATION)
    assert drawn.shape == (16, 16)
    assert (drawn[0].max(), drawn[-1].min()) == (pytest.approx(0), pytest.approx(1))
    assert Scale.spanning(MapKind.MANIPULATION, [drawn * 0.1]) == Scale(0.0, 1.0)


def test_the_face_is_kept_where_the_map_is_zero_and_seen_where_it_is_highest():
    face = np.full((4, 4, 3), 80, np.uint8)
    face_map = np.zeros((4, 4), np.float32)
    face_map[:, 3] = 1.0
    laid = lay_over(face, face_map, WHOLE)
    assert (laid[:, :3] == 80).all()
    expected = [0.25 * 80 + 0.75 * value for value in YELLOW]
    np.testing.assert_allclose(laid[:, 3], np.tile(expected, (4, 1)), atol=1)
    assert (face == 80).all(), "the picture given must stay as it is"


def test_a_coloured_face_becomes_grey_of_the_same_brightness():
    laid = lay_over(np.full((2, 2, 3), (255, 0, 0), np.uint8), np.zeros((2, 2), np.float32), WHOLE)
    assert (laid == 76).all()  # 0.299 of 255, as in ITU-R BT.601


def test_a_map_is_enlarged_to_the_picture():
    face_map = np.zeros((8, 8), np.float32)
    face_map[2, 5] = 1.0
    laid = lay_over(np.zeros((80, 80, 3), np.uint8), face_map, WHOLE).astype(int).sum(axis=2)
    row, column = np.argwhere(laid == laid.max()).mean(axis=0)
    assert (row, column) == pytest.approx((24.5, 54.5), abs=0.51)  # the middle of the pixel's 10 x 10


def test_error_map_is_scaled_from_zero_and_outliers_do_not_set_the_scale():
    error_map = np.full((20, 20), 0.1, np.float32)
    error_map[0, 0] = 9.0
    scale = Scale.spanning(MapKind.ERROR_MAP, [error_map])
    assert (scale.low, scale.high) == pytest.approx((0.0, 0.1))


def test_attention_is_scaled_from_its_lowest_over_all_faces():
    low, high = np.full((4, 4), 0.4, np.float32), np.full((4, 4), 0.6, np.float32)
    scale = Scale.spanning(MapKind.ATTENTION, [low, high])
    assert (scale.low, scale.high) == pytest.approx((0.4, 0.6))
    assert str(scale) == "0.4 to 0.6"


def test_a_map_that_is_the_same_everywhere_gets_no_colour():
    even = np.full((4, 4), 0.5, np.float32)
    assert (Scale.spanning(MapKind.ATTENTION, [even]).strength(even) == 0).all()


def test_the_colour_bar_goes_from_grey_to_yellow():
    bar = colour_bar(height=3, width=50)
    assert bar.shape == (3, 50, 3)
    assert (bar[:, 0] == 128).all()
    red, green, blue = bar[0, -1].astype(int)
    assert min(red, green) > blue + 50
