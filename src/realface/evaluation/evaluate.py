"""Evaluate an artifact on manifests: a score table, all numbers and example faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from realface.core.artifact import DEMONSTRATION, ArtifactCard
from realface.core.crop_spec import note_of_unknown_crops, require_same_crops
from realface.core.errors import ManifestError, MediaError
from realface.core.files import folder_written_atomically, require_free, write_json
from realface.core.provenance import collect_provenance
from realface.core.split_names import canonical_split
from realface.core.stopping import ended_by_sigterm
from realface.evaluation.examples import PER_KIND, choose_examples, write_examples
from realface.evaluation.inpainting import MOST_FACES, Inpainting, measure_inpainting, score_and_inpaint
from realface.evaluation.localisation import Measured, measure_error_map
from realface.evaluation.scoring import FailedRow, Reading, score_readable_crops, table_of_scores
from realface.manifest.manifest import Manifest
from realface.metrics.localisation import Localisation, summarise_localisation, write_measured
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import Summary, summarise
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.catalog import get_method
from realface.models.devices import resolve_device
from realface.models.method import InpaintingMetric

FORMAT = 1
METRICS_NAME = "metrics.json"
SCORES_NAME = "scores.parquet"
LOCALISATION_NAME = "localisation.parquet"
INPAINTING_NAME = "inpainting.json"
EXAMPLES_NAME = "examples"
TEST_SPLIT = "test"
ALL_SPLITS = "all"
SEEN_SPLITS = frozenset({"train", "val"})
DEMONSTRATION_NOTE = "demonstration model: these numbers mean nothing about real videos"
CARD_PARTS = (
    "method",
    "purpose",
    "licence",
    "input_size",
    "interpolation",
    "threshold",
    "threshold_rule",
    "trained_on",
    "weights_sha256",
)


@dataclass(frozen=True)
class Evaluation:
    """Results of an evaluation.

    Attributes:
        out: the folder with `scores.parquet`, `metrics.json`, `examples/`, `localisation.parquet` if masks were
            compared with error maps, and `inpainting.json` if the network is an MAE.
        summary: all numbers.
        failed: the rows that could not be scored, in order.
        notes: remarks that a reader of the numbers needs.
        document: content of `metrics.json`.
        localisation: agreement of the error map with the masks of fakes; None if no fake has a mask or the network has
            no error map.
        inpainting: errors of the inpainting of real faces; None if no real face was scored, or the network is no MAE.
    """

    out: Path
    summary: Summary
    failed: list[FailedRow]
    notes: list[str]
    document: dict[str, Any]
    localisation: Localisation | None = None
    inpainting: Inpainting | None = None


@dataclass(frozen=True)
class _TestSet:
    """Rows of one manifest that are scored.

    Attributes:
        path: the manifest's file.
        whole: the whole manifest.
        split: split of the rows; `all` for every row.
        rows: the rows that are scored.
    """

    path: Path
    whole: Manifest
    split: str
    rows: Manifest

    def entry(self) -> dict[str, Any]:
        """Return the set's entry in `metrics.json`."""
        return {
            "path": str(self.path),
            "sha256": self.whole.sha256(),
            "split": self.split,
            "rows": len(self.rows),
            "rows_in_file": len(self.whole),
            "crop": self.whole.header.crop.describe(),
        }


@dataclass(frozen=True)
class _Opened:
    """The detector and the data of an evaluation, checked and ready to be scored.

    Attributes:
        folder: folder of the artifact.
        card: the artifact's card.
        network: the artifact's network, on its device.
        test_sets: the rows of all manifests that are scored.
        reading: how crops are read.
    """

    folder: Path
    card: ArtifactCard
    network: nn.Module
    test_sets: list[_TestSet]
    reading: Reading


@dataclass(frozen=True)
class _Scored:
    """The scores of all test sets.

    Attributes:
        table: the rows that could be read, set after set.
        rows: for each set, the manifest of its rows in the table.
        failed: the rows that could not be read.
        measured: agreement of the error maps with the masks; None if no fake has a mask or the network has no error
            map.
        errors: inpainting error of each row of the table; None if the network is no MAE.
    """

    table: ScoreTable
    rows: list[Manifest]
    failed: list[FailedRow]
    measured: Measured | None
    errors: NDArray[np.float64] | None

    def locate(self, row: int) -> tuple[Manifest, int]:
        """Return the manifest, and the row in it, of a row of the table."""
        ends = np.cumsum([len(manifest) for manifest in self.rows])
        which = int(np.searchsorted(ends, row, side="right"))
        return self.rows[which], row - int(ends[which]) + len(self.rows[which])


