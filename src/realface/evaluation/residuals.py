"""Compute the residual of every crop of some manifests once, for trainings to read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from realface.core.crop_spec import note_of_unknown_crops, require_same_crops
from realface.core.errors import DeviceError, ManifestError
from realface.core.files import written_atomically
from realface.core.progress import progress
from realface.core.stopping import ended_by_sigterm
from realface.data.crop_store import crop_keys
from realface.data.residual_store import ResidualHeader, ResidualStore, filled_store
from realface.evaluation.scoring import CropBatch, FailedRow, Reading, read_in_batches
from realface.manifest.manifest import Manifest
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.devices import resolve_device
from realface.models.inference import for_inference
from realface.models.rffr.mae import MaskedAutoencoder, fingerprint
from realface.models.rffr.residual import ResidualSource, residual_source

SKIPPED_NAME = "skipped.csv"
SHARD_SIZE = 256
Precision = Literal["fp32", "bf16"]
StoredType = Literal["float32", "float16"]


@dataclass(frozen=True)
class ComputedResiduals:
    """Content of a store after it was filled.

    Attributes:
        out: folder of the store.
        header: origin of its residuals: the MAE and the settings.
        num_there: number of different crops of the manifests whose residual was stored before.
        num_computed: number of crops whose residual was computed now.
        failed: rows that cannot be read, in order; `skipped.csv` in the folder lists each.
        notes: remarks for the user.
    """

    out: Path
    header: ResidualHeader
    num_there: int
    num_computed: int
    failed: list[FailedRow]
    notes: list[str]

    @property
    def skipped(self) -> dict[str, int]:
        """Number of crops that cannot be read, by reason."""
        return dict(sorted(Counter(failure.reason for failure in self.failed).items()))


@ended_by_sigterm()
def compute_residuals(
    mae: Path,
    manifests: Sequence[Path],
    out: Path,
    *,
    mode: Literal["exact", "fast"] | None = None,
    outer_ring: bool | None = None,
    precision: Precision = "fp32",
    dtype: StoredType = "float32",
    device: str = "auto",
    batch_size: int = 32,
    chunk_size: int | None = None,
    workers: int = 0,
    shard_size: int = SHARD_SIZE,
    quiet: bool = False,
) -> ComputedResiduals:
    """Fill a store with the residuals of all crops that it does not have yet.

    Args:
        mae: artifact or run folder of `rffr-mae`, or of `rffr`, whose MAE is used then.
        manifests: the crops; a crop that is listed twice is computed once.
        out: a new folder, or a store of the same MAE and settings.
        mode: `exact` or `fast`; None: the artifact's own mode.
        outer_ring: whether to cover the outermost patches too; None: the artifact's own setting.
        precision: `bf16` computes in half precision where torch considers it safe.
        dtype: type of the stored residuals.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: crops at a time.
        chunk_size: passes computed at once; changes time and memory, not the result. None: the artifact's own.
        workers: number of processes that decode; 0: the calling process does it.
        shard_size: crops per file, the most that a killed process loses.
        quiet: show no progress.

    Raises:
        MissingInputError: the artifact or a manifest does not exist.
        ArtifactError: the artifact cannot be used, or is of a method without an MAE.
        ModelInputError: the MAE cannot inpaint.
        ManifestError: a file is no manifest, or an unusable manifest.
        CropSpecError: a manifest's crops have other settings than the crops that the MAE was trained on.
        OutputExistsError: `out` contains other files, or another process is writing there.
        ResidualStoreError: `out` contains residuals of another MAE or other settings, or damaged residuals.
        DeviceError: no such device, or its memory is too small for a batch.
        LoadingError, StoppedBySignal: worker processes failed; SIGTERM came. Whole shards are kept then.
    """
    on, folder = resolve_device(device), find_artifact(mae)
    crops, notes = _read_manifests(manifests, folder)
    own = residual_source(load_network(folder, device=on), where=str(folder))
    source = _with_settings(own, mode=mode, outer_ring=outer_ring, chunk_size=chunk_size)
    header = _header_of(source, precision, dtype)
    if precision == "bf16":  # in float32 these kernels would round differently from training
        ready = for_inference(source.mae, input_size=header.input_size, dtype=torch.bfloat16)
        source = replace(source, mae=cast("MaskedAutoencoder", ready))
    with filled_store(out, header) as store:
        reading = Reading(input_size=header.input_size, device=on, batch_size=batch_size, workers=workers, quiet=quiet)
        filling = _Filling(source, store, reading, shard_size)
        num_there, num_computed, failed = filling.fill(crops)
        _write_skipped(out / SKIPPED_NAME, failed)
    return ComputedResiduals(out, header, num_there, num_computed, failed, notes)


def _with_settings(source: ResidualSource, **asked: Any) -> ResidualSource:
    """Return the source with the settings that are not None."""
    changes = {name: value for name, value in asked.items() if value is not None}
    return replace(source, section=source.section.model_copy(update=changes))


@dataclass(frozen=True)
class _Filling:
    """Computes the missing residuals of a store.

    Attributes:
        source: computes a residual.
        store: takes the residuals.
        reading: settings for reading crops.
        shard_size: residuals per shard.
    """

    source: ResidualSource
    store: ResidualStore
    reading: Reading
    shard_size: int

    def fill(self, manifest: Manifest) -> tuple[int, int, list[FailedRow]]:
        """Compute missing residuals; return the numbers of stored and of computed crops, and the unreadable rows."""
        keys = crop_keys(manifest)
        failed = [_without_key(manifest, row) for row, key in enumerate(keys) if not key]
        first = {key: row for row, key in reversed(list(enumerate(keys))) if key}
        rows = sorted(row for key, row in first.items() if key not in self.store)
        num_before, num_there = len(self.store), len(first) - len(rows)
        waiting: list[tuple[str, Tensor]] = []
        with progress("residuals", len(first), unit="crops", quiet=self.reading.quiet, done=num_there) as bar:
            for batch in read_in_batches(manifest, self.reading, rows=rows):
                failed += batch.failed
                waiting += zip([keys[row] for row in batch.rows], self._residuals(batch), strict=True)
                while len(waiting) >= self.shard_size:
                    self._write(waiting[: self.shard_size])
                    del waiting[: self.shard_size]
                bar.advance(len(batch.rows) + len(batch.failed))
            if waiting:
                self._write(waiting)
        return num_there, len(self.store) - num_before, sorted(failed, key=lambda failure: failure.row)

    def _write(self, shard: Sequence[tuple[str, Tensor]]) -> None:
        self.store.add([key for key, _ in shard], torch.stack([residual for _, residual in shard]))

    def _residuals(self, batch: CropBatch) -> Tensor:
        if not batch.rows:
            return batch.image
        device, is_half = self.reading.device, self.store.header.precision == "bf16"
        try:
            with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
                return self.source.residual(batch.image.to(device, non_blocking=True)).float().cpu()
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{device} has too little memory for {len(batch.rows)} crops at once",
                hint="give a smaller --batch-size or --chunk-size",
            ) from error


def _header_of(source: ResidualSource, precision: Precision, dtype: StoredType) -> ResidualHeader:
    section = source.section
    return ResidualHeader(
        mae=fingerprint(source.mae),
        input_size=source.mae.config.input_size,
        mode=section.mode,
        outer_ring=section.outer_ring,
        amplification=section.amplification,
        precision=precision,
        dtype=dtype,
        covered=source.covered,
    )


def _read_manifests(paths: Sequence[Path], mae: Path) -> tuple[Manifest, list[str]]:
    """Return all crops, and remarks for the user."""
    if not paths:
        raise ManifestError("no manifest whose residuals could be computed", hint="give at least one")
    manifests = [Manifest.read(path) for path in paths]
    expected = read_card(mae).crop
    for path, manifest in zip(paths, manifests, strict=True):
        require_same_crops(manifest.header.crop, crops_name=str(path), model=expected, model_name=str(mae))
    crops = {str(path): manifest.header.crop for path, manifest in zip(paths, manifests, strict=True)}
    note = note_of_unknown_crops(crops | {str(mae): expected})
    return Manifest.concatenate(manifests), [note] if note else []


def _without_key(manifest: Manifest, row: int) -> FailedRow:
    """Return a row whose file could not be hashed."""
    file = manifest.file_of(row)
    reason = "unreadable" if file.exists() else "missing file"
    return FailedRow(row, str(file), reason, f"row {row + 1} of the manifest: {file}: {reason}")


def _write_skipped(path: Path, failed: Sequence[FailedRow]) -> None:
    with written_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason", "text"])
        writer.writerows([failure.path, failure.reason, failure.text] for failure in failed)
