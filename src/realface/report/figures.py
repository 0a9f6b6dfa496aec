"""The report's figures as inline SVG.

They are drawn directly, with a few paths each. The page's style sheet colours them, so they adapt to light mode, dark
mode and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.metrics.ranking import missing_class, roc_curve
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import Estimate

NUM_BINS = 25
NUM_COLOURS = 6
"""Curve colours in the style sheet; further curves repeat them with other dashes."""
PLOT, LEFT, TOP, RIGHT, BOTTOM = 300, 66, 14, 24, 48
"""Side of the plotting area and the margins around it, in units of the drawing."""


@dataclass(frozen=True)
class Curve:
    """A line of the ROC figure.

    Attributes:
        name: name in the legend.
        style: classes of the style sheet.
        false_positive_rate: (T,), from 0 to 1.
        true_positive_rate: (T,), from 0 to 1.
    """

    name: str
    style: str
    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]


def roc_of(table: ScoreTable, name: str, style: str) -> Curve | None:
    """Return the ROC curve of a table, or None if the table has only one class."""
    if missing_class(table.labels):
        return None
    return Curve(name, style, *roc_curve(table.labels, table.scores))


def curve_style(number: int) -> str:
    """Return the classes that give the curve of this number, from 0, its colour and dashes."""
    return f"curve c{number % NUM_COLOURS} d{number // NUM_COLOURS % 3}"


def roc_figure(curves: Sequence[Curve], *, title: str) -> Markup:
    """Return a figure of ROC curves with the diagonal of chance.

    Args:
        curves: the curves. The first is drawn on top.
        title: text for screen readers.
    """
    body = [_axes("false positive rate (reals)", "true positive rate (fakes)"), _line([(0, 0), (1, 1)], "chance")]
    body += [_line(_points(curve), curve.style) for curve in reversed(curves)]
    return _svg(body, title, width=LEFT + PLOT + RIGHT, height=TOP + PLOT + BOTTOM)


def histogram_figure(table: ScoreTable, threshold: float, *, title: str) -> Markup:
    """Return a histogram of the scores of reals (upward) and fakes (downward), as shares of each class.

    Args:
        table: the scores; every row counts once.
        threshold: score from which a row counts as fake, in [0, 1]; drawn as a line.
        title: text for screen readers.
    """
    edges = np.linspace(0, 1, NUM_BINS + 1)
    shares = {}
    for label in Label:
        scores = table.scores[table.labels == label]
        shares[label] = np.histogram(scores, edges)[0] / max(len(scores), 1)
    top = max(float(share.max()) for share in shares.values()) or 1.0
    half, width = PLOT / 2, PLOT / NUM_BINS
    body = [_text(LEFT + PLOT * x, TOP + PLOT + 18, f"{x:g}", "middle") for x in (0, 0.25, 0.5, 0.75, 1)]
    for label, style, direction in ((Label.REAL, "real", -1), (Label.FAKE, "fake", 1)):
        for number, share in enumerate(shares[label]):
            height = half * 0.94 * float(share) / top
            y = TOP + half + (0 if direction > 0 else -height)
            if height > 0:
                x = LEFT + number * width
                body.append(
                    _tag(
                        f'<rect class="{style}" x="{x + 0.6:.1f}" y="{y:.1f}" width="{width - 1.2:.1f}" '
                        f'height="{height:.1f}"/>'
                    )
                )
        middle = TOP + half + direction * half * 0.94
        body.append(_text(LEFT - 8, middle + 4, f"{top:.0%}", "end"))
        # the label goes to the end where its class should have no bars
        x, anchor = (LEFT + PLOT, "end") if label == Label.REAL else (LEFT + 6, "start")
        body.append(_text(x, TOP + half + direction * half * 0.86 + 4, f"{label.word}s", anchor, style))
    body.append(_text(LEFT - 8, TOP + half + 4, "0", "end"))
    body.append(_rule(LEFT, TOP + half, LEFT + PLOT, TOP + half, "axis"))
    x = LEFT + PLOT * threshold
    body.append(_rule(x, TOP, x, TOP + PLOT, "threshold"))
    anchor, shift = ("start", 5) if threshold < 0.5 else ("end", -5)
    body.append(_text(x + shift, TOP + PLOT - 4, f"threshold {threshold:.3f}", anchor, "threshold-name"))
    body.append(_text(LEFT + PLOT / 2, TOP + PLOT + 38, "score (0 = real, 1 = fake)", "middle"))
    return _svg(body, title, width=LEFT + PLOT + RIGHT, height=TOP + PLOT + BOTTOM)


def interval_figure(estimate: Estimate, *, lowest: float, title: str) -> Markup:
    """Return a dot with its interval on a line from `lowest` to 1, as high as a line of text.

    Args:
        estimate: a value in [0, 1] with its interval.
        lowest: value at the left end of the line.
        title: text for screen readers.

    Returns:
        The figure; empty if the estimate has no value.
    """
    if estimate.value is None:
        return Markup("")
    width, height = 120, 16

    def at(value: float) -> float:
        return 4 + (width - 8) * (max(value, lowest) - lowest) / (1 - lowest)

    body = [_rule(4, height / 2, width - 4, height / 2, "scale")]
    if estimate.low is not None and estimate.high is not None:
        body.append(_rule(at(estimate.low), height / 2, at(estimate.high), height / 2, "interval"))
    body.append(_tag(f'<circle class="dot" cx="{at(estimate.value):.1f}" cy="{height / 2:g}" r="3.5"/>'))
    return _svg(body, title, width=width, height=height)


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Return the corners of the curve, without steps that are too small to see."""
    steps = np.round(np.stack([curve.false_positive_rate, curve.true_positive_rate], axis=1) * PLOT * 2) / (PLOT * 2)
    moved = np.append(True, (np.diff(steps, axis=0) != 0).any(axis=1))
    return [(float(x), float(y)) for x, y in steps[moved]]


