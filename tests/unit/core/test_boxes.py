from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realface.core.boxes import Box

coordinate = st.floats(-1000, 1000)
boxes = st.builds(Box, coordinate, coordinate, coordinate, coordinate)


def test_width_height_area_and_center_of_a_box() -> None:
    box = Box(10, 20, 40, 100)
    assert (box.width, box.height, box.area) == (30, 80, 2400)
    assert box.center == (25, 60)


def test_a_box_whose_corners_are_swapped_is_empty() -> None:
    box = Box(40, 100, 10, 20)
    assert (box.width, box.height, box.area) == (0, 0, 0)


def test_intersection_is_what_both_share() -> None:
    assert Box(0, 0, 10, 10).intersection(Box(5, 6, 20, 20)) == Box(5, 6, 10, 10)


def test_boxes_that_only_touch_share_nothing() -> None:
    assert Box(0, 0, 10, 10).intersection(Box(10, 0, 20, 10)).area == 0


def test_overlap_is_intersection_over_union() -> None:
    # 5 x 10 shared of 100 + 100 - 50
    assert Box(0, 0, 10, 10).overlap(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)


def test_overlap_of_two_empty_boxes_is_zero() -> None:
    assert Box(3, 3, 3, 3).overlap(Box(3, 3, 3, 3)) == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(first: Box, second: Box) -> None:
    assert first.overlap(second) == pytest.approx(second.overlap(first))
    assert 0 <= first.overlap(second) <= 1 + 1e-9


def test_squared_grows_the_longer_side_around_the_same_center() -> None:
    # the longer side is 40; with a margin of 0.5 the square's side is 60, around (20, 30)
    assert Box(10, 10, 30, 50).squared(0.5) == Box(-10, 0, 50, 60)


def test_squared_without_margin_keeps_the_longer_side() -> None:
    assert Box(0, 0, 10, 4).squared(0) == Box(0, -3, 10, 7)


def test_scaled_multiplies_every_coordinate() -> None:
    assert Box(1, 2, 3, 4).scaled(2.5) == Box(2.5, 5, 7.5, 10)
