"""A folder of videos and pictures into face crops and a manifest.

Each source file becomes a record under `OUT/.unfinished/`, written when its crops are. The manifest is made from the
records in the order of the layout's scan, so it does not depend on the workers; a run that was broken off goes on
where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from realface.core.crop_spec import CropSpec
from realface.core.errors import LayoutError, OutputExistsError, RealfaceError
from realface.core.files import existing, new_folder, write_json, written_atomically
from realface.core.progress import progress
from realface.data.layouts.layout import Scan, SourceItem
from realface.data.layouts.registry import choose_layout
from realface.data.manifest import Manifest, ManifestHeader
from realface.faces.finders import finder_for
from realface.prepare.item import ItemRecord, prepare_item

UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class PrepareResult:
    """What a finished preparation holds.

    Attributes:
        manifest: the manifest's file.
        layout: the layout that the source folder has.
        num_sources: files that the layout found.
        num_crops: rows of the manifest.
        num_masks: rows with a mask.
        losses: how many source files gave no crop, by reason; `OUT/losses.csv` names each.
        mask_losses: how many masks could not be used, by reason; the same file names each.
        missing: what the layout expects and the source folder lacks.
    """

    manifest: Path
    layout: str
    num_sources: int
    num_crops: int
    num_masks: int
    losses: dict[str, int]
    mask_losses: dict[str, int]
    missing: tuple[str, ...]


def prepare(
    source: Path,
    out: Path,
    *,
    spec: CropSpec,
    layout: str | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> PrepareResult:
    """Find and crop the faces of every video and picture below `source`.

    Args:
        source: the data set's folder.
        out: a new or empty folder, or one in which the same preparation was broken off.
        spec: how to crop; its finder must be known here.
        layout: the layout's name; recognised when None.
        workers: processes; one per core when None, 0 works in this process.
        quiet: show no progress.

    Returns:
        The summary. `out` then holds `manifest.parquet`, `crops/`, `losses.csv` and, where the layout knows masks,
        `masks/`.

    Raises:
        MissingInputError: no such source folder.
        LayoutError: the layout is not recognised, or holds no video and no picture.
        OutputExistsError: `out` holds something else.
    """
    source = existing(source, what="source folder").resolve()
    finder_for(spec)  # a spec that cannot be followed here is refused before any work
    scan = choose_layout(source, layout).scan(source)
    if not scan.items:
        raise LayoutError(f"{source} has the layout {scan.layout} but holds no video and no picture")
    _open_output(out, _settings(scan, spec))
    todo = [index for index in range(len(scan.items)) if not _record_file(out, index).exists()]
    with progress("prepare", len(scan.items), unit="files", quiet=quiet) as shown:
        shown.advance(len(scan.items) - len(todo))
        for index, record in _records(scan, todo, out=out, spec=spec, workers=workers):
            write_json(_record_file(out, index), asdict(record))
            shown.advance()
    return _finish(scan, out, spec)


def _records(
    scan: Scan, todo: Sequence[int], *, out: Path, spec: CropSpec, workers: int | None
) -> Iterator[tuple[int, ItemRecord]]:
    count = min(os.cpu_count() or 1 if workers is None else workers, len(todo))
    if count == 0:
        work = _bound_work(scan.root, out, spec)
        for index in todo:
            yield index, work(scan.items[index])
        return
    with ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(scan.root, out, spec)
    ) as pool:
        futures = {pool.submit(_work, scan.items[index]): index for index in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise RealfaceError(
                "a worker process was killed, perhaps for lack of memory; the finished files are kept: "
                "run the same command again, with fewer --workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bound_work(source_root: Path, out: Path, spec: CropSpec) -> Callable[[SourceItem], ItemRecord]:
    """What is done with each item; one per process, since the finder loads its weights on first use."""
    return partial(prepare_item, source_root=source_root, out=out, spec=spec, finder=finder_for(spec))


_work_here: Callable[[SourceItem], ItemRecord]  # of a worker process, set when it starts


def _start_worker(source_root: Path, out: Path, spec: CropSpec) -> None:
    import cv2
    import torch

    global _work_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the pool
    torch.set_num_threads(1)  # the processes are the parallelism
    cv2.setNumThreads(1)
    _work_here = _bound_work(source_root, out, spec)


def _work(item: SourceItem) -> ItemRecord:
    return _work_here(item)


def _settings(scan: Scan, spec: CropSpec) -> dict[str, Any]:
    """What must be the same for a preparation to go on; records go by an item's number, so all items belong to it."""
    items = hashlib.sha256("\n".join(map(repr, scan.items)).encode(errors="surrogateescape")).hexdigest()
    return {"source": str(scan.root), "layout": scan.layout, "crop": spec.model_dump(), "items": items}


def _open_output(out: Path, settings: dict[str, Any]) -> None:
    """Make the output folder, or check that what was begun there is this same preparation."""
    settings_file = out / UNFINISHED / "settings.json"
    if settings_file.exists():
        if json.loads(settings_file.read_text(encoding="utf-8")) != settings:
            raise OutputExistsError(
                f"{out} holds an unfinished preparation with other settings, or of other files; "
                "give another folder, or remove it first"
            )
        return
    new_folder(out)
    write_json(settings_file, settings)


def _record_file(out: Path, index: int) -> Path:
    return out / UNFINISHED / f"{index:08d}.json"


def _finish(scan: Scan, out: Path, spec: CropSpec) -> PrepareResult:
    records = [
        ItemRecord(**json.loads(_record_file(out, index).read_text(encoding="utf-8")))
        for index in range(len(scan.items))
    ]
    losses = _counted(record.reason for record in records)
    mask_losses = _counted(record.mask_reason for record in records)
    header = ManifestHeader(
        crop=spec,
        sources={record.source: record.sha256 for record in records if record.sha256},
        losses=losses | {_of_mask(reason): count for reason, count in mask_losses.items()},
    )
    manifest = Manifest.from_rows([row for record in records for row in record.rows], root=out, header=header)
    _write_losses(out / "losses.csv", records)
    manifest.write(out / "manifest.parquet")
    shutil.rmtree(out / UNFINISHED)
    return PrepareResult(
        manifest=out / "manifest.parquet",
        layout=scan.layout,
        num_sources=len(scan.items),
        num_crops=len(manifest),
        num_masks=len(manifest) - manifest.table["mask"].null_count,
        losses=losses,
        mask_losses=mask_losses,
        missing=tuple(scan.missing),
    )


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason occurs, in alphabetical order; the empty one is none."""
    return dict(sorted(Counter(filter(None, reasons)).items()))


def _of_mask(reason: str) -> str:
    return f"mask: {reason}"


def _write_losses(path: Path, records: Sequence[ItemRecord]) -> None:
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "reason", "text"])
        for record in records:
            if record.reason:
                writer.writerow([record.source, record.reason, record.text])
            if record.mask_reason:
                writer.writerow([record.source, _of_mask(record.mask_reason), record.mask_text])
