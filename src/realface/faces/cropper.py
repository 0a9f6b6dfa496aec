"""The one cropper: training, evaluation and detection all cut faces out here.

Matrices are OpenCV's: (2, 3), for x and y in pixels whose centers are the whole numbers.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.faces.detectors.face_detector import Face
from realface.media.images import through_jpeg

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where ArcFace's crop has the eyes, the nose and the corners of the mouth, in pixels; in the order of `Face`.

Source: Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", its release.
"""
TEMPLATE_SIDE = 112  # pixels
MOST_SAMPLES = 8192  # per side, before areas are averaged: bounds the memory for all landmarks

Matrix = NDArray[np.float64]


def crop_box(box: Box, spec: CropSpec, shape: tuple[int, ...]) -> Box:
    """Return the square of source pixels that becomes the upright crop, on whole pixels.

    Args:
        box: face box, in pixels of the image.
        spec: margin and edge. With edge `inside` the square is inside the image; otherwise it may reach beyond it.
        shape: (height, width, ...) of the image.
    """
    square = box.squared(spec.margin)
    side = max(1, round(square.width))
    x0, y0 = round(square.x0), round(square.y0)
    if spec.edge == "inside":
        height, width = shape[:2]
        side = min(side, height, width)
        center_x, center_y = box.center
        x0 = min(max(round(center_x - side / 2), 0), width - side)
        y0 = min(max(round(center_y - side / 2), 0), height - side)
    return Box(x0, y0, x0 + side, y0 + side)


def crop_face(image: NDArray[np.uint8], face: Face, spec: CropSpec) -> NDArray[np.uint8]:
    """Cut a face out of an image.

    Pixels beyond the image repeat its border: black pixels would reveal the face's position in the frame to a network.
    With edge `inside` the crop has no such pixels.

    Args:
        image: (H, W, 3) RGB.
        face: face, in pixels of `image`.
        spec: margin, size and alignment.

    Returns:
        (size, size, 3) RGB; reduced by averaging areas, enlarged linearly.

    Raises:
        CropSpecError: see `crop_matrix`.
    """
    if spec.alignment == "five-point":
        return _warped(image, crop_matrix(face, spec, image.shape), spec.size)
    height, width = image.shape[:2]
    square = crop_box(face.box, spec, image.shape)
    x0, y0, x1, y1 = (int(value) for value in square)
    columns = np.clip(np.arange(x0, x1), 0, width - 1)
    rows = np.clip(np.arange(y0, y1), 0, height - 1)
    inside = min(x0, y0) >= 0 and x1 <= width and y1 <= height
    cut = image[y0:y1, x0:x1] if inside else image[rows[:, None], columns]
    interpolation = cv2.INTER_AREA if x1 - x0 > spec.size else cv2.INTER_LINEAR
    resized = cv2.resize(cut, (spec.size, spec.size), interpolation=interpolation)
    return np.ascontiguousarray(resized, dtype=np.uint8)


def crop_matrix(face: Face, spec: CropSpec, shape: tuple[int, ...]) -> Matrix:
    """Return the (2, 3) matrix from pixels of the image to pixels of the crop.

    The similarity transform (rotation, scale, translation) maps the five points to ArcFace's template by least squares.
    The template is scaled to the crop's size, and reduced by the margin: at 0.3 a crop shows 1.3 times the template's
    side, the same region as DeepfakeBench's crops of scale 1.3.

    Args:
        face: face, in pixels of the image.
        spec: margin, size, alignment and edge.
        shape: (height, width, ...) of the image; matters with edge `inside`.

    Raises:
        CropSpecError: the spec aligns by five points and the face has no points, or all points are equal.
    """
    if spec.alignment == "none":
        square = crop_box(face.box, spec, shape)
        scale = spec.size / square.width
        # a resize keeps edges, not centers, in their places
        return np.array(
            [
                [scale, 0.0, (0.5 - square.x0) * scale - 0.5],
                [0.0, scale, (0.5 - square.y0) * scale - 0.5],
            ]
        )
    centre = TEMPLATE_SIDE / 2
    template = (centre + (TEMPLATE - centre) / (1 + spec.margin)) * spec.size / TEMPLATE_SIDE
    return _similarity(face.landmarks.astype(np.float64), template)


def as_stored(crop: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.uint8]:
    """Return the pixels of a crop after writing it with its crop settings and reading it; PNG is lossless.

    Args:
        crop: (S, S, 3) uint8 RGB.
        spec: crop settings.
    """
    return crop if spec.jpeg_quality is None else through_jpeg(crop, spec.jpeg_quality)


def _similarity(points: NDArray[np.float64], targets: NDArray[np.float64]) -> Matrix:
    """Turning, scaling and moving that brings points (N, 2) nearest to targets (N, 2); it never mirrors.

    Source: Umeyama 1991, in two dimensions, where a complex factor turns and scales at once.
    """
    if not np.isfinite(points).all():
        raise CropSpecError(
            "alignment five-point needs five landmarks of each face, and this face detector gave none",
            hint="use a face detector that gives them, or alignment none",
        )
    middle, target_middle = points.mean(axis=0), targets.mean(axis=0)
    z, w = ((array - center) @ (1, 1j) for array, center in [(points, middle), (targets, target_middle)])
    spread = np.vdot(z, z).real
    factor = np.vdot(z, w) / spread if spread else 0j
    if not factor:
        raise CropSpecError(
            f"alignment five-point cannot tell how the face at {middle.round(1).tolist()} is turned: its landmarks "
            "lie in one place",
            hint="use another face detector, or alignment none",
        )
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, target_middle - turn @ middle])


def _warped(image: NDArray[np.uint8], matrix: Matrix, size: int) -> NDArray[np.uint8]:
    """Return the crop that a matrix describes; a reduced crop is warped at several times its size and averaged.

    A plain warp samples four pixels of the image per pixel of the crop, regardless of the scale, and creates aliasing
    in hair and pores.
    """
    shrink = 1 / math.hypot(matrix[0, 0], matrix[1, 0])
    times = max(1, min(math.ceil(shrink - 1e-6), MOST_SAMPLES // size))
    finer = matrix * times
    finer[:, 2] += (times - 1) / 2  # centers of pixels, not their corners, are the whole numbers
    x0, y0, x1, y1 = _reach(matrix, size, image.shape)
    finer[:, 2] += finer[:, :2] @ (x0, y0)
    warped = cv2.warpAffine(
        image[y0:y1, x0:x1],
        finer,
        (size * times, size * times),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    averaged = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA) if times > 1 else warped
    return np.ascontiguousarray(averaged, dtype=np.uint8)


def _reach(matrix: Matrix, size: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the image region needed for a crop; OpenCV warps at most 32,767 pixels per side."""
    height, width = shape[:2]
    corners = np.array([[-1, -1, 1], [size, -1, 1], [-1, size, 1], [size, size, 1]])
    corners = corners @ cv2.invertAffineTransform(matrix).T
    low, high = np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 2
    x0, y0 = (int(value) for value in np.clip(low, 0, (width - 1, height - 1)))
    x1, y1 = (int(value) for value in np.clip(high, (x0 + 1, y0 + 1), (width, height)))
    return x0, y0, x1, y1
