"""Which faces of a video's frames belong to one person: linked by where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realface.core.boxes import Box
from realface.faces.finder import Face

SAME_FACE_OVERLAP = 0.2  # sampled frames lie far apart in time, so heads may have moved a good deal


def link_faces(frames: Sequence[Sequence[Face]]) -> list[list[int]]:
    """Number the tracks.

    Each face joins the track whose last box overlaps it most, one face per track and frame, the largest overlap first;
    a face that overlaps none opens a track. A track survives frames in which its face was not found.

    Args:
        frames: the faces of each frame, in the order of time.

    Returns:
        For each frame, for each of its faces, the number of its track, counted from 0 in order of appearance.
    """
    last_boxes: list[Box] = []
    numbers: list[list[int]] = []
    for faces in frames:
        given: dict[int, int] = {}
        overlaps = np.array([[face.box.overlap(box) for box in last_boxes] for face in faces])
        overlaps = overlaps.reshape(len(faces), len(last_boxes))
        for flat in np.argsort(-overlaps, axis=None, kind="stable"):
            face, track = divmod(int(flat), len(last_boxes))
            if overlaps[face, track] < SAME_FACE_OVERLAP:
                break
            if face not in given and track not in given.values():
                given[face] = track
        for face in range(len(faces)):
            if face not in given:
                given[face] = len(last_boxes)
                last_boxes.append(faces[face].box)
            last_boxes[given[face]] = faces[face].box
        numbers.append([given[face] for face in range(len(faces))])
    return numbers


def main_track(frames: Sequence[Sequence[Face]], numbers: Sequence[Sequence[int]]) -> int | None:
    """The track that covers the most picture over all frames: the largest face that stays; None without a face."""
    areas: dict[int, float] = {}
    for faces, tracks in zip(frames, numbers, strict=True):
        for face, track in zip(faces, tracks, strict=True):
            areas[track] = areas.get(track, 0.0) + face.box.area
    return max(areas, key=lambda track: areas[track]) if areas else None
