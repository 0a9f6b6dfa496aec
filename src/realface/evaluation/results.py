"""Numbers with intervals and counts in one small JSON format, for model cards and tables.

A file is `{"format": 1, "results": [...]}`; each entry has the fields of `Result`. The `metrics.json` of
`realface evaluate` is read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from realface.core.errors import MetricError, RecipeError
from realface.core.files import existing, write_json
from realface.core.recipe import Section, check_recipe
from realface.core.text_files import read_text
from realface.metrics.pairs import PairScores, false_alarm_rate, mean_auc, pair_order
from realface.metrics.summary import Estimate

FORMAT = 1
RESULTS_NAME = "results.json"
ALL = "all"
EVALUATED = ("auc", "average_precision", "eer", "accuracy")
"""Metrics of `realface evaluate` that become results."""


class Result(Section):
    """A measured number, with its interval and counts."""

    name: str = Field(min_length=1, description="what was measured, such as `pseudo-fakes` or `real faces`")
    data: str = Field(min_length=1, description="the data, such as `test identities`")
    metric: str = Field(min_length=1, description="such as `auc`")
    value: float | None = Field(description="null: cannot be computed")
    low: float | None = Field(None, description="lower bound of the 95 % interval; null: no interval")
    high: float | None = Field(None, description="upper bound of the 95 % interval; null: no interval")
    n: int = Field(ge=0, description="number of pairs, crops or videos")
    groups: int | None = Field(None, ge=0, description="number of independent groups, such as identities")
    unit: str = Field("pairs", description="what `n` counts")
    group_unit: str = Field("identities", description="what `groups` counts")
    kind: str = Field(ALL, description="kind of fake")
    source: str = Field(ALL, description="source of the real faces")


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write a file of results, atomically."""
    write_json(path, {"format": FORMAT, "results": [result.model_dump(mode="json") for result in results]})


def read_results(path: Path) -> list[Result]:
    """Read a file of results, or the `metrics.json` of `realface evaluate`.

    Raises:
        MissingInputError: no such file.
        MetricError: the file is in neither of the two formats.
    """
    existing(path, what="results")
    if path.is_dir():
        raise MetricError(f"{path} is a folder", hint=f"give {path / 'metrics.json'} or {path / RESULTS_NAME}")
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise MetricError(f"{path} is not JSON ({error})", hint="measure again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise MetricError(f"{path}: expected results in format {FORMAT}", hint="measure again")
    if isinstance(document.get("per_method"), dict) and isinstance(document.get("manifests"), list):
        return _of_evaluation(document, path)
    if not isinstance(document.get("results"), list):
        raise MetricError(
            f"{path} has no list of results",
            hint=f"give {RESULTS_NAME} of `realface train`, or metrics.json of `realface evaluate`",
        )
    try:
        return [check_recipe(Result, entry, where=f"{path}: a result") for entry in document["results"]]
    except RecipeError as error:
        raise MetricError(str(error)) from error


def pair_results(path: Path, *, data: str, seed: int = 0) -> list[Result]:
    """Return the results of a table of pairs: AUC by kind and by source, and the order within pairs.

    Args:
        path: the table, with `kind`, `identity`, `source`, `real_logit` and `fake_logit` of each pair.
        data: name of the data.
        seed: seed of the bootstrap.
    """
    table = pq.read_table(path).to_pydict()
    kinds = np.array(table["kind"], dtype=object)
    sources = np.array(table["source"], dtype=object)
    identities = np.array(table["identity"], dtype=object)
    real, fake = np.array(table["real_logit"]), np.array(table["fake_logit"])

    def scores(rows: NDArray[np.bool_]) -> PairScores:
        return PairScores(real[rows], fake[rows], list(identities[rows]))

    def result(
        metric: str, estimate: Estimate, rows: NDArray[np.bool_], *, kind: str = ALL, source: str = ALL
    ) -> Result:
        return Result(
            name="pseudo-fakes",
            data=data,
            metric=metric,
            **bounds(estimate),
            n=int(rows.sum()),
            groups=len(set(identities[rows])),
            kind=kind,
            source=source,
        )

    every, own_kinds = np.ones(len(kinds), bool), list(dict.fromkeys(table["kind"]))

    def by_kind(rows: NDArray[np.bool_]) -> Estimate:
        return mean_auc([scores(rows & (kinds == kind)) for kind in own_kinds], seed=seed)

    found = [result("auc", by_kind(every), every)]
    found.append(result("pair order", pair_order(scores(every), seed=seed), every))
    for kind in own_kinds:
        rows = kinds == kind
        found.append(result("auc", mean_auc([scores(rows)], seed=seed), rows, kind=kind))
    own_sources = sorted(set(table["source"]))
    for source in own_sources if len(own_sources) > 1 else ():
        rows = sources == source
        found.append(result("auc", by_kind(rows), rows, source=source or "(not named)"))
    return found


def false_alarm_results(
    is_fake: NDArray[np.bool_], *, identities: Sequence[str], sources: Sequence[str], data: str
) -> list[Result]:
    """Return the share of real photos and videos that are called fake, of all and by source.

    Args:
        is_fake: (N,) bool, whether each photo or video is called fake; N >= 1.
        identities: (N,) names.
        sources: (N,) names.
        data: name of the data.
    """
    return share_results(
        is_fake, name="real faces", metric="false alarms", identities=identities, sources=sources, data=data
    )


def share_results(
    is_counted: NDArray[np.bool_],
    *,
    name: str,
    metric: str,
    identities: Sequence[str],
    sources: Sequence[str],
    data: str,
) -> list[Result]:
    """Return the share of photos and videos that are counted, of all and, if there are several sources, by source.

    Args:
        is_counted: (N,) bool, whether each photo or video is counted; N >= 1.
        name: name of the data measured, such as `real faces`.
        metric: name of the share, such as `false alarms`.
        identities: (N,) names.
        sources: (N,) names; empty: not named.
        data: name of the data.
    """
    names, origins = np.array(identities, dtype=object), np.array(sources, dtype=object)
    parts = {ALL: np.ones(len(is_counted), bool)}
    if len(set(sources)) > 1:
        parts |= {source or "(not named)": origins == source for source in sorted(set(sources))}
    return [
        Result(
            name=name,
            data=data,
            metric=metric,
            **bounds(false_alarm_rate(is_counted[rows], list(names[rows]))),
            n=int(rows.sum()),
            groups=len(set(names[rows])),
            unit="photos and videos",
            source=source,
        )
        for source, rows in parts.items()
    ]


def bounds(estimate: Estimate) -> dict[str, float | None]:
    """Return the value and the bounds of an estimate as fields of `Result`."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _of_evaluation(document: Mapping[str, Any], path: Path) -> list[Result]:
    """Return the numbers by video of an evaluation, of all fakes and by method."""
    try:
        named = ", ".join("/".join(Path(each["path"]).parts[-2:]) for each in document["manifests"])
        found = []
        for kind, numbers in {ALL: document, **document["per_method"]}.items():
            counts = numbers["counts"]
            num_groups = counts["real_videos"] + counts["fake_videos"]
            found += [
                Result(
                    name="fakes",
                    data=named,
                    metric=metric,
                    **{bound: numbers["video"][metric][bound] for bound in ("value", "low", "high")},
                    n=counts["real_frames"] + counts["fake_frames"],
                    groups=num_groups,
                    unit="crops",
                    group_unit="videos",
                    kind=kind,
                )
                for metric in EVALUATED
            ]
    except (KeyError, TypeError, ValueError) as error:
        raise MetricError(f"{path} is not what `realface evaluate` writes ({error})", hint="evaluate again") from error
    return found
