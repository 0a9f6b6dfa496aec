"""Expected values by hand, from scipy's sparse solver, or from OpenCV itself."""

import cv2
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from realface.evaluation.inpainting_baselines import (
    INPAINTING_BASELINES,
    Square,
    harmonic,
    mean_colour,
    navier_stokes,
    telea,
)


def build_noise(height=14, width=16):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def build_ramp(rows_by, columns_by, size=20):
    """A picture that grows by so many grey levels a row and a column."""
    row, column = np.mgrid[:size, :size]
    grey = rows_by * row + columns_by * column
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def solve_by_scipy(image, square):
    """The Laplace equation of a square within the picture, as one sparse system of all its pixels."""
    line = scipy.sparse.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(square.side, square.side))
    one = scipy.sparse.identity(square.side)
    matrix = (scipy.sparse.kron(one, line) + scipy.sparse.kron(line, one)).tocsc()
    around = image[square.top - 1 :, square.left - 1 :][: square.side + 2, : square.side + 2].astype(float)
    border = np.zeros((square.side, square.side, 3))
    border[0] += around[0, 1:-1]
    border[-1] += around[-1, 1:-1]
    border[:, 0] += around[1:-1, 0]
    border[:, -1] += around[1:-1, -1]
    filled = [scipy.sparse.linalg.spsolve(matrix, border[..., colour].ravel()) for colour in range(3)]
    return np.stack(filled, axis=1).reshape(border.shape)


@pytest.mark.parametrize("name", INPAINTING_BASELINES)
def test_what_the_square_hides_is_not_looked_at(name):
    square = Square(3, 4, 6)
    image = build_noise()
    other = image.copy()
    other[square.pixels] = 255 - other[square.pixels]
    filled = INPAINTING_BASELINES[name](image, square)
    assert filled.shape == (6, 6, 3)
    assert filled == pytest.approx(INPAINTING_BASELINES[name](other, square), abs=0)


@pytest.mark.parametrize("name", INPAINTING_BASELINES)
def test_a_plain_picture_is_filled_with_its_colour(name):
    image = np.full((16, 16, 3), (10, 120, 250), np.uint8)
    filled = INPAINTING_BASELINES[name](image, Square(4, 4, 6))
    assert filled == pytest.approx(np.broadcast_to((10, 120, 250), (6, 6, 3)), abs=2)  # OpenCV rounds


def test_mean_colour_is_that_of_the_visible_pixels_alone():
    image = np.zeros((4, 4, 3), np.uint8)
    image[0] = (30, 60, 90)  # 4 of the 12 visible pixels
    image[1:3, 1:3] = 255
    assert mean_colour(image, Square(1, 1, 2)) == pytest.approx(np.broadcast_to((10, 20, 30), (2, 2, 3)))


def test_harmonic_filling_of_one_pixel_is_the_mean_of_its_neighbours():
    image = np.zeros((3, 3, 3), np.uint8)
    image[0, 1], image[2, 1], image[1, 0], image[1, 2] = 10, 20, 30, 60
    assert harmonic(image, Square(1, 1, 1)) == pytest.approx(np.full((1, 1, 3), 30))


def test_harmonic_filling_at_the_pictures_edge_uses_the_neighbours_that_are_there():
    image = np.zeros((3, 3, 3), np.uint8)
    image[0, 1], image[1, 0], image[1, 2] = 10, 30, 60
    image[2, 1], image[2, 0] = 20, 50
    assert harmonic(image, Square(0, 1, 1)) == pytest.approx(np.full((1, 1, 3), 0))  # (0 + 0 + 0) / 3
    assert harmonic(image, Square(2, 1, 1)) == pytest.approx(np.full((1, 1, 3), 50 / 3))  # (0 + 50 + 0) / 3
    assert harmonic(image, Square(2, 0, 1)) == pytest.approx(np.full((1, 1, 3), 25))  # (30 + 20) / 2


@pytest.mark.parametrize(("rows_by", "columns_by"), [(3, 0), (0, 5), (4, 7)])
def test_a_linear_ramp_is_filled_exactly_by_the_harmonic_filling(rows_by, columns_by):
    image = build_ramp(rows_by, columns_by)
    square = Square(5, 3, 9)
    assert harmonic(image, square) == pytest.approx(image[square.pixels].astype(float), abs=1e-9)


def test_a_ramp_along_the_pictures_edge_is_filled_exactly_there():
    image = build_ramp(0, 5)
    square = Square(0, 3, 9)
    assert harmonic(image, square) == pytest.approx(image[square.pixels].astype(float), abs=1e-9)


def test_harmonic_filling_is_what_a_sparse_solver_finds():
    image, square = build_noise(), Square(2, 5, 8)
    assert harmonic(image, square) == pytest.approx(solve_by_scipy(image, square), abs=1e-9)


@pytest.mark.parametrize("square", [Square(0, 0, 6), Square(8, 10, 6), Square(0, 5, 6), Square(4, 10, 6)])
def test_harmonic_filling_at_edges_leaves_every_pixel_the_mean_of_its_neighbours(square):
    image = build_noise()
    picture = image.astype(float)
    picture[square.pixels] = harmonic(image, square)
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    neighbours = [np.roll(padded, shift, axis)[1:-1, 1:-1] for axis in (0, 1) for shift in (-1, 1)]
    assert picture[square.pixels] == pytest.approx(np.nanmean(neighbours, axis=0)[square.pixels], abs=1e-9)


@pytest.mark.parametrize(("fill", "method"), [(telea, cv2.INPAINT_TELEA), (navier_stokes, cv2.INPAINT_NS)])
def test_the_rest_is_opencvs(fill, method):
    image, square = build_noise(), Square(2, 5, 8)
    hidden = np.zeros((14, 16), np.uint8)
    hidden[2:10, 5:13] = 1
    assert fill(image, square) == pytest.approx(cv2.inpaint(image, hidden, 3, method)[2:10, 5:13].astype(float), abs=0)