@ended_by_sigterm()
def evaluate_artifact(
    artifact: Path,
    manifests: Sequence[Path],
    out: Path,
    *,
    split: str | None = None,
    device: str = "auto",
    batch_size: int = 32,
    workers: int = 0,
    num_resamples: int = 1000,
    seed: int = 0,
    num_examples: int = PER_KIND,
    num_inpainted: int = MOST_FACES,
    quiet: bool = False,
) -> Evaluation:
    """Score manifests with an artifact and write everything a report needs.

    The folder appears whole or not at all. The same artifact, manifests and seed give the same scores and numbers.

    Args:
        artifact: folder of an artifact, or of a run that contains it in `artifact`.
        manifests: one or more. With several, the manifest's path is the dataset of rows without a dataset, so that
            videos of different manifests are not mixed.
        out: a new folder.
        split: split to evaluate; `all` is every row. Default: the `test` rows of a manifest with test rows, else all.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: crops at a time.
        workers: number of processes that decode; 0: the calling process does it.
        num_resamples: resamples of the bootstrap that gives the intervals.
        seed: seed of the bootstrap.
        num_examples: example faces of each kind, up to 100: the hardest and the easiest fakes and reals.
        num_inpainted: real faces on which an MAE is compared with inpainting baselines; 0 compares none.
        quiet: show no progress.

    Raises:
        MissingInputError: the artifact or a manifest does not exist.
        OutputExistsError: `out` is not empty.
        ArtifactError: the artifact cannot be used.
        ManifestError: a manifest cannot be used, is given twice, or has no rows of the split.
        CropSpecError: crop settings of a manifest differ from the settings that the artifact expects.
        MediaError: no row at all can be read.
        MetricError: a video has real and fake rows, or the network returns a value that is no probability.
        LoadingError, StoppedBySignal: worker processes failed; SIGTERM came. Nothing is written then.

    Example:
        >>> manifests = [Path("faces/manifest.parquet")]
        >>> evaluation = evaluate_artifact(Path("run"), manifests, Path("results"))  # doctest: +SKIP
        >>> evaluation.summary.overall.video["auc"]  # doctest: +SKIP
    """
    folder, on = find_artifact(artifact), resolve_device(device)
    card = read_card(folder)
    test_sets = _open_all(manifests, split, card, folder)
    require_free(out)
    network = load_network(folder, device=on)
    reading = Reading(input_size=card.input_size, device=on, batch_size=batch_size, workers=workers, quiet=quiet)
    opened = _Opened(folder, card, network, test_sets, reading)
    bootstrap = {"num_resamples": num_resamples, "seed": seed}
    return _evaluate(opened, out, num_examples=num_examples, num_inpainted=num_inpainted, **bootstrap)


def _evaluate(
    opened: _Opened, out: Path, *, num_examples: int, num_inpainted: int, num_resamples: int, seed: int
) -> Evaluation:
    """Score the test sets, compute all numbers and write the folder."""
    folder, card, network = opened.folder, opened.card, opened.network
    test_sets, reading = opened.test_sets, opened.reading
    metric = get_method(card.method).inpainting
    scored = _score(network, test_sets, reading, metric)
    bootstrap = {"num_resamples": num_resamples, "seed": seed}
    summary = summarise(scored.table, threshold=card.threshold, **bootstrap)
    localisation = _localisation(scored, **bootstrap)
    inpainting = _inpainting(network, metric, scored, reading, most_faces=num_inpainted, **bootstrap)
    notes = _notes(card, folder, test_sets, scored)
    further = _further({"localisation": localisation, "inpainting": inpainting})
    origins = _origins(card, folder, test_sets, scored, notes=notes, device=reading.device)
    document = origins | summary.to_json() | further
    _write(out, document, scored, inpainting, network, card, reading, num_examples=num_examples)
    return Evaluation(out, summary, scored.failed, notes, document, localisation, inpainting)


def _further(parts: Mapping[str, Localisation | Inpainting | None]) -> dict[str, Any]:
    """Return the blocks of `metrics.json` that only some evaluations have."""
    return {name: part.to_json() for name, part in parts.items() if part is not None}


def _open_all(manifests: Sequence[Path], split: str | None, card: ArtifactCard, folder: Path) -> list[_TestSet]:
    """Read all manifests and refuse unusable manifests, before any time is spent on scoring."""
    if not manifests:
        raise ManifestError("no manifest to evaluate on", hint="give at least one")
    twice = [
        path for number, path in enumerate(manifests) if path.resolve() in {p.resolve() for p in manifests[:number]}
    ]
    if twice:
        raise ManifestError(f"{twice[0]} is given twice, and every row would count double", hint="give it once")
    test_sets = [_open(path, split, card, folder, is_alone=len(manifests) == 1) for path in manifests]
    unscored = [table_of_scores(each.rows, np.zeros(len(each.rows))) for each in test_sets]
    ScoreTable.concatenate(unscored).video_level()  # refuses a video with two labels
    return test_sets


def _open(path: Path, split: str | None, card: ArtifactCard, folder: Path, *, is_alone: bool) -> _TestSet:
    """Read a manifest, check its crops and choose its rows."""
    whole = Manifest.read(path)
    require_same_crops(whole.header.crop, crops_name=str(path), model=card.crop, model_name=str(folder))
    splits = sorted(name for name in whole.distinct("split") if name is not None)
    if split is None:
        split = TEST_SPLIT if TEST_SPLIT in splits else ALL_SPLITS
    split = canonical_split(split)
    rows = whole if split == ALL_SPLITS else whole.filter(split=split)
    if len(rows) == 0:
        known = f"it has {', '.join(splits)}" if splits else "none of its rows names a split"
        raise ManifestError(
            f"{path} has no rows of split {split!r}: {known}", hint="use --split all to evaluate every row"
        )
    if not is_alone:
        rows = rows.filled(dataset=str(path))
    return _TestSet(path, whole, split, rows)


