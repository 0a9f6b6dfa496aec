"""Prepare a folder of videos and images: face crops and a manifest.

The result of each source file is a line in a journal under `OUT/.prepare/`, written after its crops are complete. The
manifest is made from the journals in the order of the dataset's inventory, so it does not depend on workers, shards or
interruptions. The journals remain: a second run repeats no work.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from realface.core.crop_spec import CropSpec
from realface.core.errors import DatasetError, OutputExistsError, PrepareError
from realface.core.files import existing, require_free, write_json
from realface.core.lock import locked
from realface.core.progress import progress
from realface.datasets.reader import DatasetReader, Inventory
from realface.datasets.registry import scan_dataset
from realface.faces.detectors.registry import face_detector_for
from realface.prepare.executors import Do, largest_first, num_workers, workers
from realface.prepare.finish import MANIFEST, PrepareResult, finish
from realface.prepare.frame_images import spread_frame_images, with_frame_number
from realface.prepare.journal import Journal
from realface.prepare.output_folder import OutputFolder, crop_folder
from realface.prepare.record import PrepareJob
from realface.prepare.shards import Shard, all_shards, originals_of, part_of

STATE = ".prepare"
SETTINGS, JOURNAL, SCRATCH = "settings.json", "journal.tsv", "scratch"
EVERY_REASON = "all"
NO_FACE_THERE = "no face in the original"
FORMAT = 3  # of the records; raised when another version would misread them, or choose other frames


@dataclass(frozen=True)
class ShardResult:
    """Result of a finished shard.

    Attributes:
        shard: the shard.
        num_sources: number of files of this shard.
        skipped: number of skipped files by reason, as in `skipped.csv`, which `merge_shards` writes.
    """

    shard: Shard
    num_sources: int
    skipped: dict[str, int]


@dataclass(frozen=True)
class ExecutionSettings:
    """Settings for executing the work. They do not change the result.

    Attributes:
        workers: number of processes; one per core when None, 0 works in this process. On a cluster, the largest number
            of concurrent jobs.
        face_detector_file: the ONNX file of the spec's face detector, if that detector requires a file.
        cluster: None, or `ray`.
        quiet: show no progress.
    """

    workers: int | None = None
    face_detector_file: Path | None = None
    cluster: Literal["ray"] | None = None
    quiet: bool = False


def prepare_dataset(
    source: Path,
    out: Path,
    *,
    spec: CropSpec,
    dataset: str | DatasetReader | None = None,
    redo: Collection[str] = (),
    execution: ExecutionSettings | None = None,
) -> PrepareResult:
    """Detect and crop the faces of every video and image below `source`.

    Args:
        source: the dataset's folder.
        out: a new or empty folder, or the output folder of an interrupted run of the same preparation.
        spec: crop settings; their face detector must be known here.
        dataset: name of the dataset, or its reader; detected if None.
        redo: reasons whose skipped files are retried, or `all`.
        execution: workers, cluster and progress; it does not change the result.

    Returns:
        The summary. `out` then contains `manifest.parquet`, `crops/`, `skipped.csv` and, if the dataset has masks,
        `masks/`.

    Raises:
        MissingInputError: no such source folder.
        DatasetError: no known dataset, no video and no image, or two files of one video.
        OutputExistsError: `out` contains other files, or another process is at work there.
        PrepareError: no file was skipped for a reason of `redo`.

    Example:
        >>> prepare_dataset(Path("videos"), Path("faces"), spec=default_crop_spec())  # doctest: +SKIP
    """
    execution = execution or ExecutionSettings()
    study = _open_study(source, out, spec=spec, dataset=dataset, total=1, execution=execution)
    with _at_work(study, Shard()) as journal:
        _do(study, Shard(), journal, redo, execution)
        return finish(study.inventory, out, spec, [journal])


def prepare_shard(
    source: Path,
    out: Path,
    *,
    shard: Shard,
    spec: CropSpec,
    dataset: str | None = None,
    redo: Collection[str] = (),
    execution: ExecutionSettings | None = None,
) -> ShardResult:
    """Do what `prepare_dataset` does for one part of the files; `merge_shards` makes the manifest of all parts.

    Several processes, on machines that share the folders, may do a shard each at the same time.
    """
    execution = execution or ExecutionSettings()
    study = _open_study(source, out, spec=spec, dataset=dataset, total=shard.total, execution=execution)
    with _at_work(study, shard) as journal:
        _do(study, shard, journal, redo, execution)
        skipped: Counter[str] = Counter()
        for _, record in journal.records():
            skipped.update({each.reason: each.count for each in record.skipped})
        return ShardResult(shard, len(journal), dict(sorted(skipped.items())))


def merge_shards(
    source: Path,
    out: Path,
    *,
    total: int,
    spec: CropSpec,
    dataset: str | None = None,
    face_detector_file: Path | None = None,
) -> PrepareResult:
    """Make the manifest of all `total` shards of a preparation.

    Raises:
        PrepareError: a shard is running or incomplete; the text contains its number.
        MissingInputError: see `prepare_dataset`.
        DatasetError: see `prepare_dataset`.
        OutputExistsError: see `prepare_dataset`.
    """
    study = _open_study(
        source,
        out,
        spec=spec,
        dataset=dataset,
        total=total,
        execution=ExecutionSettings(face_detector_file=face_detector_file),
    )
    with ExitStack() as locks:
        journals = []
        unfinished = []
        for shard in all_shards(total):
            try:
                journals.append(locks.enter_context(_at_work(study, shard)))
            except OutputExistsError as error:
                raise PrepareError(f"shard {shard} still runs: {error.text}", hint=error.hint) from error
            num_files = len(study.part(shard))
            if num_left := num_files - len(journals[-1]):
                unfinished.append(f"{shard} ({num_left} of {num_files} files left)")
        if unfinished:
            raise PrepareError(
                f"{out}: not all shards are done: {', '.join(unfinished)}", hint="run each of these again, then merge"
            )
        return finish(study.inventory, out, spec, journals)


@dataclass(frozen=True)
class _Study:
    """A preparation: its inventory, its output folder and its number of shards."""

    inventory: Inventory
    out: Path
    spec: CropSpec
    settings: Mapping[str, Any]
    originals: Mapping[int, int]

    def folder_of(self, shard: Shard) -> Path:
        return self.out / STATE / shard.name

    def part(self, shard: Shard) -> list[int]:
        return part_of(shard, len(self.inventory.items), self.originals)

    @cached_property
    def reals_with_fakes(self) -> set[int]:
        return set(self.originals.values())


def _open_study(
    source: Path,
    out: Path,
    *,
    spec: CropSpec,
    dataset: str | DatasetReader | None,
    total: int,
    execution: ExecutionSettings,
) -> _Study:
    """Read the inventory and make the output folder, or check that the existing folder is of the same preparation."""
    source = existing(source, what="source folder").resolve()
    inventory = scan_dataset(source, dataset, without=out.resolve())
    inventory = replace(inventory, items=spread_frame_images(inventory.items, count=spec.frames))
    if not inventory.items:
        raise DatasetError(f"{source} is a {inventory.dataset} dataset but contains no video and no image")
    if not inventory.are_crops:
        _require_face_detector(spec, execution.face_detector_file)
    originals = {} if inventory.are_crops else originals_of(inventory.items)
    _require_own_folders(inventory)
    settings = _settings(inventory, spec, total)
    _require_own_output(out, settings)
    return _Study(
        inventory, out.resolve(), spec, settings, originals
    )  # workers on other machines have another working folder


def _require_face_detector(spec: CropSpec, file: Path | None) -> None:
    """Refuse a spec that cannot be followed here before any work, and a file that is no such network."""
    face_detector = face_detector_for(spec, file=file)
    if file is not None:
        face_detector.detect([np.zeros((64, 64, 3), dtype=np.uint8)])


@contextmanager
def _at_work(study: _Study, shard: Shard) -> Iterator[Journal]:
    """Yield the journal of a shard, locked for this process."""
    folder = study.folder_of(shard)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        yield Journal.open(folder / JOURNAL)


def _do(study: _Study, shard: Shard, journal: Journal, redo: Collection[str], execution: ExecutionSettings) -> None:
    """Prepare the remaining items of a shard."""
    _claim(study, shard)
    if not execution.quiet:
        _tell(study.inventory)
    if redo:
        _forget(study, journal, _to_redo(study, shard, journal, redo))
    todo = [index for index in study.part(shard) if index not in journal]
    output = OutputFolder(
        source_root=study.inventory.root,
        out=study.out,
        scratch=_new_scratch(study.folder_of(shard)),
        spec=study.spec,
        face_detector_file=execution.face_detector_file and execution.face_detector_file.resolve(),
        are_crops=study.inventory.are_crops,
    )
    items = study.inventory.items
    # originals before fakes, which use the boxes of their originals
    first = [index for index in todo if index not in study.originals]
    second = [index for index in todo if index in study.originals]
    num_done, num_faces, start = len(journal), 0, time.monotonic()
    with (
        progress("prepare", num_done + len(todo), unit="files", quiet=execution.quiet, done=num_done) as shown,
        _workers(output, len(todo), execution) as do,
    ):
        for numbers in (first, second):
            for index, record in do(_jobs(study, journal, largest_first(numbers, items))):
                if not record.rows:
                    output.remove(crop_folder(items[index]))  # from before a second try
                journal.append(index, with_frame_number(record, items[index]))
                num_faces += len(record.rows)
                shown.advance(note=f"{num_faces / max(time.monotonic() - start, 1e-9):.1f} faces/s")
    journal.rewrite()
    shutil.rmtree(study.folder_of(shard) / SCRATCH)


def _tell(inventory: Inventory) -> None:
    """Report missing parts of the dataset now, and not after days of work."""
    for text in inventory.missing:
        print(f"realface prepare: missing: {text}", file=sys.stderr)
    for text in inventory.notes:
        print(f"realface prepare: note: {text}", file=sys.stderr)
    if inventory.left_out:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in inventory.left_out.items())
        print(f"realface prepare: unused files: {counts}", file=sys.stderr)
    if inventory.are_crops:
        print(
            f"realface prepare: {inventory.dataset} comes as face crops, which are copied as they are: of the options "
            "for crops only --frames counts",
            file=sys.stderr,
        )


def _new_scratch(folder: Path) -> Path:
    """Return a new folder for this run only.

    The folders of killed runs are renamed before they are removed: after that, no surviving worker can move files from
    them.
    """
    if (folder / SCRATCH).exists():
        (folder / SCRATCH).rename(folder / f"{SCRATCH}-{uuid.uuid4().hex}")
    for old in folder.glob(f"{SCRATCH}-*"):
        shutil.rmtree(old, ignore_errors=True)
    scratch = folder / SCRATCH / uuid.uuid4().hex
    scratch.mkdir(parents=True)
    return scratch


def _jobs(study: _Study, journal: Journal, numbers: Sequence[int]) -> Iterator[PrepareJob]:
    items = study.inventory.items
    for index in numbers:
        real = study.originals.get(index)
        original = None if real is None else journal.read(real).as_original(items[real].source)
        why_none = NO_FACE_THERE if real is not None and original is None else ""
        yield PrepareJob(index, items[index], original, why_none, is_original=index in study.reals_with_fakes)


def _workers(output: OutputFolder, num_jobs: int, execution: ExecutionSettings) -> AbstractContextManager[Do]:
    if execution.cluster is not None and num_jobs:
        from realface.prepare.cluster import ray_workers

        return ray_workers(output, execution.workers)
    return workers(output, min(num_workers(execution.workers), num_jobs))


def _to_redo(study: _Study, shard: Shard, journal: Journal, redo: Collection[str]) -> set[int]:
    """Return the items skipped for one of these reasons, wholly or in part, and the fakes that depend on them."""
    reasons = {index: record.reasons for index, record in journal.records()}
    known = set().union(*reasons.values())
    # an interrupted run may have retried all such files, and another shard may have files that this shard has not
    is_finished = shard.total == 1 and (study.out / MANIFEST).exists()
    if is_finished and (unknown := sorted(set(redo) - known - {EVERY_REASON})):
        there = ", ".join(sorted(known)) or "none"
        raise PrepareError(f"--redo {unknown[0]!r}: no file was skipped for this reason; reasons here: {there}")
    chosen = {index for index, here in reasons.items() if here & set(redo) or (here and EVERY_REASON in redo)}
    return chosen | {fake for fake, real in study.originals.items() if real in chosen and fake in journal}


def _forget(study: _Study, journal: Journal, numbers: Collection[int]) -> None:
    """Remove the records of items, and the manifest, which may name crops that do not come back."""
    if numbers:
        (study.out / MANIFEST).unlink(missing_ok=True)
        journal.rewrite(without=numbers)


def _require_own_folders(inventory: Inventory) -> None:
    first: dict[str, Path] = {}
    for item in inventory.items:
        folder = str(crop_folder(item))
        if first.setdefault(folder, item.source) != item.source:
            raise DatasetError(
                f"{first[folder]} and {item.source} are one video by data set, method, compression and name",
                hint="keep one of them, or rename it",
            )


def _settings(inventory: Inventory, spec: CropSpec, total: int) -> dict[str, Any]:
    """Return the settings that a resumed preparation must share, including all items: records use an item's number."""
    items = hashlib.sha256()
    for item in inventory.items:
        items.update(f"{item!r}\n".encode(errors="surrogateescape"))
    return {
        "format": FORMAT,
        "source": str(inventory.root),
        "dataset": inventory.dataset,
        "crop": spec.model_dump(mode="json"),
        "shards": total,
        "items": items.hexdigest(),
    }


