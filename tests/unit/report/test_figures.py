import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import Estimate
from realface.report import figures


def build_table(labels=(0, 0, 1, 1), scores=(0.1, 0.6, 0.4, 0.9)):
    return ScoreTable.from_columns(path=[str(n) for n in range(len(labels))], label=list(labels), score=list(scores))


def elements(figure, tag, style=None):
    found = ElementTree.fromstring(str(figure)).iter(tag)
    return [element for element in found if style is None or element.get("class") == style]


def test_the_roc_curve_runs_through_its_corners():
    figure = figures.roc_figure([figures.roc_of(build_table(), "videos", "curve c0 d0")], title="ROC")
    (line,) = elements(figure, "polyline", "curve c0 d0")
    corners = [tuple(float(number) for number in point.split(",")) for point in line.get("points").split()]
    unit = [((x - figures.LEFT) / figures.PLOT, 1 - (y - figures.TOP) / figures.PLOT) for x, y in corners]
    # from high to low: 0.9 is fake, 0.6 real, 0.4 fake, 0.1 real
    assert np.array(unit) == pytest.approx(np.array([(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]))


def test_one_class_has_no_roc_curve():
    assert figures.roc_of(build_table((0, 0), (0.1, 0.2)), "videos", "curve") is None


def test_a_long_curve_keeps_only_the_corners_that_can_be_seen():
    labels = np.arange(50_000) % 2
    scores = np.random.default_rng(0).random(50_000)
    curve = figures.roc_of(ScoreTable.from_columns(path=["a"] * 50_000, label=labels, score=scores), "x", "curve")
    assert len(str(figures.roc_figure([curve], title="ROC"))) < 60_000


def test_histogram_bars_are_shares_of_their_class():
    table = build_table((0, 0, 0, 0, 1), (0.01, 0.02, 0.03, 0.99, 0.99))
    figure = figures.histogram_figure(table, 0.5, title="scores")
    heights = {
        style: [float(bar.get("height")) for bar in elements(figure, "rect", style)] for style in ("real", "fake")
    }
    assert heights["real"][0] == pytest.approx(3 * heights["real"][1], abs=0.2)
    assert heights["fake"] == pytest.approx([heights["real"][0] * 4 / 3], abs=0.2)


def test_a_score_of_1_is_in_the_last_bar():
    figure = figures.histogram_figure(build_table((0, 1), (0.0, 1.0)), 0.5, title="scores")
    assert len(elements(figure, "rect")) == 2


def test_the_threshold_stands_at_its_score():
    (line,) = elements(figures.histogram_figure(build_table(), 0.25, title="scores"), "line", "threshold")
    assert float(line.get("x1")) == pytest.approx(figures.LEFT + figures.PLOT / 4, abs=0.1)


def test_an_interval_is_drawn_from_bound_to_bound_on_the_given_scale():
    figure = figures.interval_figure(Estimate(0.75, 0.5, 1.0, None), lowest=0.5, title="AUC")
    (interval,), (dot,) = elements(figure, "line", "interval"), elements(figure, "circle")
    assert (interval.get("x1"), dot.get("cx"), interval.get("x2")) == ("4.0", "60.0", "116.0")


def test_no_value_draws_nothing_and_no_interval_draws_the_dot_alone():
    assert figures.interval_figure(Estimate(None, None, None, "why"), lowest=0, title="AUC") == ""
    figure = figures.interval_figure(Estimate(0.9, None, None, "why"), lowest=0, title="AUC")
    assert (len(elements(figure, "circle")), len(elements(figure, "line", "interval"))) == (1, 0)


def test_titles_are_escaped():
    figure = figures.roc_figure([], title='"><script>alert(1)</script>')
    assert "<script" not in figure
    assert elements(figure, "title")[0].text == '"><script>alert(1)</script>'


def test_many_curves_differ_in_colour_or_dash():
    styles = [figures.curve_style(number) for number in range(18)]
    assert len(set(styles)) == 18
    assert all(re.fullmatch(r"curve c[0-5] d[0-2]", style) for style in styles)
