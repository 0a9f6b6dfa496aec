"""What `realface evaluate` wrote, read back for a report: the folder alone, no model and no crops."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.core.errors import MetricError, MissingInputError
from realface.core.files import existing
from realface.evaluation import examples
from realface.evaluation.evaluate import EXAMPLES_NAME, FORMAT, METRICS_NAME, SCORES_NAME
from realface.metrics.score_table import ScoreTable

REQUIRED = {
    "artifact": dict,
    "manifests": list,
    "failed": list,
    "notes": list,
    "threshold": float,
    "interval": dict,
    "frame": dict,
    "video": dict,
    "counts": dict,
    "per_method": dict,
    "provenance": dict,
}
"""The parts of `metrics.json` that a report shows, by kind."""


@dataclass(frozen=True)
class EvaluationFolder:
    """One evaluation.

    Attributes:
        name: what the report calls it; unlike every other name in the report.
        folder: where it stands.
        document: its `metrics.json`.
        table: its scores, by frame.
        examples: entries of its `examples.json`; empty when there is none.
        maps: the maps that are laid over those faces: `name`, `meaning`, `low` and `high`.
    """

    name: str
    folder: Path
    document: dict[str, Any]
    table: ScoreTable
    examples: list[dict[str, Any]]
    maps: list[dict[str, Any]]

    def picture(self, name: str) -> Path:
        """The file of an example's picture; whatever the index says, it lies in the folder of examples."""
        return self.folder / EXAMPLES_NAME / Path(name).name


def read_evaluations(folders: Sequence[Path]) -> list[EvaluationFolder]:
    """Read what `realface evaluate` wrote.

    Raises:
        MissingInputError: no folder was given, one does not exist, or it is none of an evaluation.
        MetricError: a file in it is not what `realface evaluate` writes.
    """
    if not folders:
        raise MissingInputError("nothing to report on", hint="give a folder that `realface evaluate` wrote")
    return [_read(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]


def _read(folder: Path, name: str) -> EvaluationFolder:
    existing(folder, what="evaluation")
    for required in (METRICS_NAME, SCORES_NAME):
        if not (folder / required).is_file():
            raise MissingInputError(f"{folder} has no {required}", hint="give a folder that `realface evaluate` wrote")
    document = _read_json(folder / METRICS_NAME, version=FORMAT)
    wrong = [key for key, kind in REQUIRED.items() if not isinstance(document.get(key), kind)]
    if wrong:
        raise MetricError(
            f"{folder / METRICS_NAME}: {', '.join(wrong)} missing or of the wrong kind", hint="evaluate again"
        )
    index = folder / EXAMPLES_NAME / examples.INDEX_NAME
    shown = _read_json(index, version=examples.FORMAT) if index.is_file() else {"examples": [], "maps": []}
    table = ScoreTable.read(folder / SCORES_NAME)
    return EvaluationFolder(name, folder, document, table, shown["examples"], shown["maps"])


def _read_json(path: Path, *, version: int) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MetricError(f"{path} is not JSON ({error})", hint="evaluate again") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != version:
        raise MetricError(
            f"{path}: this version of realface reads format {version}, got {found}", hint="evaluate again"
        )
    return dict(document)


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names; where two are alike, as much of the path as was given."""
    short = [folder.resolve().name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]
