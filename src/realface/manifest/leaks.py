"""Leaks: the same video, identity or image in two splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from realface.core.errors import LeakError
from realface.manifest.columns import Columns
from realface.manifest.manifest import Manifest

SHOWN = 3
Kind = Literal["video", "original", "identity", "image"]
PLURALS: Mapping[Kind, str] = {
    "video": "videos",
    "original": "originals",
    "identity": "identities",
    "image": "images",
}
SHARED_BY_PUBLISHED_SPLITS: tuple[Kind, ...] = ("original", "identity")
"""Kinds that the splits of some published datasets share: Celeb-DF's fakes swap 59 people with one another."""


@dataclass(frozen=True)
class Leak:
    """A video, identity or image that appears in more than one split.

    Attributes:
        kind: a video itself; an original, which appears itself and as the source of fakes; an identity (an entry of
            `identities`); or an image (crops with the same `sha256`).
        name: name of the video or identity, unique only within the dataset; for an image, its first path.
        dataset: name of the dataset; None if unknown, and for images.
        splits: the splits, train, val and test first.
    """

    kind: Kind
    name: str
    dataset: str | None
    splits: tuple[str, ...]

    def __str__(self) -> str:
        dataset = "" if self.dataset is None else f" (dataset {self.dataset})"
        splits = " and ".join(self.splits)
        if self.kind == "original":
            return f"video {self.name}, itself and as the original of fakes, is in {splits}{dataset}"
        return f"{self.kind} {self.name} is in {splits}{dataset}"


def find_leaks(manifest: Manifest) -> list[Leak]:
    """Return the videos and originals, identities, and images that appear in two splits, each kind sorted by name.

    A fake contains its own video and its `original`, so a real in one split and a fake made of it in
    another are a leak. Compressions and methods of one video are the same video here. Names are compared within a
    dataset. Rows without a split are ignored.
    """
    columns = manifest.columns.filter(pc.is_valid(manifest.columns["split"]))
    if len(columns["split"].unique()) < 2:
        return []
    return [
        *_videos_in_two_splits(columns),
        *_in_two_splits("identity", identity_names(columns)),
        *_images_in_two_splits(columns),
    ]


def require_no_leaks(manifest: Manifest, *, where: str, allowed: Collection[Kind] = ()) -> list[Leak]:
    """Raise an error if a manifest has leaks.

    Args:
        manifest: all rows that are used, with their splits.
        where: first words of the error's text.
        allowed: kinds of leaks that are not an error.

    Returns:
        The allowed leaks.

    Raises:
        LeakError: the manifest has leaks; the text lists the first leaks and gives their number.
    """
    leaks = find_leaks(manifest)
    refused = [leak for leak in leaks if leak.kind not in allowed]
    if not refused:
        return leaks
    more = f", and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    published = ""
    if all(leak.kind in SHARED_BY_PUBLISHED_SPLITS for leak in refused):
        published = ", or, to train on a published split unchanged, set data.allow_identity_overlap: true"
    raise LeakError(
        f"{where}: {'; '.join(str(leak) for leak in refused[:SHOWN])}{more}",
        hint=f"split again by identity with `realface manifest split`{published}",
    )


def split_order(split: str) -> tuple[int, str]:
    """Return a sort key for splits: train, val, test, then further splits by name."""
    usual = ("train", "val", "test")
    return (usual.index(split) if split in usual else len(usual), split)


def video_names(columns: Columns) -> pa.Table:
    """Return each row's own video and its original: columns row, dataset, name, split.

    A row without `video` uses its source file as the name, or without a source file its path.
    """
    return pa.concat_tables([_named(columns, name) for name in (_own_names(columns), columns["original"])])


def source_names(columns: Columns) -> pa.Table:
    """Return each row's source file: columns row, dataset, name, split. A tar contains many sequences."""
    return _named(columns, columns["source"])


def identity_names(columns: Columns) -> pa.Table:
    """Return each identity of each row: columns row, dataset, name, split."""
    identities = columns["identities"].combine_chunks()
    rows = pc.list_parent_indices(identities)
    others = {name: columns[name].take(rows) for name in ("dataset", "split")}
    return pa.table({"row": rows, "name": pc.list_flatten(identities), **others})


def _own_names(columns: Columns) -> pa.ChunkedArray:
    own = columns["video"]
    return pc.coalesce(own, columns["source"], columns["path"]) if own.null_count else own


def _named(columns: Columns, names: pa.ChunkedArray) -> pa.Table:
    rows = pa.array(np.arange(columns.num_rows))
    table = pa.table({"row": rows, "dataset": columns["dataset"], "name": names, "split": columns["split"]})
    return table.filter(pc.is_valid(table["name"]))


def _videos_in_two_splits(columns: Columns) -> list[Leak]:
    """Return leaks of kind `video` if the video itself is in two splits, and of kind `original` otherwise."""
    leaks = _in_two_splits("original", video_names(columns))
    if not leaks:
        return []
    themselves = {
        (leak.dataset, leak.name): leak for leak in _in_two_splits("video", _named(columns, _own_names(columns)))
    }
    return [replace(leak, kind="video") if (leak.dataset, leak.name) in themselves else leak for leak in leaks]


def _in_two_splits(kind: Kind, names: pa.Table) -> list[Leak]:
    distinct = names.group_by(["dataset", "name", "split"]).aggregate([])  # thirty rows per video become one
    splits = distinct.group_by(["dataset", "name"]).aggregate([("split", "distinct")])
    leaked = _of_several_splits(splits).sort_by([("dataset", "ascending"), ("name", "ascending")])
    return [Leak(kind, row["name"], row["dataset"], _ordered(row["split_distinct"])) for row in leaked.to_pylist()]


def _images_in_two_splits(columns: Columns) -> list[Leak]:
    digests = columns.look("sha256")
    counts = digests.value_counts()
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    if len(repeated) == 0:
        return []
    shared = columns.filter(pc.is_in(digests, value_set=repeated)).table(["sha256", "split", "path"])
    splits = shared.group_by("sha256").aggregate([("split", "distinct"), ("path", "min")])
    leaked = _of_several_splits(splits).sort_by("path_min")
    return [Leak("image", row["path_min"], None, _ordered(row["split_distinct"])) for row in leaked.to_pylist()]


def _of_several_splits(groups: pa.Table) -> pa.Table:
    return groups.filter(pc.greater(pc.list_value_length(groups["split_distinct"]), 1))


def _ordered(splits: list[str]) -> tuple[str, ...]:
    return tuple(sorted(splits, key=split_order))
