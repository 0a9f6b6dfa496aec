"""Group the faces in a video's frames by person, by linking their positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from realface.core.boxes import Box
from realface.faces.detectors.face_detector import Face

SAME_FACE_OVERLAP = 0.2  # sampled frames are far apart in time, so heads may have moved a good deal


def link_faces(frames: Sequence[Sequence[Face]], sizes: Sequence[tuple[int, int]] = ()) -> list[list[int]]:
    """Number the tracks.

    Each face joins the track whose last box overlaps it most, one face per track and frame, the largest overlap first;
    a face that overlaps none opens a track. A track survives frames in which its face was not found.

    Args:
        frames: the faces of each frame, in the order of time.
        sizes: (height, width) of each frame in pixels, for videos whose size changes: boxes are compared as parts of
            their frames. All frames have one size when empty.

    Returns:
        For each frame, for each of its faces, the number of its track, counted from 0 in order of appearance.
    """
    last_boxes: list[Box] = []
    numbers: list[list[int]] = []
    for boxes in _in_one_scale(frames, sizes):
        given: dict[int, int] = {}
        overlaps = np.array([[box.overlap(last) for last in last_boxes] for box in boxes])
        overlaps = overlaps.reshape(len(boxes), len(last_boxes))  # keeps two dimensions without boxes or tracks
        for flat in np.argsort(-overlaps, axis=None, kind="stable"):
            face, track = divmod(int(flat), len(last_boxes))
            if overlaps[face, track] < SAME_FACE_OVERLAP:
                break  # sorted, so all later overlaps are smaller
            if face not in given and track not in given.values():
                given[face] = track
        for face, box in enumerate(boxes):
            if face not in given:
                given[face] = len(last_boxes)
                last_boxes.append(box)
            last_boxes[given[face]] = box
        numbers.append([given[face] for face in range(len(boxes))])
    return numbers


def _in_one_scale(frames: Sequence[Sequence[Face]], sizes: Sequence[tuple[int, int]]) -> Iterator[list[Box]]:
    """Yield the boxes of each frame, as they would be if every frame had the first one's size."""
    for faces, (height, width) in zip(frames, sizes or [(1, 1)] * len(frames), strict=True):
        down, across = (sizes[0][0] / height, sizes[0][1] / width) if sizes else (1.0, 1.0)
        boxes = [face.box for face in faces]
        yield [Box(b.x0 * across, b.y0 * down, b.x1 * across, b.y1 * down) for b in boxes]


def main_track(frames: Sequence[Sequence[Face]], numbers: Sequence[Sequence[int]]) -> int | None:
    """Return the track with the largest area over all frames; None without a face."""
    areas: dict[int, float] = {}
    for faces, tracks in zip(frames, numbers, strict=True):
        for face, track in zip(faces, tracks, strict=True):
            areas[track] = areas.get(track, 0.0) + face.box.area
    return max(areas, key=lambda track: areas[track]) if areas else None
