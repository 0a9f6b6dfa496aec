"""Motion of a person in front of the camera, and change of the light, frame by frame.

Test videos use families of motion that no training video uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.face_points import MOUTH, NOSE, OUTLINE, Points
from realface.demo.sample_study.warping import Map, bump, warp
from realface.faces.portraits import CANVAS, FACE_CENTER

Split = Literal["train", "val", "test"]

FRAME = 256
"""Height and width of the videos, in pixels."""

_FACE_IN_FRAME = np.array([128.0, 120.0], dtype=np.float32)
_CHANNELS = 9  # shift x, shift y, angle, zoom, yaw, pitch, mouth, brows, light
_REACH = np.array([7.0, 5.0, 0.07, 0.05, 7.0, 5.0, 1.0, 1.0, 0.12], dtype=np.float32)


@dataclass(frozen=True)
class Pose:
    """Position and expression of the person, and the light, in one frame.

    Attributes:
        shift: (x, y) of the centre of the face from its default position, in pixels.
        angle: tilt of the head and body, in radians, clockwise.
        zoom: scale relative to the canvas.
        turn: (x, y) shift of the nearest part of the head relative to the body, in canvas pixels.
        mouth: 0 = as in the portrait, 1 = the jaw dropped completely; negative: lips pressed.
        brows: 1 = raised completely, -1 = lowered.
        light: (x, y), the light's slope over the frame; 0.1 = 10 % brighter at the edge than in the middle.
    """

    shift: tuple[float, float]
    angle: float
    zoom: float
    turn: tuple[float, float]
    mouth: float
    brows: float
    light: tuple[float, float]


def draw_motion(split: Split, num_frames: int, generator: np.random.Generator) -> list[Pose]:
    """Draw one of the families of motion of a split, and the poses of a video."""
    families = _TEST_FAMILIES if split == "test" else _TRAIN_FAMILIES
    family = families[int(generator.integers(len(families)))]
    courses = family(np.linspace(0, 1, num_frames), generator) * _REACH * generator.uniform(0.5, 1.0, size=_CHANNELS)
    zoom = generator.uniform(0.98, 1.16)
    light_angle = generator.uniform(0, 2 * np.pi)
    return [
        Pose(
            shift=(float(course[0]), float(course[1])),
            angle=float(course[2]),
            zoom=float(zoom + course[3]),
            turn=(float(course[4]), float(course[5])),
            mouth=float(course[6]),
            brows=float(course[7]),
            light=(float(course[8] * np.cos(light_angle)), float(course[8] * np.sin(light_angle))),
        )
        for course in courses
    ]


def _sway(time: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Move every part at a different pace."""
    pace, phase = generator.uniform(0.5, 1.5, size=_CHANNELS), generator.uniform(0, 1, size=_CHANNELS)
    return np.asarray(np.sin(2 * np.pi * (time[:, None] * pace + phase)))


def _approach(time: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Move slowly from one pose to another, while talking."""
    first, last = generator.uniform(-1, 1, size=(2, _CHANNELS))
    eased = (3 * time**2 - 2 * time**3)[:, None]
    courses: NDArray[np.float64] = first + (last - first) * eased
    courses[:, 6] = np.abs(np.sin(2 * np.pi * time * generator.uniform(1, 3)))
    return courses


def _orbit(time: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Move the head in a circle. The face follows it."""
    turns = generator.choice([-1.0, 1.0]) * generator.uniform(0.5, 1.0)
    angle = 2 * np.pi * (time[:, None] * turns + generator.random())
    offsets = np.array([0, 0.25, 0.1, 0.4, 0.05, 0.3, 0.6, 0.8, 0.2])
    return np.asarray(np.cos(angle - 2 * np.pi * offsets))


def _handheld(time: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Move smoothly at random, as with a camera held in the hand."""
    knots = generator.uniform(-1, 1, size=(7, _CHANNELS))
    place = time * (len(knots) - 1)
    left = np.minimum(place.astype(int), len(knots) - 2)
    share = (place - left)[:, None]
    share = 3 * share**2 - 2 * share**3
    return np.asarray(knots[left] * (1 - share) + knots[left + 1] * share)


_Family = Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]
_TRAIN_FAMILIES: tuple[_Family, ...] = (_sway, _approach)
_TEST_FAMILIES: tuple[_Family, ...] = (_orbit, _handheld)


class Head:
    """Motion of a face, derived from its geometry: the parts that turn, drop or rise, and by how many pixels.

    Args:
        points: (26, 2), the dense points of the face on the canvas, in pixels.
    """

    def __init__(self, points: Points) -> None:
        self._points = points
        chin, brows = points[OUTLINE][5], points[11:17]
        lower_lip = points[MOUTH][3]

        def field(center: NDArray[np.floating], radius: float) -> NDArray[np.float32]:
            return bump(center, radius, height=CANVAS, width=CANVAS)

        depth = 0.75 * field(points.mean(axis=0), 62) + 0.25 * field(points[NOSE][0], 16)
        jaw = 3.5 * field(lower_lip, 12) + 2.5 * field(chin, 20)
        lift = 3.5 * np.maximum(field(brows[:3].mean(axis=0), 12), field(brows[3:].mean(axis=0), 12))
        self._parts = np.stack([depth, jaw, lift], axis=-1)  # (H, W, 3)

    def frame_map(self, pose: Pose, *, expression: Pose | None = None) -> Map:
        """Return the map that shows the canvas in a pose, (FRAME, FRAME, 2).

        Args:
            pose: the pose.
            expression: pose whose mouth and brows are used; `pose` when None.
        """
        still = _still_map(pose)
        parts = warp(self._parts, still, interpolation=cv2.INTER_LINEAR)
        return still - self._offsets(parts, pose, expression or pose)

    def frame_points(self, pose: Pose) -> Points:
        """Return the dense points in the frame, (26, 2), in pixels."""
        moved = self._points.copy()
        for _ in range(4):  # the parts are read at the points' new positions
            parts = warp(self._parts, moved[:, None], interpolation=cv2.INTER_LINEAR)
            moved = self._points + self._offsets(parts[:, 0], pose, pose)
        matrix = _rotation(-pose.angle) * pose.zoom
        placed: Points = (moved - FACE_CENTER) @ matrix.T + _face_in_frame(pose)
        return placed

    @staticmethod
    def _offsets(parts: NDArray[np.float32], pose: Pose, expression: Pose) -> NDArray[np.float32]:
        across = parts[..., 0] * pose.turn[0]
        down = parts[..., 0] * pose.turn[1] + parts[..., 1] * expression.mouth - parts[..., 2] * expression.brows
        return np.stack([across, down], axis=-1).astype(np.float32)


def _still_map(pose: Pose) -> Map:
    """Return the map of the canvas in this pose, with the head not turned and a neutral expression."""
    matrix = _rotation(pose.angle) / np.float32(pose.zoom)
    places = np.arange(FRAME, dtype=np.float32)
    origin = _face_in_frame(pose)
    across, down = places - origin[0], places - origin[1]
    field = np.empty((FRAME, FRAME, 2), dtype=np.float32)
    for axis in range(2):
        field[..., axis] = matrix[axis, 0] * across[None, :] + (matrix[axis, 1] * down + FACE_CENTER[axis])[:, None]
    return field


def _face_in_frame(pose: Pose) -> NDArray[np.float32]:
    return _FACE_IN_FRAME + np.array(pose.shift, dtype=np.float32)


def _rotation(angle: float) -> NDArray[np.float32]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
