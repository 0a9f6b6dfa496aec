from dataclasses import replace

import cv2
import numpy as np
import pytest

from realface.demo.sample_study import motion
from realface.demo.sample_study.face_points import BROWS, MOUTH, dense_points
from realface.demo.sample_study.motion import FRAME, Head, Pose, draw_motion
from realface.demo.sample_study.warping import warp
from realface.faces.portraits import CANVAS, FACE_CENTER

REST = Pose(shift=(0, 0), angle=0, zoom=1, turn=(0, 0), mouth=0, brows=0, light=(0, 0))
POINTS = dense_points(np.array([(127, 120), (177, 120), (152, 145), (130, 169), (174, 169)], dtype=np.float32))
LOWER_LIP = MOUTH.start + 3
LEFT_BROW = BROWS.start + 1


def shown_at(point, pose):
    """Where a dot on the canvas appears in the frame."""
    canvas = np.zeros((CANVAS, CANVAS), dtype=np.float32)
    canvas[round(float(point[1])), round(float(point[0]))] = 1
    frame = warp(cv2.GaussianBlur(canvas, (0, 0), 2.0), Head(POINTS).frame_map(pose))
    y, x = np.unravel_index(frame.argmax(), frame.shape)
    return [x, y]


@pytest.mark.parametrize(
    "pose",
    [
        REST,
        replace(REST, shift=(6, -4)),
        replace(REST, angle=0.1, zoom=1.15),
        replace(REST, turn=(7, 5)),
        replace(REST, mouth=1, brows=1, turn=(-5, 2), angle=-0.05),
    ],
)
def test_the_points_lie_where_the_frame_shows_them(pose):
    placed = Head(POINTS).frame_points(pose)
    for number in (0, 5, LEFT_BROW, 18, LOWER_LIP):
        assert placed[number] == pytest.approx(shown_at(POINTS[number], pose), abs=1.8)


def test_at_rest_the_face_stands_at_its_usual_place():
    [middle] = {tuple(np.round(Head(POINTS).frame_points(REST)[0] - POINTS[0]).tolist())}
    assert middle == tuple((motion._FACE_IN_FRAME - FACE_CENTER).tolist())


def test_a_dropped_jaw_lowers_the_lip_and_nothing_of_the_brows():
    rest, talking = (Head(POINTS).frame_points(pose) for pose in (REST, replace(REST, mouth=1)))
    assert talking[LOWER_LIP, 1] - rest[LOWER_LIP, 1] > 2
    assert talking[LEFT_BROW] == pytest.approx(rest[LEFT_BROW], abs=0.05)


def test_an_expression_can_come_from_another_pose():
    field = Head(POINTS).frame_map(REST, expression=replace(REST, mouth=1, shift=(9, 9)))
    assert np.array_equal(field, Head(POINTS).frame_map(replace(REST, mouth=1)))


def test_a_motion_has_a_pose_for_every_frame_and_is_the_same_for_one_seed():
    once, again = (draw_motion("test", 9, np.random.default_rng(3)) for _ in range(2))
    assert len(once) == 9
    assert once == again


def test_a_face_stays_inside_the_frame_in_every_motion():
    for seed in range(30):
        for pose in draw_motion("test" if seed % 2 else "train", 8, np.random.default_rng(seed)):
            points = Head(POINTS).frame_points(pose)
            assert points.min() > 12
            assert points.max() < FRAME - 12


def test_the_motions_and_backgrounds_of_the_test_videos_are_their_own():
    from realface.demo.sample_study import backgrounds

    for families in (motion, backgrounds):
        assert not set(families._TEST_FAMILIES) & set(families._TRAIN_FAMILIES)
