"""All example faces of an evaluation as one image: fakes left, reals right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realface.core.labels import Label
from realface.core.map_kinds import MapKind
from realface.evaluation.forgery_map import Scale, colour_bar
from realface.media.sheets import FAINT, GAP, Picture, beside, framed, line, resized, stacked

KINDS = {
    "fake_hardest": "Fakes that look most real to it",
    "real_hardest": "Reals that look most fake to it",
    "fake_easiest": "Fakes that look most fake to it",
    "real_easiest": "Reals that look most real to it",
}
"""Kinds of examples, in the order in which they are shown."""
CELL = 144  # pixels: side of an image
BAR = 120  # pixels: width of a legend's colours
WORDS = 300  # pixels for the text about a face
SEAM, KINDS_APART, CLASSES_APART = 4, 24, 32  # pixels between a face's images, and between groups of faces


def draw_sheet(
    entries: Sequence[Mapping[str, Any]], pictures: Sequence[Mapping[str, Picture]], scales: Mapping[MapKind, Scale]
) -> Picture:
    """Draw the sheet.

    Args:
        entries: the examples, at least one, as in the index: `kind`, `label`, `method`, `score` and `prediction`.
        pictures: images of each example by name, the same names for all.
        scales: scales of the maps in `pictures`, for the legend.

    Returns:
        (H, W, 3) RGB.
    """
    columns = []
    for label in reversed(Label):
        groups = []
        for kind in (kind for kind in KINDS if kind.startswith(label.word)):
            strips = [
                _strip(entry, shown) for entry, shown in zip(entries, pictures, strict=True) if entry["kind"] == kind
            ]
            if strips:
                groups.append(stacked([_heading(KINDS[kind], list(pictures[0])), *strips]))
        if groups:
            columns.append(stacked(groups, gap=KINDS_APART))
    faces = beside(columns, gap=CLASSES_APART)
    legend = [_legend(kind, scale, width=faces.shape[1]) for kind, scale in scales.items()]
    return framed(stacked([faces, stacked(legend)], gap=KINDS_APART) if legend else faces, gap=16)


def _heading(title: str, names: Sequence[str]) -> Picture:
    """Return a title over the names of the images below."""
    heads = beside([line(name, width=CELL, size=14, colour=FAINT) for name in names], gap=SEAM)
    return stacked([line(title, width=max(heads.shape[1], WORDS), size=18), heads])


def _strip(entry: Mapping[str, Any], pictures: Mapping[str, Picture]) -> Picture:
    """Return an example's images above the text about the example."""
    method = f", {entry['method']}" if entry["method"] else ""
    words = f"{entry['score']:.3f}  {entry['label']}{method}; called {entry['prediction']}"
    row = beside([resized(picture, height=CELL, width=CELL) for picture in pictures.values()], gap=SEAM)
    return stacked([row, line(words, width=max(row.shape[1], WORDS), size=14)])


def _legend(kind: MapKind, scale: Scale, *, width: int) -> Picture:
    """Return a legend of a map's colours."""
    words = line(f"{kind} {scale}: {kind.meaning}", width=max(width - BAR - GAP, WORDS), size=14, colour=FAINT)
    return beside([colour_bar(height=words.shape[0], width=BAR), words])
