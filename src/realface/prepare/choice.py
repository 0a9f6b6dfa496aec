"""Which of the people in a video are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from realface.faces.tracks import main_track
from realface.prepare.masks import MaskCut
from realface.prepare.record import FacesByFrame

FORGED_FROM = 0.1
"""Of a person's box, or of what is forged, in the mean over frames; boxes of people side by side overlap."""

Cuts = Mapping[int, Sequence[MaskCut]]
"""What the mask says of each face, by the frame's number."""


def chosen_tracks(faces: FacesByFrame, rule: Literal["largest", "mask", "all"], cuts: Cuts | None) -> list[int]:
    """The numbers of the people to keep, in order.

    Args:
        faces: by the frame's number, in the order of time.
        rule: `largest` keeps the person who covers the most picture over all frames; `mask` the one whose boxes overlap
            the forged pixels most, over all frames, and where there is no mask the largest; `all` everybody.
        cuts: of the mask; None where there is none. Whoever it marks less than `FORGED_FROM` is not forged, but may
            have a forged neighbour: `mask` and `all` leave those out, because their label would be wrong.

    Returns:
        Empty where no face fits.
    """
    everybody = sorted({one.track for here in faces.values() for one in here})
    if not everybody:
        return []
    if cuts is not None and rule != "largest":
        marks = _by_track(faces, cuts)
        forged = [track for track in everybody if marks[track] and _mean_share(marks[track]) >= FORGED_FROM]
        if rule == "all" or not forged:
            return forged
        return [max(forged, key=lambda track: sum(cut.overlap for cut in marks[track]))]
    if rule == "all":
        return everybody
    largest = main_track(
        [[one.face for one in here] for here in faces.values()],
        [[one.track for one in here] for here in faces.values()],
    )
    return [] if largest is None else [largest]


def _by_track(faces: FacesByFrame, cuts: Cuts) -> defaultdict[int, list[MaskCut]]:
    """What the mask says of each person, in the frames in which it marks anybody."""
    marks: defaultdict[int, list[MaskCut]] = defaultdict(list)
    for frame, here in faces.items():
        if any(cut.share for cut in cuts.get(frame, ())):
            for one, cut in zip(here, cuts[frame], strict=True):
                marks[one.track].append(cut)
    return marks


def _mean_share(cuts: Sequence[MaskCut]) -> float:
    return sum(cut.share for cut in cuts) / len(cuts)