def _require_own_output(out: Path, settings: Mapping[str, Any]) -> None:
    """Refuse an output folder with contents other than this preparation; the folder is not changed."""
    begun = sorted((out / STATE).glob(f"*/{SETTINGS}"))
    if not begun and not (out.is_dir() and {path.name for path in out.iterdir()} <= {STATE}):
        require_free(out)
    for file in begun:
        others = json.loads(file.read_text(encoding="utf-8"))
        if differing := [name for name, value in settings.items() if others.get(name) != value]:
            raise OutputExistsError(
                f"{out} holds another preparation: {_difference(differing[0], others, settings)}",
                hint="give another folder, or remove it first",
            )


def _claim(study: _Study, shard: Shard) -> None:
    """Write the settings, then check them again: another shard may have started a different preparation."""
    file = study.folder_of(shard) / SETTINGS
    if not file.exists():
        write_json(file, study.settings)
        try:
            _require_own_output(study.out, study.settings)
        except OutputExistsError:
            file.unlink()
            raise


def _difference(name: str, begun: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    if name == "items":
        return "files were added, removed or renamed in the source folder since"
    if name == "crop":
        there, here = begun.get("crop", {}), settings["crop"]
        name = next(key for key in here if there.get(key) != here[key])
        return f"its crops have {name} {there.get(name)!r}, and {here[name]!r} is asked for"
    return f"it was begun with {name} {begun.get(name)!r}, and {settings[name]!r} is asked for"
