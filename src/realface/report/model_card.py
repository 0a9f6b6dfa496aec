"""The model card of a detector, in Markdown, made from files only: the same files give the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from realface.core.artifact import ArtifactCard
from realface.core.errors import ArtifactError, MissingInputError, RecipeError
from realface.core.files import existing, write_text
from realface.core.recipe import Section, check_recipe
from realface.core.shipped import WEIGHTS_NAME
from realface.core.text_files import read_text
from realface.evaluation.results import ALL, RESULTS_NAME, Result, read_results
from realface.models.artifact import find_artifact, read_card

FAILURES_NAME = "failures.json"
PSEUDO_FAKES = "pseudo-fakes"
RATES = ("false alarms", "not answered", "uncertain", "called fake", "called real")
"""Metrics that are shown in per cent."""
MISUSE = """Never publish or remove content on the score alone. The score is a clue for a person who also checks the
source, the context and the file itself.

Do not use it

- as evidence in court or for decisions about people, such as at work, in insurance or in identity checks;
- to find out who somebody is;
- on content of which you may not keep or process the faces."""
OUT_OF_SCOPE = """- Wholly generated images and videos: training fakes are manipulated real faces, never generated ones.
- Voices and sound: only images are looked at.
- Anything but faces: text, bodies, places, edited scenes.
- Faces smaller or blurrier than those of the data below, and heavy filters: expect more false alarms there."""
LIMITS = """- The numbers hold for data like those they were measured on. New kinds of forgery may be missed completely.
- A video or photo that was compressed, resized or filtered several times is harder, and so is a face from the side.
- If few of the files that you check are fake, most of those called fake can be real, even with few false alarms."""


class DataSet(Section):
    """A data set in the table of licences."""

    name: str = Field(min_length=1, description="name as in the artifact's sources")
    content: str = Field(description="what it contains")
    licence: str = Field(description="its terms")


class Failure(Section):
    """An image of a failure."""

    file: str = Field(min_length=1, description="file name in the folder")
    caption: str = Field(min_length=1, description="what it shows, with the score")


def write_model_card(
    artifact: Path,
    out: Path,
    *,
    results: Sequence[Path] = (),
    data: Path | None = None,
    failures: Path | None = None,
) -> None:
    """Write the model card of an artifact; an older file of that name is replaced.

    Args:
        artifact: an artifact's folder, or a run's that has it in `artifact`; of a run, its `results.json` is read too.
        out: the Markdown file.
        results: files of results, or `metrics.json` of `realface evaluate`.
        data: JSON list of `DataSet`, for the table of licences.
        failures: folder with images and `failures.json`, a list of `Failure`.

    Raises:
        MissingInputError: a file does not exist.
        ArtifactError, MetricError, RecipeError: a file is not as described.
    """
    folder = find_artifact(artifact)
    card = read_card(folder)
    own = artifact / RESULTS_NAME
    if folder.parent == artifact and own.is_file() and own.resolve() not in {path.resolve() for path in results}:
        results = [own, *results]
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise ArtifactError(f"{folder} has no {WEIGHTS_NAME}", hint="copy the artifact again")
    numbers = [result for path in results for result in read_results(path)]
    data_sets = [] if data is None else _listed(DataSet, data)
    parts = [
        _head(card, weights.stat().st_size),
        f"## Must not be used for\n\n{MISUSE}",
        f"## Out of scope\n\n{OUT_OF_SCOPE}",
        _data(card, data_sets),
        _method(card),
        _verdicts(card),
        _results(card, numbers),
        _failures(failures, out),
        f"## Limits\n\n{LIMITS}",
        _licence(card),
    ]
    write_text(out, "\n\n".join(part for part in parts if part) + "\n")


def named(result: Result) -> str:
    """Return what a result measures, in words."""
    of = [f"{name} {value}" for name, value in (("kind", result.kind), ("source", result.source)) if value != ALL]
    return f"{result.metric}, {result.name}" + (f" ({', '.join(of)})" if of else "")


def estimate_text(result: Result) -> str:
    """Return a value with its interval, rates in per cent."""
    if result.value is None:
        return "-"
    is_rate = result.metric in RATES

    def shown(value: float) -> str:
        return f"{100 * value:.1f}" if is_rate else f"{value:.3f}"

    interval = "" if result.low is None or result.high is None else f" [{shown(result.low)}, {shown(result.high)}]"
    return f"{shown(result.value)}{' %' if is_rate else ''}{interval}"


def _head(card: ArtifactCard, size: int) -> str:
    name = str(card.provenance.get("recipe") or card.method)
    rows = [
        ("task", "estimates how likely the face in an image or video is to be manipulated"),
        ("method", card.method),
        ("encoder", str(card.config.get("encoder", "-"))),
        ("input", f"face crops, resized to {card.input_size} x {card.input_size} pixels"),
        ("crops", card.crop.describe()),
        ("weights", f"{size / 1e6:.1f} MB, SHA-256 `{card.weights_sha256}`"),
        ("purpose", card.purpose),
        ("licence of the weights", card.licence or "unstated"),
    ]
    use = "Help people who check images and videos to decide which ones deserve a closer look, and where in the face."
    if card.purpose == "demonstration":
        use = "Show how the program works. This detector means nothing about real videos."
    return (
        f"# Model card: {_cell(name)}\n\n<!-- Made by `realface card`; changes by hand are lost. -->\n\n"
        f"## What it is\n\n{_table(('', ''), rows)}\n\n## Intended use\n\n{use}"
    )


def _data(card: ArtifactCard, data_sets: Sequence[DataSet]) -> str:
    rows: list[tuple[str, ...]] = []
    sources: dict[str, Any] = {}
    for entry in card.trained_on:
        role = str(entry.get("role", "training faces"))
        sha256 = str(entry.get("sha256", ""))
        rows.append(
            (role, str(entry.get("name", "-")), _count(entry.get("rows")), f"`{sha256[:12]}`" if sha256 else "-")
        )
        sources |= entry["sources"] if isinstance(entry.get("sources"), dict) else {}
    parts = ["## Training data", _table(("role", "name", "crops", "SHA-256 of the rows or file"), rows)]
    terms = {each.name: each for each in data_sets}
    if sources or terms:
        listed = [
            (
                name or "(not named)",
                terms[name].content if name in terms else "-",
                _count(sources.get(name, {}).get("crops")),
                _count(sources.get(name, {}).get("identities")),
                terms[name].licence if name in terms else "unstated",
            )
            for name in dict.fromkeys([*sources, *terms])
        ]
        parts.append(_table(("source", "content", "training crops", "identities", "licence"), listed))
    return "\n\n".join(parts)


def _method(card: ArtifactCard) -> str:
    settings = [(f"`{key}`", _value(value)) for key, value in sorted(card.config.items())]
    parts = ["## Method and recipe", _table(("setting", "value"), settings)]
    for entry in card.trained_on:
        shares = entry.get("shares")
        if entry.get("role") == PSEUDO_FAKES and isinstance(shares, dict):
            parts.append("Fakes are made from the real training faces, by kind:")
            parts.append(_table(("kind", "share"), [(kind, f"{100 * share:.1f} %") for kind, share in shares.items()]))
            if held_out := entry.get("held_out"):
                parts.append(f"Kinds that training never made, for validation only: {', '.join(held_out)}.")
    spent = card.provenance.get("training")
    if isinstance(spent, dict):
        machine = card.provenance.get("machine", {})
        threads = card.provenance.get("threads")
        where = f" on {card.provenance.get('device', '-')}" + (
            f" with {threads} thread{'s' * (threads != 1)}" if threads else ""
        )
        cores = f" of a machine with {machine['cores']} cores" if machine.get("cores") else ""
        parts.append(
            f"Training: {_count(spent.get('images'))} images in {_duration(float(spent.get('seconds', 0)))}, without "
            f"validation,{where}{cores}."
        )
    return "\n\n".join(parts)


def _verdicts(card: ArtifactCard) -> str:
    rows = [
        ("score from which a face is called fake", f"{card.threshold:.4f}"),
        ("chosen by", card.threshold_rule or "-"),
    ]
    sources: list[Mapping[str, Any]] = []
    for name in ("calibration", "validated_on"):
        document = card.model_dump(mode="json").get(name)
        if document:
            sources += document.pop("sources", ())
            document.pop("tables", None)
            rows += _flat(document, name)
    parts = ["## Verdicts", _table(("", ""), rows)]
    if sources:
        parts.append("These files chose the verdict bands. They took no part in training the weights.")
        heads = ("source", "label", "images", "videos", "identities", "not answered")
        keys = ("name", "label", "images", "videos", "identities", "not_answered")
        parts.append(_table(heads, [[_value(source[key]) for key in keys] for source in sources]))
    return "\n\n".join(parts)


def _results(card: ArtifactCard, results: Sequence[Result]) -> str:
    if not results:
        step = card.metrics.get("step")
        return "## Results\n\nNone were given." + (
            f" The weights are those of step {step}." if step is not None else ""
        )
    parts = [
        "## Results",
        "Brackets: 95 % interval. AUC: 0.5 is chance, 1 is perfect. False alarms: share of real files called fake.",
    ]
    for data in dict.fromkeys(result.data for result in results):
        rows = [
            (
                result.metric,
                result.name,
                result.kind,
                result.source,
                estimate_text(result),
                f"{_count(result.n)} {result.unit}",
                "-" if result.groups is None else f"{_count(result.groups)} {result.group_unit}",
            )
            for result in results
            if result.data == data
        ]
        heads = ("metric", "on", "kind", "source", "value", "number", "independent groups")
        parts.append(f"### {_cell(data[0].upper() + data[1:])}\n\n{_table(heads, rows)}")
    return "\n\n".join(parts)


def _failures(folder: Path | None, out: Path) -> str:
    if folder is None:
        return ""
    shown = []
    for failure in _listed(Failure, folder / FAILURES_NAME):
        file = folder / failure.file
        if not file.is_file():
            raise MissingInputError(
                f"{folder / FAILURES_NAME} names {failure.file}, which does not exist", hint="add the image"
            )
        link = Path(os.path.relpath(file, out.parent)).as_posix()
        shown.append(f"![{_cell(failure.caption)}]({link})\n\n{_cell(failure.caption)}")
    return "\n\n".join(["## Failure cases", *shown])


def _licence(card: ArtifactCard) -> str:
    return (
        f"## Licence of the weights\n\n{card.licence or 'Unstated.'}\n\nThe weights inherit the terms of the faces "
        "that they were trained on. The code of Realface is under the Apache License 2.0, which does not cover them."
    )


def _listed(schema: type[Any], path: Path) -> list[Any]:
    """Read a JSON list of `schema`."""
    try:
        document = json.loads(read_text(existing(path, what="file")))
    except ValueError as error:
        raise RecipeError(str(path), [f"not JSON ({error})"]) from error
    if not isinstance(document, list):
        raise RecipeError(str(path), [f"expected a list, got {type(document).__name__}"])
    return [check_recipe(schema, entry, where=f"{path}: entry {number}") for number, entry in enumerate(document, 1)]


def _flat(document: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in document.items():
        label = f"{name}: {key}".replace("_", " ")
        rows += _flat(value, label) if isinstance(value, Mapping) else [(label, _value(value))]
    return rows


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value) if len(value) <= 12 else f"{len(value)} values"
    return "-" if value is None else str(value)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)
