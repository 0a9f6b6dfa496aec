"""Check a readable manifest: contradictory rows, leaks, missing or unfit files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from realface.manifest.crop_images import CropImages, read_crop_images
from realface.manifest.label_balance import balance_notes
from realface.manifest.leaks import find_leaks
from realface.manifest.manifest import Manifest
from realface.manifest.near_identical import NearIdentical, find_near_identical

SHOWN = 3
PNG, JPEG = (".png",), (".jpg", ".jpeg", ".jfif")

FaultKind = Literal[
    "no rows",
    "missing file",
    "missing mask",
    "unreadable file",
    "mixed crops",
    "blank crop",
    "repeated path",
    "two labels",
    "leak",
    "near-identical",
]


@dataclass(frozen=True)
class Fault:
    """A fault that makes a manifest unfit for training or evaluation.

    Attributes:
        kind: kind of the fault.
        text: one line that describes it.
        rows: affected row numbers, from 0; empty for leaks, whose text gives the video or identity.
    """

    kind: FaultKind
    text: str
    rows: tuple[int, ...] = ()


def check_manifest(
    manifest: Manifest, *, files: bool = True, similar: bool = True, workers: int | None = None, quiet: bool = True
) -> list[Fault]:
    """Return all faults of a manifest; empty if it is sound.

    Args:
        manifest: the manifest to check.
        files: check the files of crops and masks too.
        similar: decode each crop and search for crops of different splits that look the same; otherwise read only the
            headers of the files. Has no effect without `files`.
        workers: processes that read; one per core when None, 0 for this process.
        quiet: show no progress.

    Raises:
        RealfaceError: a worker process was killed.
    """
    if len(manifest) == 0:
        return [Fault("no rows", "the manifest is empty, so it cannot be used for training or evaluation")]
    faults = list(_missing_files(manifest)) if files else []
    faults += _contradictions(manifest)
    faults += [Fault("leak", str(leak)) for leak in find_leaks(manifest)]
    if files:
        images = read_crop_images(manifest, whole=similar, workers=workers, quiet=quiet)
        faults += [*_unreadable(images), *_blank(manifest, images), *_mixed_crops(manifest, images)]
        pairs = find_near_identical(manifest, images.hashes, has_hash=images.has_hash)
        faults += [_near_identical(manifest, pair) for pair in pairs]
    return faults


def manifest_notes(manifest: Manifest) -> list[str]:
    """Return notes on allowed but notable facts: class balance, rows without split, repeated crops in a split."""
    notes = balance_notes(manifest)
    splits = manifest.columns["split"]
    if 0 < splits.null_count < len(splits):
        notes.append(f"{splits.null_count:,} of {len(splits):,} rows are in no split")
    if unnamed := manifest.columns["video"].null_count:
        notes.append(f"{unnamed:,} of {len(manifest):,} rows have no video name, so each counts as a separate video")
    same = [
        group
        for group in _repeated(manifest, "sha256")
        if len(group.labels) == 1 and len(group.splits) <= 1 and len(set(group.paths)) > 1
    ]
    notes += [f"the same image {len(group.rows)} times: {_listed(group.paths)}" for group in same[:SHOWN]]
    if len(same) > SHOWN:
        notes.append(f"{len(same) - SHOWN:,} more images are repeated within a split")
    if manifest.header.crop.is_unknown:
        notes.append("the crop settings are unknown")
    return notes


@dataclass(frozen=True)
class _Group:
    """Rows that share a value."""

    rows: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: set[int] = field(default_factory=set)
    splits: set[str] = field(default_factory=set)


def _repeated(manifest: Manifest, column: str) -> Iterable[_Group]:
    """Return the groups of several rows with one value of `column`, in the order of their first rows."""
    counts = manifest.columns.table([column]).group_by([column], use_threads=False).aggregate([([], "count_all")])
    values = counts.filter(pc.and_(pc.greater(counts["count_all"], 1), pc.is_valid(counts[column])))[column]
    rows = pc.indices_nonzero(pc.is_in(manifest.columns[column], value_set=values.combine_chunks())).to_pylist()
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
            continue  # a repeated path, which is reported above
        if len(group.labels) > 1:
            yield Fault("two labels", f"the same image is real in one row and fake in another: {paths}", rows)


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
            text = f"{len(rows):,} of {len(manifest):,} rows have no file: {what} {_listed(names, len(absent))}"
            yield Fault(kind, f"{text} in {manifest.root}", rows)


def _unreadable(images: CropImages) -> Iterator[Fault]:
    rows = np.flatnonzero(images.faults.is_valid())
    for row in rows.tolist():
        yield Fault("unreadable file", images.faults[row].as_py(), (row,))


def _blank(manifest: Manifest, images: CropImages) -> Iterator[Fault]:
    if images.is_blank.any():
        yield _of_rows("blank crop", manifest, images.is_blank, "show a single colour and no face")


def _mixed_crops(manifest: Manifest, images: CropImages) -> Iterator[Fault]:
    """Yield the crops whose size or file format differs from the header; if that is unknown, from the usual size."""
    spec, sizes = manifest.header.crop, images.sizes
    is_read = sizes.all(axis=1)
    if not is_read.any():
        return
    if spec.is_unknown:
        different, count = np.unique(sizes[is_read], axis=0, return_counts=True)
        usual, why = different[count.argmax()], "like most"
    else:
        usual, why = np.array([spec.size, spec.size]), "as in the header"
    is_other = np.asarray(is_read & (sizes != usual).any(axis=1))
    if is_other.any():
        text = f"are not {_size_text(usual)} pixels, {why}, but {_sizes(sizes[is_other])}"
        yield _of_rows("mixed crops", manifest, is_other, text)
    if not spec.is_unknown:
        said, other, suffixes = ("PNG", "JPEG", JPEG) if spec.jpeg_quality is None else ("JPEG", "PNG", PNG)
        names = pc.utf8_lower(manifest.columns["path"])
        is_other = np.any([pc.ends_with(names, suffix).to_numpy() for suffix in suffixes], axis=0)
        if is_other.any():
            yield _of_rows("mixed crops", manifest, is_other, f"are {other}, but the header specifies {said}")


def _sizes(sizes: NDArray[np.int64]) -> str:
    """Return the most common of (n, 2) sizes, with their counts."""
    different, count = np.unique(sizes, axis=0, return_counts=True)
    return _listed([f"{_size_text(different[i])} ({count[i]:,})" for i in np.argsort(-count, kind="stable")])


def _size_text(size: NDArray[np.int64]) -> str:
    height, width = size
    return f"{width} x {height}"


def _of_rows(kind: FaultKind, manifest: Manifest, chosen: NDArray[np.bool_], text: str) -> Fault:
    """Return a fault of the chosen rows, with their number and the first paths."""
    rows = np.flatnonzero(chosen).tolist()
    paths = manifest.take(rows[:SHOWN]).column("path")
    return Fault(kind, f"{len(rows):,} of {len(manifest):,} crops {text}: {_listed(paths, len(rows))}", tuple(rows))


def _near_identical(manifest: Manifest, pair: NearIdentical) -> Fault:
    both = manifest.take(pair.rows)
    one, other = (
        f"{path} ({split}, row {row + 1})"
        for path, split, row in zip(both.column("path"), both.column("split"), pair.rows, strict=True)
    )
    more = len(pair.similar_rows) - len(pair.rows)
    also = f", and {more:,} more crops of their videos" if more else ""
    return Fault("near-identical", f"{one} looks like {other}{also}", pair.similar_rows)


def _listed(names: Sequence[str], count: int | None = None) -> str:
    count = len(names) if count is None else count
    more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
