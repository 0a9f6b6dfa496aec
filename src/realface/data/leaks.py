"""Leaks: the same video, person or picture in two splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from realface.core.errors import LeakError
from realface.data.columns import Columns
from realface.data.manifest import Manifest

SHOWN = 3


@dataclass(frozen=True)
class Leak:
    """Something that stands in more than one split.

    Attributes:
        kind: a video, a person (one of `identities`), or a picture (crops with one `sha256`).
        name: the video's or the person's name, which means something within the data set only; a picture's first path.
        dataset: the data set, None where the manifest does not name it, and for pictures.
        splits: the splits, train, val and test first.
    """

    kind: Literal["video", "person", "picture"]
    name: str
    dataset: str | None
    splits: tuple[str, ...]

    def __str__(self) -> str:
        dataset = "" if self.dataset is None else f" (dataset {self.dataset})"
        return f"{self.kind} {self.name} is in {' and '.join(self.splits)}{dataset}"


def find_leaks(manifest: Manifest) -> list[Leak]:
    """The videos, persons and pictures that stand in two splits, in this order, sorted by name.

    A fake holds its own video and its real counterpart (`original`), so a real in one split and a fake made of it in
    another are a leak. Compressions and methods of one video are the same video here. Names are compared within a
    data set. Rows without a split leak nothing.
    """
    columns = manifest.columns.filter(pc.is_valid(manifest.columns["split"]))
    if len(columns["split"].unique()) < 2:
        return []
    return [
        *_in_two_splits("video", video_names(columns)),
        *_in_two_splits("person", person_names(columns)),
        *_pictures_in_two_splits(columns),
    ]


def require_no_leaks(manifest: Manifest, *, where: str) -> None:
    """Refuse a manifest with leaks.

    Args:
        manifest: all rows that take part, with their splits.
        where: opens the error's text.

    Raises:
        LeakError: names the first leaks and says how many there are.
    """
    leaks = find_leaks(manifest)
    if leaks:
        more = f", and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
        raise LeakError(
            f"{where}: {'; '.join(str(leak) for leak in leaks[:SHOWN])}{more}; "
            "split again by identity with `realface manifest split`"
        )


def split_order(split: str) -> tuple[int, str]:
    """Sorts splits as everybody names them: train, val, test, then others by name."""
    usual = ("train", "val", "test")
    return (usual.index(split) if split in usual else len(usual), split)


def video_names(columns: Columns) -> pa.Table:
    """Every video that a row holds, its own and its original: columns row, dataset, name, split.

    Without `video` the row's source file stands for it, and without that its own path.
    """
    own = columns["video"]
    if own.null_count:
        own = pc.coalesce(own, columns["source"], columns["path"])
    rows = pa.array(np.arange(columns.num_rows))
    both = [
        pa.table({"row": rows, "dataset": columns["dataset"], "name": name, "split": columns["split"]})
        for name in (own, columns["original"])
    ]
    names = pa.concat_tables(both)
    return names.filter(pc.is_valid(names["name"]))


def person_names(columns: Columns) -> pa.Table:
    """Every person that a row shows: columns row, dataset, name, split."""
    identities = columns["identities"].combine_chunks()
    rows = pc.list_parent_indices(identities)
    others = {name: columns[name].take(rows) for name in ("dataset", "split")}
    return pa.table({"row": rows, "name": pc.list_flatten(identities), **others})


def _in_two_splits(kind: Literal["video", "person"], names: pa.Table) -> list[Leak]:
    distinct = names.group_by(["dataset", "name", "split"]).aggregate([])  # thirty rows a video become one
    splits = distinct.group_by(["dataset", "name"]).aggregate([("split", "distinct")])
    leaked = _of_several_splits(splits).sort_by([("dataset", "ascending"), ("name", "ascending")])
    return [Leak(kind, row["name"], row["dataset"], _ordered(row["split_distinct"])) for row in leaked.to_pylist()]


def _pictures_in_two_splits(columns: Columns) -> list[Leak]:
    digests = columns.look("sha256")
    counts = digests.value_counts()
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    if len(repeated) == 0:
        return []
    shared = columns.filter(pc.is_in(digests, value_set=repeated)).table(["sha256", "split", "path"])
    splits = shared.group_by("sha256").aggregate([("split", "distinct"), ("path", "min")])
    leaked = _of_several_splits(splits).sort_by("path_min")
    return [Leak("picture", row["path_min"], None, _ordered(row["split_distinct"])) for row in leaked.to_pylist()]


def _of_several_splits(groups: pa.Table) -> pa.Table:
    return groups.filter(pc.greater(pc.list_value_length(groups["split_distinct"]), 1))


def _ordered(splits: list[str]) -> tuple[str, ...]:
    return tuple(sorted(splits, key=split_order))
