"""Choose the people in a video to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from realface.faces.tracks import main_track
from realface.prepare.masks import MaskCut
from realface.prepare.record import FacesByFrame

FORGED_FROM = 0.1
"""Share of a person's box or of the fake pixels, averaged over frames; boxes of neighbouring people overlap."""

Cuts = Mapping[int, Sequence[MaskCut]]
"""Mask crop of each face, by frame number."""


def chosen_tracks(faces: FacesByFrame, rule: Literal["largest", "mask", "all"], cuts: Cuts | None) -> list[int]:
    """Return the numbers of the people to keep, in order.

    Args:
        faces: faces by frame number, in the order of time.
        rule: `largest` keeps the person with the largest area over all frames; `mask` keeps the person whose boxes
            overlap the fake pixels most over all frames, and the largest without a mask; `all` keeps all people.
        cuts: crops of the mask; None without a mask. People with less than `FORGED_FROM` fake pixels are not fake, but
            may have a fake neighbour: `mask` and `all` exclude them, because their label would be wrong.

    Returns:
        Track numbers; empty if no face matches.
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
    """Return the mask crops of each person, in the frames in which the mask marks a face."""
    marks: defaultdict[int, list[MaskCut]] = defaultdict(list)
    for frame, here in faces.items():
        if any(cut.share for cut in cuts.get(frame, ())):
            for one, cut in zip(here, cuts[frame], strict=True):
                marks[one.track].append(cut)
    return marks


def _mean_share(cuts: Sequence[MaskCut]) -> float:
    return sum(cut.share for cut in cuts) / len(cuts)
