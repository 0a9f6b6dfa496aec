"""Write the mean shape of the face mesh, from which masks are built where only five landmarks are known.

The shape is the mesh of the two public-domain portraits that come with Matplotlib and scikit-image, and of their mirror
images, averaged in a frame whose x axis joins the eyes. Averaging with the mirror images makes the shape symmetric. The
last column names each point's mirror point.

Usage: python tools/make_face_shape.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from realface.core.boxes import Box
from realface.core.mesh_regions import LEFT_EYE, RIGHT_EYE
from realface.faces.mesh import FaceMesh
from realface.media.images import read_image

TARGET = Path(__file__).parents[1] / "src" / "realface" / "data" / "pseudo_fakes" / "face_shape.csv"
HOPPER_BOX = Box(180, 60, 340, 260)
ASTRONAUT_BOX = Box(170, 70, 275, 200)


def framed(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points with the origin between the eyes, which are at x = -0.5 and 0.5."""
    left, right = (points[list(eye)].mean(axis=0).astype(np.float64) for eye in (LEFT_EYE, RIGHT_EYE))
    across = (right - left)[:2]
    distance = np.hypot(*across)
    cos, sin = across / distance
    centred = points - (left + right) / 2
    x = centred[:, 0] * cos + centred[:, 1] * sin
    y = centred[:, 1] * cos - centred[:, 0] * sin
    return np.column_stack([x, y, centred[:, 2]]) / distance


def mean_face() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the symmetric mean shape, (468, 3), and the index of each point's mirror point."""
    mesh = FaceMesh.load()
    hopper = read_image(Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    portraits = [(hopper, HOPPER_BOX), (skimage.data.astronaut(), ASTRONAUT_BOX)]
    plain, mirrored = [], []
    for image, box in portraits:
        width = image.shape[1]
        plain.append(framed(mesh.landmarks(image, box).points))
        flipped_box = Box(width - box.x1, box.y0, width - box.x0, box.y1)
        mirrored.append(framed(mesh.landmarks(cv2.flip(image, 1), flipped_box).points) * (-1, 1, 1))
    shape, reflection = np.mean(plain, axis=0), np.mean(mirrored, axis=0)
    # the mirror image's point i lies where the plain image has the mirror point of i
    _, mirror = linear_sum_assignment(cdist(shape, reflection))
    if not np.array_equal(mirror[mirror], np.arange(len(mirror))):
        raise SystemExit("the mirror points do not come in pairs; check the boxes")
    shape = (shape + reflection[mirror]) / 2
    shape = (shape + shape[mirror] * (-1, 1, 1)) / 2
    return shape, mirror


def main() -> None:
    """Compute the mean shape and write it."""
    shape, mirror = mean_face()
    lines = [f"{x:.4f},{y:.4f},{z:.4f},{partner}" for (x, y, z), partner in zip(shape, mirror, strict=True)]
    TARGET.write_text("x,y,z,mirror\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
