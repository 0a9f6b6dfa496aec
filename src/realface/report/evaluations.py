"""Read output folders of `realface evaluate` for a report. Neither the model nor the crops are needed."""

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
"""Keys of `metrics.json` that a report needs, with their types."""


@dataclass(frozen=True)
class EvaluationFolder:
    """The output of one evaluation.

    Attributes:
        name: name in the report, unique among its evaluations.
        folder: the folder.
        document: content of `metrics.json`.
        table: the scores, by frame.
        examples: entries of `examples.json`; empty if the file is missing.
        maps: the maps that are drawn over the example faces: `name`, `meaning`, `low` and `high`.
    """

    name: str
    folder: Path
    document: dict[str, Any]
    table: ScoreTable
    examples: list[dict[str, Any]]
    maps: list[dict[str, Any]]

    def image_path(self, name: str) -> Path:
        """Return the file of an example's image. It is inside the folder of examples, whatever path the index gives."""
        return self.folder / EXAMPLES_NAME / Path(name).name


def read_evaluations(folders: Sequence[Path]) -> list[EvaluationFolder]:
    """Read output folders of `realface evaluate`.

    Args:
        folders: the folders, in the order of the report.

    Raises:
        MissingInputError: no folder is given, a folder does not exist, or it is not an evaluation.
        MetricError: a file in a folder is damaged or has another format.
    """
    if not folders:
        raise MissingInputError("no evaluation given", hint="pass the output folder of `realface evaluate`")
    return [_read(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]


def _read(folder: Path, name: str) -> EvaluationFolder:
    existing(folder, what="evaluation")
    for required in (METRICS_NAME, SCORES_NAME):
        if not (folder / required).is_file():
            raise MissingInputError(f"{folder} has no {required}", hint="pass the output folder of `realface evaluate`")
    document = _read_json(folder / METRICS_NAME, version=FORMAT)
    wrong = [key for key, kind in REQUIRED.items() if not isinstance(document.get(key), kind)]
    if wrong:
        raise MetricError(
            f"{folder / METRICS_NAME}: {', '.join(wrong)} missing or of the wrong type",
            hint="run `realface evaluate` again",
        )
    index = folder / EXAMPLES_NAME / examples.INDEX_NAME
    shown = _read_json(index, version=examples.FORMAT) if index.is_file() else {"examples": [], "maps": []}
    table = ScoreTable.read(folder / SCORES_NAME)
    return EvaluationFolder(name, folder, document, table, shown["examples"], shown["maps"])


def _read_json(path: Path, *, version: int) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MetricError(f"{path} is not JSON ({error})", hint="run `realface evaluate` again") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != version:
        raise MetricError(f"{path}: expected format {version}, got {found}", hint="run `realface evaluate` again")
    return dict(document)


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the name of each folder; the path as given if two folders have the same name."""
    short = [folder.resolve().name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]
