"""The frame in which a network sees every face in the same place."""

import cv2
import numpy as np
import pytest

from realface.data.pseudo_fakes.face_frame import EDGE, face_frame, framed_face, pasted_face
from realface.data.pseudo_fakes.points import dense_points

SIDE = 128


def turned(points, *, angle, scale, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T + shift).astype(np.float32)


def mapped(points, matrix):
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_turned_and_enlarged_faces_get_the_same_place_in_the_frame(astronaut):
    points = dense_points(astronaut[1])
    other = turned(points, angle=0.5, scale=1.7, shift=(30, -12))
    places = mapped(points, face_frame(points, SIDE)), mapped(other, face_frame(other, SIDE))
    assert np.abs(places[0] - places[1]).max() < 0.01
    assert places[0].min() > 0
    assert places[0].max() < SIDE - 1


def test_a_face_comes_back_to_its_place_in_the_crop(astronaut):
    image, five = astronaut
    smooth = cv2.GaussianBlur(image, (0, 0), 4)
    frame = face_frame(dense_points(five), SIDE)
    back, share = pasted_face(framed_face(smooth, frame, SIDE), frame, image.shape)
    assert back.shape == image.shape
    assert back.dtype == np.uint8
    assert np.abs(back.astype(int) - smooth)[share == 1].mean() < 1


def test_the_share_is_soft_inside_the_frame_and_0_outside():
    frame = np.array([[1.0, 0, -40], [0, 1, -30]])  # the frame begins at column 40 and row 30
    _, share = pasted_face(np.full((SIDE, SIDE, 3), 9, np.uint8), frame, (200, 220))
    assert share.shape == (200, 220)
    outside = np.ones((200, 220), bool)
    outside[30:158, 40:168] = False
    assert share[outside].max() == 0
    edge = int(np.ceil(EDGE * SIDE))
    assert share[30 + edge : 158 - edge, 40 + edge : 168 - edge].min() == pytest.approx(1)
    assert 0 < share[94, 41] < share[94, 44] < 1