def _score(
    network: nn.Module, test_sets: Sequence[_TestSet], reading: Reading, metric: InpaintingMetric | None
) -> _Scored:
    tables, rows, failed, measured, errors = [], [], [], [], []
    for test_set in test_sets:
        if metric is None:
            table, lost = score_readable_crops(network, test_set.rows, reading)
        else:
            table, lost, own_errors = score_and_inpaint(network, test_set.rows, reading, metric=metric)
            errors.append(own_errors)
        readable = test_set.rows.take(np.setdiff1d(np.arange(len(test_set.rows)), [each.row for each in lost]))
        localised = measure_error_map(network, readable, reading)
        tables.append(table)
        rows.append(readable)
        failed += lost
        measured += [] if localised is None else [localised]
    if not any(len(table) for table in tables):
        raise MediaError(f"none of {len(failed)} crops can be read; the first: {failed[0].text}", reason="all failed")
    return _Scored(
        ScoreTable.concatenate(tables),
        rows,
        failed,
        Measured.joined(measured),
        np.concatenate(errors) if errors else None,
    )


def _localisation(scored: _Scored, *, num_resamples: int, seed: int) -> Localisation | None:
    if scored.measured is None:
        return None
    crops, left_out = scored.measured.crops, scored.measured.left_out
    return summarise_localisation(crops, left_out=left_out, num_resamples=num_resamples, seed=seed)


def _inpainting(
    network: nn.Module, metric: InpaintingMetric | None, scored: _Scored, reading: Reading, **options: Any
) -> Inpainting | None:
    if metric is None or scored.errors is None:
        return None
    return measure_inpainting(metric.grid(network), scored.rows, scored.errors, reading, **options)


def _origins(
    card: ArtifactCard,
    folder: Path,
    test_sets: Sequence[_TestSet],
    scored: _Scored,
    *,
    notes: list[str],
    device: torch.device,
) -> dict[str, Any]:
    """Return the part of `metrics.json` that describes the detector, the data and the settings."""
    parts = card.model_dump(mode="json", include=set(CARD_PARTS))
    return {
        "format": FORMAT,
        "artifact": {"folder": str(folder), **parts, "crop": card.crop.describe()},
        "manifests": [test_set.entry() for test_set in test_sets],
        "failed": [{"path": failure.path, "reason": failure.reason} for failure in scored.failed],
        "notes": notes,
        "provenance": collect_provenance(device=str(device)),
    }


def _write(
    out: Path,
    document: dict[str, Any],
    scored: _Scored,
    inpainting: Inpainting | None,
    network: nn.Module,
    card: ArtifactCard,
    reading: Reading,
    *,
    num_examples: int,
) -> None:
    with folder_written_atomically(out) as partial:
        scored.table.write(partial / SCORES_NAME)
        if scored.measured is not None:
            write_measured(scored.measured.crops, partial / LOCALISATION_NAME)
        if inpainting is not None:
            faces = {"faces": inpainting.faces.to_json()}
            write_json(partial / INPAINTING_NAME, {"format": FORMAT, **inpainting.to_json(), **faces})
        write_json(partial / METRICS_NAME, document)
        write_examples(
            partial / EXAMPLES_NAME,
            network,
            scored.table,
            choose_examples(scored.table, per_kind=num_examples),
            scored.locate,
            reading,
            threshold=card.threshold,
        )


def _notes(card: ArtifactCard, folder: Path, test_sets: Sequence[_TestSet], scored: _Scored) -> list[str]:
    """Return the remarks that a reader of the numbers needs, one line each."""
    notes = [DEMONSTRATION_NOTE] if card.purpose == DEMONSTRATION else []
    crops = {str(each.path): each.whole.header.crop for each in test_sets}
    if unknown := note_of_unknown_crops(crops | {str(folder): card.crop}):
        notes.append(unknown)
    for test_set in test_sets:
        seen = sorted(set(test_set.rows.distinct("split")) & SEEN_SPLITS)
        if seen:
            notes.append(f"{test_set.path}: rows of {' and '.join(seen)} are among those measured; this is no test")
    if num_unnamed := scored.table.num_unnamed:
        few = "no crop" if num_unnamed == len(scored.table) else f"{num_unnamed} of {len(scored.table)} crops"
        verb = "names its video, so each" if few == "no crop" else "name no video, so each of these"
        notes.append(f"{few} {verb} counts as its own video; intervals are too narrow if several show the same video")
    if scored.failed:
        whole = len(scored.failed) + len(scored.table)
        notes.append(f"{len(scored.failed)} of {whole} crops could not be read and are in no number")
    return notes
