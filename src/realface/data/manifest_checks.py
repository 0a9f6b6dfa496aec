"""What can be wrong with a manifest that reads well: files that are gone, rows that contradict, leaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow.compute as pc

from realface.core.labels import Label
from realface.data.leaks import find_leaks
from realface.data.manifest import Manifest

SHOWN = 3

FaultKind = Literal["missing file", "missing mask", "repeated path", "two labels", "leak", "no rows"]


@dataclass(frozen=True)
class Fault:
    """Something that makes a manifest unfit.

    Attributes:
        kind: which.
        text: one line that names it.
        rows: the rows it is about, from 0; empty for leaks, which name video or person.
    """

    kind: FaultKind
    text: str
    rows: tuple[int, ...] = ()


def check_manifest(manifest: Manifest, *, files: bool = True) -> list[Fault]:
    """Everything that is wrong; empty when the manifest is sound.

    Args:
        manifest: what to check.
        files: look for the crops and masks on the disk too.
    """
    if len(manifest) == 0:
        return [Fault("no rows", "the manifest is empty, so nothing can be trained or measured on it")]
    faults = list(_missing_files(manifest)) if files else []
    faults += _contradictions(manifest)
    faults += [Fault("leak", str(leak)) for leak in find_leaks(manifest)]
    return faults


def manifest_notes(manifest: Manifest) -> list[str]:
    """What is allowed but worth knowing: splits of one class, rows without split, the same crop twice in a split."""
    notes = []
    for split, count in count_labels(manifest).items():
        absent = [label.word for label in Label if not count[label.word]]
        if absent and split is None:
            notes.append(f"the rows without a split hold no {' and no '.join(absent)} faces")
        elif absent:
            notes.append(f"split {split} has no {' and no '.join(absent)} faces; most metrics need both")
    splits = manifest.table["split"]
    if 0 < splits.null_count < len(splits):
        notes.append(f"{splits.null_count} of {len(splits)} rows are in no split")
    for group in _repeated(manifest, "sha256"):
        if len(group.labels) == 1 and len(group.splits) <= 1 and len(set(group.paths)) > 1:
            notes.append(f"the same picture {len(group.rows)} times: {_listed(group.paths)}")
    if manifest.header.crop.is_external:
        notes.append("how the crops were made is not known (crop spec external)")
    return notes


def count_labels(manifest: Manifest) -> dict[str | None, dict[str, int]]:
    """Rows by split (None: without) and by `real` and `fake`; splits in the order of their first row."""
    counts: dict[str | None, dict[str, int]] = {}
    grouped = manifest.table.select(["split", "label"]).group_by(["split", "label"], use_threads=False)
    for row in grouped.aggregate([([], "count_all")]).to_pylist():
        counts.setdefault(row["split"], {label.word: 0 for label in Label})[Label(row["label"]).word] = row["count_all"]
    return counts


@dataclass(frozen=True)
class _Group:
    """Rows that share a value."""

    rows: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: set[int] = field(default_factory=set)
    splits: set[str] = field(default_factory=set)


def _repeated(manifest: Manifest, column: str) -> Iterable[_Group]:
    """The groups of several rows with one value of `column`, in the order of their first rows."""
    counts = manifest.table.group_by([column], use_threads=False).aggregate([([], "count_all")])
    values = counts.filter(pc.and_(pc.greater(counts["count_all"], 1), pc.is_valid(counts[column])))[column]
    rows = pc.indices_nonzero(pc.is_in(manifest.table[column], value_set=values.combine_chunks())).to_pylist()
    members = manifest.take(rows)
    groups: dict[str, _Group] = {}
    for row, value, path, label, split in zip(
        rows, *(members.column(name) for name in (column, "path", "label", "split")), strict=True
    ):
        group = groups.setdefault(value, _Group())
        group.rows.append(row)
        group.paths.append(path)
        group.labels.add(label)
        if split is not None:
            group.splits.add(split)
    return groups.values()


def _contradictions(manifest: Manifest) -> Iterator[Fault]:
    for group in _repeated(manifest, "path"):
        path, rows = group.paths[0], tuple(group.rows)
        if len(group.labels) > 1:
            yield Fault("two labels", f"{path} is real in one row and fake in another", rows)
        else:
            numbers = _listed([str(row + 1) for row in rows])
            yield Fault("repeated path", f"{path} is in {len(rows)} rows ({numbers})", rows)
    for group in _repeated(manifest, "sha256"):
        paths, rows = _listed(group.paths), tuple(group.rows)
        if len(set(group.paths)) == 1:
            continue  # a repeated path, which is named above
        if len(group.labels) > 1:
            yield Fault("two labels", f"the same picture is real in one row and fake in another: {paths}", rows)


def _missing_files(manifest: Manifest) -> Iterator[Fault]:
    files: tuple[tuple[Literal["missing file", "missing mask"], str], ...] = (
        ("missing file", "path"),
        ("missing mask", "mask"),
    )
    for kind, column in files:
        absent = {name for name in set(manifest.column(column)) - {None} if not (manifest.root / name).is_file()}
        if absent:
            rows = tuple(row for row, name in enumerate(manifest.column(column)) if name in absent)
            names = list(dict.fromkeys(manifest.column(column)[row] for row in rows[:SHOWN]))
            what = "crops" if column == "path" else "masks"
            text = f"{len(rows)} of {len(manifest)} rows have no file: {what} {_listed(names, len(absent))}"
            yield Fault(kind, f"{text} in {manifest.root}", rows)


def _listed(names: Sequence[str], count: int | None = None) -> str:
    count = len(names) if count is None else count
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
