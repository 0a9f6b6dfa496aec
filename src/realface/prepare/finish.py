"""Turn the records of all files into the manifest, the table of skipped files and the summary."""

from __future__ import annotations

import csv
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from realface.core.crop_spec import CropSpec
from realface.core.files import written_atomically
from realface.datasets.left_out import IMAGES, VIDEOS
from realface.datasets.reader import Inventory
from realface.manifest.columns import Columns
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.prepare.frames import FROM_ORIGINAL, OWN
from realface.prepare.journal import Journal
from realface.prepare.record import FRAME, MASK, ItemRecord

MANIFEST, SKIPPED, SOURCES = "manifest.parquet", "skipped.csv", "sources.csv"
MOST_IN_HEADER = 100_000  # source files with hashes in the manifest's header, which every reader loads completely
RECORDS_AT_ONCE = 1000  # become Arrow before the next are read: rows as Python objects take ten times the memory


@dataclass(frozen=True)
class PrepareResult:
    """Result of a finished preparation.

    Attributes:
        manifest: path of the manifest.
        dataset: name of the dataset in the source folder.
        num_sources: number of files that the reader found.
        num_crops: rows of the manifest.
        num_masks: rows with a mask.
        num_unmarked: rows whose crop contains no manipulated pixels.
        num_hdr: HDR videos, whose frames were converted to SDR.
        skipped: number of source files without a crop, by reason; `OUT/skipped.csv` lists them.
        skipped_masks: number of masks that could not be used, by reason; `OUT/skipped.csv` lists them.
        skipped_frames: number of skipped frames, faces or images of the other files, by reason; `OUT/skipped.csv` lists
            them.
        boxes: number of fakes cropped with the boxes of their original, and number of fakes cropped with their own
            boxes, by reason.
        found: number of files of each kind that the reader found, and number of ignored files, by reason.
        left_out: number of files in the source folder that the reader does not use, by kind: `images`, `videos`, and
            other files by suffix. Files counted in `skipped` are not included.
        missing: parts of the dataset that are missing in the source folder.
        notes: choices of the reader that the user should know.
    """

    manifest: Path
    dataset: str
    num_sources: int
    num_crops: int
    num_masks: int
    num_unmarked: int
    num_hdr: int
    skipped: dict[str, int]
    skipped_masks: dict[str, int]
    skipped_frames: dict[str, int]
    boxes: dict[str, int]
    found: dict[str, int]
    left_out: dict[str, int]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def finish(inventory: Inventory, out: Path, spec: CropSpec, journals: Sequence[Journal]) -> PrepareResult:
    """Write the manifest and the tables of skipped files and of source files, in the order of the inventory.

    Args:
        inventory: inventory of the reader.
        out: the output folder.
        spec: crop settings.
        journals: journals of all shards, which together have a record of every item.
    """
    tally = _Tally()
    tables = []
    records = _in_order(journals)
    with (
        _table(out / SKIPPED, "source", "reason", "count", "text") as skipped_table,
        _table(out / SOURCES, "source", "sha256") as sources_table,
    ):
        while chunk := list(islice(records, RECORDS_AT_ONCE)):
            for record in chunk:
                tally.count(record)
                for each in record.skipped:
                    skipped_table([record.source, each.reason, each.count, each.text])
                if record.sha256:
                    sources_table([record.source, record.sha256])
            rows = [row for record in chunk for row in record.rows]
            tables.append(Manifest.from_rows(rows, root=out).table)
    header = ManifestHeader(
        crop=CropSpec.unknown() if inventory.are_crops else spec,
        sources=tally.sources if tally.num_hashed <= MOST_IN_HEADER else {},
        skipped=dict(sorted(tally.skipped.items())),
        note="; ".join(filter(None, [tally.note(), *inventory.notes, _left_out_note(inventory)])),
    )
    manifest = Manifest(Columns.of(pa.concat_tables(tables)), header, out.resolve())
    manifest.write(out / MANIFEST)
    return PrepareResult(
        manifest=out / MANIFEST,
        dataset=inventory.dataset,
        num_sources=len(inventory.items),
        num_crops=len(manifest),
        num_masks=len(manifest) - manifest.columns["mask"].null_count,
        num_unmarked=tally.num_unmarked,
        num_hdr=tally.num_hdr,
        skipped=_of_kind(tally.skipped, ""),
        skipped_masks=_of_kind(tally.skipped, MASK),
        skipped_frames=_of_kind(tally.skipped, FRAME),
        boxes=dict(sorted(tally.boxes.items())),
        found=dict(inventory.counts),
        left_out=dict(inventory.left_out),
        missing=tuple(inventory.missing),
        notes=tuple(inventory.notes),
    )


def _left_out_note(inventory: Inventory) -> str:
    """Return how many images and videos of the source folder are not used; other files are not worth a note."""
    counts = [f"{inventory.left_out[kind]} {kind}" for kind in (IMAGES, VIDEOS) if kind in inventory.left_out]
    return f"unused files in the source folder: {' and '.join(counts)}" if counts else ""


@dataclass
class _Tally:
    """Counts over all records."""

    skipped: Counter[str] = field(default_factory=Counter)
    boxes: Counter[str] = field(default_factory=Counter)
    sources: dict[str, str] = field(default_factory=dict)
    num_hashed: int = 0
    num_unmarked: int = 0
    num_hdr: int = 0

    def count(self, record: ItemRecord) -> None:
        for each in record.skipped:
            self.skipped[each.reason] += each.count
        if record.boxes:
            self.boxes[record.boxes] += 1
        self.num_unmarked += record.num_unmarked
        self.num_hdr += record.hdr is not None
        if record.sha256:
            self.num_hashed += 1
            if self.num_hashed <= MOST_IN_HEADER:
                self.sources[record.source] = record.sha256

    def note(self) -> str:
        """Return the notes on the counts."""
        notes = []
        if self.boxes:
            own = "".join(
                f", by their own ({why.removeprefix(OWN)}): {count}"
                for why, count in sorted(self.boxes.items())
                if why.startswith(OWN)
            )
            notes.append(f"fakes cut by the boxes of their original: {self.boxes[FROM_ORIGINAL]}{own}")
        if self.num_hdr:
            notes.append(f"HDR videos converted to SDR: {self.num_hdr}")
        if self.num_hashed > MOST_IN_HEADER:
            notes.append(f"the SHA-256 of all {self.num_hashed} source files stand in {SOURCES}")
        return "; ".join(notes)


def _in_order(journals: Sequence[Journal]) -> Iterator[ItemRecord]:
    by_number = heapq.merge(*(journal.records() for journal in journals), key=itemgetter(0))
    return (record for _, record in by_number)


@contextmanager
def _table(path: Path, *columns: str) -> Iterator[Callable[[Sequence[object]], object]]:
    """Yield a function that writes a row of a CSV file."""
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        yield writer.writerow


def _of_kind(skipped: Counter[str], kind: str) -> dict[str, int]:
    """Return the counts of masks or frames without the prefix, or the counts of whole files."""
    kinds = {reason: next((one for one in (MASK, FRAME) if reason.startswith(one)), "") for reason in skipped}
    return {reason.removeprefix(kind): skipped[reason] for reason in sorted(skipped) if kinds[reason] == kind}
