"""The report: one self-contained HTML file that opens without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from realface import __version__
from realface.core.artifact import DEMONSTRATION
from realface.core.errors import ReportError
from realface.core.files import write_text
from realface.core.labels import Label
from realface.evaluation.evaluate import DEMONSTRATION_NOTE
from realface.evaluation.example_sheet import KINDS
from realface.evaluation.forgery_map import colour_bar
from realface.evaluation.inpainting import BaselineError
from realface.media.images import read_image
from realface.metrics.ranking import METRICS
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import Counts, Estimate
from realface.report.evaluations import EvaluationFolder, read_evaluations
from realface.report.figures import curve_style, histogram_figure, interval_figure, roc_figure, roc_of

IMAGE_SIZE = 288
"""Longest side of an embedded image, in pixels: twice the size on the page, for high-resolution screens."""
SUFFIXES = (".html", ".htm")
"""File name extensions of a report."""
METRIC_NAMES = {
    "auc": "AUC",
    "eer": "Equal error rate",
    "average_precision": "Average precision",
    "accuracy": "Accuracy at the threshold",
    "log_loss": "Log-loss (nats)",
}
Numbers = Mapping[str, Estimate]


@dataclass(frozen=True)
class _Row:
    """A row of a table of metrics, about one forgery method or one evaluation.

    Attributes:
        name: name of the method or the evaluation.
        style: class of the row in the style sheet.
        frame: metrics by frame.
        main: metrics by video, or by crop if no crop names its video.
        unit: `video` or `crop`.
        counts: number of frames and videos that were measured.
    """

    name: str
    style: str
    frame: Numbers
    main: Numbers
    unit: str
    counts: Mapping[str, int]

    def drawn(self, lowest: float) -> Markup:
        """Return the AUC by video with its interval, drawn on a line from `lowest` to 1."""
        auc = self.main["auc"]
        return interval_figure(auc, lowest=lowest, title=f"{_number(auc)} {_interval(auc)} from {lowest:g} to 1")


@dataclass(frozen=True)
class _Table:
    """A table of metrics.

    Attributes:
        rows: the rows.
        lowest: left end of the drawn intervals; the right end is 1.
        reasons: why metrics or intervals are missing.
        unit: what the rows count: `video`, `crop`, or `video or crop` if they differ.
    """

    rows: list[_Row]
    lowest: float
    reasons: list[str]
    unit: str


@dataclass(frozen=True)
class _Localisation:
    """A row of the localisation table, about the fakes of one method or about all fakes.

    Attributes:
        name: name of the method.
        style: class of the row in the style sheet.
        whole: `pixel_auc`, `iou` and `chance_iou`.
        inside: mean error inside the mask: `fake`, `real`, `difference` and `auc`.
        num_crops: number of fake crops.
        num_videos: number of fake videos.
        names_videos: whether any crop names its video.
    """

    name: str
    style: str
    whole: Numbers
    inside: Numbers
    num_crops: int
    num_videos: int
    names_videos: bool


@dataclass(frozen=True)
class _Detections:
    """Number of videos of a class at or above the threshold; of crops if no crop names its video."""

    word: str
    fake: int
    total: int


@dataclass(frozen=True)
class _Example:
    """A face with its images as `data:` URLs."""

    entry: Mapping[str, Any]
    images: Mapping[str, str]


@dataclass(frozen=True)
class _Legend:
    """Meaning of the colours of a map.

    Attributes:
        name: name of the map.
        meaning: what strong colours mean.
        low: value of the weakest colour.
        high: value of the strongest colour.
    """

    name: str
    meaning: str
    low: str
    high: str


@dataclass(frozen=True)
class _View:
    """Everything that the template shows of one evaluation."""

    name: str
    document: Mapping[str, Any]
    frame: Numbers
    main: Numbers
    unit: str
    methods: _Table
    roc: Markup | None
    histogram: Markup
    detections: list[_Detections]
    localisation: list[_Localisation]
    fills: Mapping[str, BaselineError]
    examples: Mapping[str, list[_Example]]
    legends: list[_Legend]
    is_demonstration: bool


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write a report of one evaluation, or a comparison of several.

    Args:
        folders: output folders of `realface evaluate`. Nothing else is read.
        out: the HTML file. An existing file is replaced.

    Raises:
        ReportError: `out` does not end in `.html` or `.htm`.
        MissingInputError: a folder, or a file or image in it, is missing.
        MetricError: a folder is not the output of `realface evaluate`.
        MediaError: an image is damaged.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ReportError(
            f"cannot write {out}: a report is an HTML file, with a name that ends in .html or .htm",
            hint=f"pass `--out {out.with_suffix('.html')}`; print that page from a browser to get a PDF",
        )
    evaluations = read_evaluations(folders)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("realface.report", "."),
        autoescape=True,  # names of methods, videos and files are untrusted
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["interval"] = _interval
    environment.filters["plural"] = _plural
    compared = _comparison(evaluations) if len(evaluations) > 1 else None
    page = environment.get_template("page.html.j2").render(
        views=[_view(evaluation) for evaluation in evaluations],
        compared=compared,
        compared_roc=_compared_roc(evaluations) if compared else None,
        has_same_rows=_has_same_rows(evaluations),
        metric_names=METRIC_NAMES,
        kinds=KINDS,
        colour_bar=_embedded(colour_bar(height=24, width=240)),
        demonstration_note=DEMONSTRATION_NOTE,  # left out of the notes: the banner says the same
        style=Markup(environment.get_template("page.css").render()),  # noqa: S704 (our own file)
        version=__version__,
    )
    write_text(out, page)


def _view(evaluation: EvaluationFolder) -> _View:
    document, table = evaluation.document, evaluation.table
    videos, unit = table.video_level(), _unit(document)
    curves = [roc_of(videos, f"{unit}s", "curve c0 d0")]
    if unit == "video":
        curves.append(roc_of(table, "frames", "curve c1 d1"))
    drawn = [curve for curve in curves if curve]
    by = [unit, "frame"][: len(curves)]
    methods = [(name, numbers, "") for name, numbers in document["per_method"].items()]
    return _View(
        name=evaluation.name,
        document=document,
        frame=_numbers(document["frame"]),
        main=_main_numbers(document),
        unit=unit,
        methods=_table([("all fakes", document, "total"), *methods]),
        roc=roc_figure(drawn, title=f"ROC curves of {evaluation.name}, by {' and by '.join(by)}") if drawn else None,
        histogram=histogram_figure(
            videos, document["threshold"], title=f"Histogram of the {unit} scores of {evaluation.name}, real and fake"
        ),
        detections=[
            _detections(videos, label, document["threshold"])
            for label in reversed(Label)
            if (videos.labels == label).any()
        ],
        localisation=_localisation(document.get("localisation")),
        fills=_fills(document.get("inpainting")),
        examples=_examples(evaluation),
        legends=[
            _Legend(str(each["name"]), str(each["meaning"]), f"{each['low']:.3g}", f"{each['high']:.3g}")
            for each in evaluation.maps
        ],
        is_demonstration=document["artifact"].get("purpose") == DEMONSTRATION,
    )


def _detections(videos: ScoreTable, label: Label, threshold: float) -> _Detections:
    scores = videos.scores[videos.labels == label]
    return _Detections(label.word, int((scores >= threshold).sum()), len(scores))


def _localisation(localisation: Mapping[str, Any] | None) -> list[_Localisation]:
    """Return the rows of the localisation table; none if not measured. A single method gets no row of its own."""
    if localisation is None:
        return []
    methods = localisation["per_method"] if len(localisation["per_method"]) > 1 else {}
    return [
        _Localisation(
            name,
            style,
            {key: Estimate(**document[key]) for key in ("pixel_auc", "iou", "chance_iou")},
            {key: Estimate(**document["error_inside"][key]) for key in ("fake", "real", "difference", "auc")},
            document["num_crops"],
            document["num_videos"],
            names_videos=document.get("num_unnamed", 0) < max(document["num_crops"], 1),
        )
        for name, document, style in [
            ("all fakes", localisation["overall"], "total"),
            *((name, document, "") for name, document in methods.items()),
        ]
    ]


def _fills(inpainting: Mapping[str, Any] | None) -> dict[str, BaselineError]:
    """Return the rows of the inpainting table; none if it was not measured."""
    if inpainting is None:
        return {}
    return {
        name: BaselineError(**{key: number and Estimate(**number) for key, number in numbers.items()})
        for name, numbers in {"MAE": inpainting["mae"], **inpainting["inpainting_baselines"]}.items()
    }


def _comparison(evaluations: Sequence[EvaluationFolder]) -> _Table:
    return _table([(each.name, each.document, curve_style(number)) for number, each in enumerate(evaluations)])


def _compared_roc(evaluations: Sequence[EvaluationFolder]) -> Markup | None:
    curves = [roc_of(each.table.video_level(), each.name, curve_style(n)) for n, each in enumerate(evaluations)]
    drawn = [curve for curve in curves if curve]
    return roc_figure(drawn, title="ROC curves of all evaluations, by video") if drawn else None


def _has_same_rows(evaluations: Sequence[EvaluationFolder]) -> bool:
    """Return whether all evaluations used the same crops. If not, their metrics cannot be compared."""

    def rows(table: ScoreTable) -> list[Any]:
        return sorted(zip(table.column("dataset"), table.column("path"), table.column("label"), strict=True), key=str)

    first = rows(evaluations[0].table)
    return all(rows(evaluation.table) == first for evaluation in evaluations[1:])


def _table(named: Sequence[tuple[str, Mapping[str, Any], str]]) -> _Table:
    """Return a table with one row per (name, part of a document, style), its intervals drawn on one scale."""
    rows = [
        _Row(
            name,
            style,
            frame=_numbers(document["frame"]),
            main=_main_numbers(document),
            unit=_unit(document),
            counts=document["counts"],
        )
        for name, document, style in named
    ]
    bounds = [bound for row in rows for bound in (row.main["auc"].value, row.main["auc"].low) if bound is not None]
    reasons = {f"{row.name}: {row.main['auc'].reason}": None for row in rows if row.main["auc"].reason}
    unit = " or ".join(sorted({row.unit for row in rows}, reverse=True))
    return _Table(rows, 0.5 if min(bounds, default=1.0) >= 0.5 else 0.0, list(reasons), unit)


def _unit(document: Mapping[str, Any]) -> str:
    """Return the unit of the main metrics of a document: `video`, or `crop` if no crop names its video."""
    return Counts(**document["counts"]).unit


def _main_numbers(document: Mapping[str, Any]) -> Numbers:
    """Return the metrics by video, or by frame if no crop names its video."""
    return _numbers(document["video" if _unit(document) == "video" else "frame"])


def _numbers(estimates: Mapping[str, Mapping[str, Any]]) -> Numbers:
    return {name: Estimate(**estimates[name]) for name in METRICS}


def _examples(evaluation: EvaluationFolder) -> dict[str, list[_Example]]:
    by_kind: dict[str, list[_Example]] = {kind: [] for kind in KINDS}
    for entry in evaluation.examples:
        images = {name: _embedded(read_image(evaluation.image_path(file))) for name, file in entry["files"].items()}
        by_kind.setdefault(entry["kind"], []).append(_Example(entry, images))
    return {kind: examples for kind, examples in by_kind.items() if examples}


def _embedded(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Return an image (H, W, 3) as a `data:` URL of a JPEG file."""
    image = Image.fromarray(pixels)
    image.thumbnail((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _number(estimate: Estimate, digits: int = 3) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.{digits}f}"  # noqa: RUF001 (an en dash is meant)


def _plural(unit: str) -> str:
    """Return the plural of a unit, such as `videos`, `identities` or `videos or crops`."""
    plurals = {"person": "people", "identity": "identities"}
    return " or ".join(plurals.get(one, f"{one}s") for one in unit.split(" or "))


def _interval(estimate: Estimate, digits: int = 3) -> str:
    return "" if estimate.low is None else f"[{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
