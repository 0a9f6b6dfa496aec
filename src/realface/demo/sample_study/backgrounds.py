"""Backgrounds of the videos. The test videos use families of backgrounds that no training video uses."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.motion import FRAME, Pose, Split
from realface.demo.sample_study.warping import identity_map, warp

_SIDE = FRAME + 64  # room to pan
_PAN = 0.6  # the background moves less than the person: it is further away


def draw_background(split: Split, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a background, (320, 320, 3) uint8, larger than the frame."""
    families = _TEST_FAMILIES if split == "test" else _TRAIN_FAMILIES
    family = families[int(generator.integers(len(families)))]
    image = family(_colours(generator), generator)
    blurred = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.8, 3.0))
    return np.clip(blurred, 0, 255).astype(np.uint8)


def background_frame(background: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
    """Return the part of the background that the camera sees in this pose.

    Args:
        background: (H, W, 3) uint8 RGB, larger than a frame.
        pose: pose of the person and the camera.

    Returns:
        (FRAME, FRAME, 3) uint8 RGB.
    """
    corner = np.float32(32) - _PAN * np.array(pose.shift, dtype=np.float32)
    return warp(
        background, (identity_map(FRAME, FRAME) + corner).astype(np.float32), interpolation=cv2.INTER_LINEAR
    ).astype(np.uint8)


def _colours(generator: np.random.Generator) -> NDArray[np.float32]:
    """Return (3, 3) RGB rows of similar colours: one base and two neighbours."""
    base = generator.uniform(40, 210) + generator.uniform(-30, 30, size=3)
    brightness, tint = generator.uniform(-60, 60, size=(3, 1)), generator.uniform(-20, 20, size=(3, 3))
    return np.clip(base + brightness + tint, 5, 250).astype(np.float32)


def _mixed(share: NDArray[np.floating], first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    return (first + (second - first) * share[..., None]).astype(np.float32)


def _places() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows, columns = np.mgrid[:_SIDE, :_SIDE].astype(np.float32) / _SIDE
    return rows, columns


def _gradient(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = _places()
    angle = generator.uniform(0, 2 * np.pi)
    return _mixed(
        0.5 + 0.5 * np.tanh(3 * ((rows - 0.5) * np.sin(angle) + (columns - 0.5) * np.cos(angle))), *colours[:2]
    )


def _clouds(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    total = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    for cells, weight in ((4, 1.0), (9, 0.6), (20, 0.35), (45, 0.2)):
        grain = generator.standard_normal((cells, cells)).astype(np.float32)
        total += weight * cv2.resize(grain, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    return _mixed(0.5 + 0.5 * np.tanh(total), *colours[:2])


def _stripes(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = _places()
    angle = generator.uniform(-0.5, 0.5) + generator.choice([0, np.pi / 2])
    wave = np.sin(2 * np.pi * generator.uniform(4, 11) * (columns * np.cos(angle) + rows * np.sin(angle)))
    return _mixed(0.5 + 0.5 * np.tanh(4 * wave), *colours[:2])


def _bricks(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = _places()
    num_rows = generator.uniform(7, 13)
    row = np.floor(rows * num_rows)
    column = columns * num_rows / 2.2 + 0.5 * (row % 2)
    tones = generator.uniform(0, 0.5, size=(32, 32)).astype(np.float32)[row.astype(int), np.floor(column).astype(int)]
    joint = (np.abs(rows * num_rows - row - 0.5) > 0.44) | (np.abs(column % 1 - 0.5) > 0.47)
    return np.where(joint[..., None], colours[2], _mixed(tones, *colours[:2])).astype(np.float32)


def _bokeh(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    image = np.full((_SIDE, _SIDE, 3), colours[0] * 0.6, dtype=np.float32)
    for _ in range(40):
        disc = np.zeros((_SIDE, _SIDE), dtype=np.float32)
        x, y = (int(value) for value in generator.integers(0, _SIDE, size=2))
        cv2.circle(disc, (x, y), int(generator.integers(6, 26)), float(generator.uniform(0.15, 0.6)), cv2.FILLED)
        colour = colours[int(generator.integers(3))] * np.float32(1.3)
        image += disc[..., None] * (colour - image)
    return image


def _plaid(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = _places()
    pace, phase = generator.uniform(3, 8, size=2), generator.uniform(0, 1, size=2)
    down = np.tanh(3 * np.sin(2 * np.pi * (rows * pace[0] + phase[0])))
    across = np.tanh(3 * np.sin(2 * np.pi * (columns * pace[1] + phase[1])))
    return _mixed(0.5 + 0.25 * (down + across), *colours[:2])


def _cells(colours: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = _places()
    seeds = generator.random((36, 2)).astype(np.float32)
    distances = np.stack([(rows - y) ** 2 + (columns - x) ** 2 for y, x in seeds])
    tones = generator.random(len(seeds)).astype(np.float32)
    return _mixed(tones[np.argmin(distances, axis=0)], *colours[:2])


_Family = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
_TRAIN_FAMILIES: tuple[_Family, ...] = (_gradient, _clouds, _stripes, _bricks)
_TEST_FAMILIES: tuple[_Family, ...] = (_bokeh, _plaid, _cells)
