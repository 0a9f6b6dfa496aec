"""Which of the people in a video are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from realface.faces.tracks import main_track
from realface.prepare.masks import MaskCut
from realface.prepare.record import FacesByFrame

Cuts = Mapping[int, Sequence[MaskCut]]
"""What the mask says of each face, by the frame's number."""


def chosen_tracks(faces: FacesByFrame, rule: Literal["largest", "mask", "all"], cuts: Cuts | None) -> list[int]:
    """The numbers of the people to keep, in order.

    Args:
        faces: by the frame's number, in the order of time.
        rule: `largest` keeps the person who covers the most picture over all frames; `mask` the one whose boxes overlap
            the forged pixels most, over all frames, and where there is no mask the largest; `all` everybody.
        cuts: of the mask; None where there is none. Whoever it never touches is not forged: `mask` and `all` leave
            those out, because their label would be wrong.

    Returns:
        Empty where no face fits.
    """
    everybody = sorted({one.track for here in faces.values() for one in here})
    if not everybody:
        return []
    if cuts is not None and rule != "largest":
        overlaps = _overlaps(faces, cuts)
        forged = [track for track in everybody if overlaps.get(track, 0.0) > 0]
        if rule == "all" or not forged:
            return forged
        return [max(forged, key=lambda track: overlaps[track])]
    if rule == "all":
        return everybody
    largest = main_track(
        [[one.face for one in here] for here in faces.values()],
        [[one.track for one in here] for here in faces.values()],
    )
    return [] if largest is None else [largest]


def _overlaps(faces: FacesByFrame, cuts: Cuts) -> dict[int, float]:
    """Of each person, added up over the frames."""
    overlaps: dict[int, float] = {}
    for frame, here in faces.items():
        for one, cut in zip(here, cuts.get(frame, ()), strict=True):
            overlaps[one.track] = overlaps.get(one.track, 0.0) + cut.overlap
    return overlaps