def _axes(x_name: str, y_name: str) -> Markup:
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = LEFT + PLOT * tick, TOP + PLOT * (1 - tick)
        parts += [_rule(LEFT, y, LEFT + PLOT, y, "grid"), _rule(x, TOP, x, TOP + PLOT, "grid")]
        parts += [_text(x, TOP + PLOT + 18, f"{tick:.0%}", "middle"), _text(LEFT - 8, y + 4, f"{tick:.0%}", "end")]
    parts.append(_text(LEFT + PLOT / 2, TOP + PLOT + 38, x_name, "middle"))
    centre = TOP + PLOT / 2
    parts.append(_tag(f'<g transform="rotate(-90 12 {centre:g})">{_text(12, centre + 4, y_name, "middle")}</g>'))
    return Markup("").join(parts)


def _line(points: Iterable[tuple[float, float]], style: str) -> Markup:
    """Return a polyline through points of the unit square."""
    corners = " ".join(f"{LEFT + PLOT * x:.1f},{TOP + PLOT * (1 - y):.1f}" for x, y in points)
    return _tag(f'<polyline class="{style}" points="{corners}"/>')


def _rule(x0: float, y0: float, x1: float, y1: float, style: str) -> Markup:
    return _tag(f'<line class="{style}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>')


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(style, x, y, anchor, text)


def _svg(body: Sequence[Markup], title: str, *, width: float, height: float) -> Markup:
    opening = Markup('<svg role="img" viewBox="0 0 {:g} {:g}" aria-label="{}"><title>{}</title>')
    return opening.format(width, height, title, title) + Markup("").join(body) + Markup("</svg>")


def _tag(text: str) -> Markup:
    """Mark an element as safe. It must contain only numbers and our own class names; names from files use `_text`."""
    return Markup(text)  # noqa: S704
