"""Indices of facial regions in the 468-point face mesh.

Left and right are as the viewer sees them, as in the five landmarks of `Face`. The polygons go once around the region.

Source: MediaPipe Face Mesh (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile
GPUs", arXiv 1907.06724), whose connection lists name these contours. The nose polygon is ours.
"""

from __future__ import annotations

NUM_POINTS = 468

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""From the top of the forehead (10) clockwise; 152 is the chin, 454 and 234 are the sides."""

LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Outer contour of the lips, from the left corner over the upper lip."""

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Inner contour of the lips, from the left corner; the edge of an open mouth."""

LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
RIGHT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)

LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)

NOSE = (168, 193, 122, 196, 198, 49, 129, 98, 97, 2, 326, 327, 358, 279, 420, 419, 351, 417)
"""From the bridge down the left side, under the tip and up the right side."""

NOSE_TIP = 1

FIVE_POINTS: tuple[tuple[int, ...], ...] = (LEFT_EYE, RIGHT_EYE, (NOSE_TIP,), (61,), (291,))
"""Mesh points whose mean corresponds to each of the five landmarks of a face detector."""
