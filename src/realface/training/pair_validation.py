"""Validate on pairs of held-out identities: a fixed set for each kind, including kinds that training never makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset

from realface.core.errors import MediaError, MetricError
from realface.core.files import written_atomically
from realface.core.labels import Label
from realface.data.loading import ItemReader, load_batches
from realface.data.pairs import REAL_FAKE, PairDataset, PairItem
from realface.data.real_faces import FaceRows
from realface.data.source_stream import Draw, SourceStream
from realface.evaluation.scoring import Reading, evaluating, explain_out_of_memory
from realface.metrics.ranking import auc, log_loss
from realface.training.batches import Batch
from realface.training.pair_batches import DrawnPairs, join_pairs, pair_batch_bytes
from realface.training.recipe import PairsSection

SEED = 0
"""Seed of the validation pairs. It is independent of the run's seed, so that runs are compared on the same pairs."""
PAIRS_NAME = "validation_pairs.parquet"

KindDraw = tuple[str, Draw]


@dataclass(frozen=True)
class PairValidation:
    """The validation pairs of a run.

    Attributes:
        faces: real faces of identities that training does not see.
        section: section `pseudo_fakes` of the recipe.
        input_size: height and width of the images, in pixels.
    """

    faces: FaceRows
    section: PairsSection
    input_size: int

    def draws(self) -> list[KindDraw]:
        """Return kind and face of each pair, balanced over the sources. Each kind of pseudo-fake has the same faces."""
        drawn = self._faces_of(range(len(self.faces.identities)))
        kinds = self.section.validation_kinds
        draws = [(kind, face) for kind in kinds for face in drawn if kind != REAL_FAKE]
        if REAL_FAKE in kinds:
            draws = [*((REAL_FAKE, face) for face in self._faces_of(self.faces.with_fakes)), *draws]
        return draws

    def _faces_of(self, numbers: Sequence[int]) -> list[Draw]:
        sources, identities = (
            [names[face] for face in numbers] for names in (self.faces.sources, self.faces.identities)
        )
        stream = SourceStream(sources, identities, balance=self.section.source_balance, seed=SEED)
        return [(visit, numbers[row]) for visit, row in islice(stream.draws(), self.section.validation_pairs)]

    def score(self, network: nn.Module, reading: Reading) -> NDArray[np.float64]:
        """Score every pair.

        Args:
            network: returns an `Output`; on the reading's device.
            reading: settings for reading pairs; a batch has `batch_size` images, and all processes of its share get
                all scores.

        Returns:
            (pairs, 2) logits of the real face and the fake of each pair, in the order of `draws`.

        Raises:
            MediaError: a crop cannot be read.
            MetricError: a logit is not finite.
        """
        draws, share, device = self.draws(), reading.share, reading.device
        num_pairs = max(1, reading.batch_size // 2)
        starts = range(share.rank * num_pairs, len(draws), share.size * num_pairs)
        read: ItemReader[KindDraw, Batch | str] = ItemReader(_PairsOfKinds(self), join_pairs)
        loaded: Iterator[Batch | str] = load_batches(
            read,
            [draws[start : start + num_pairs] for start in starts],
            workers=reading.workers,
            batch_bytes=pair_batch_bytes(num_pairs, self.input_size),
        )
        own: dict[int, NDArray[np.float64]] = {}
        with evaluating(network), torch.inference_mode(), explain_out_of_memory(device, num_crops=2 * num_pairs):
            for start, batch in zip(starts, loaded, strict=True):
                if isinstance(batch, str):
                    raise MediaError(batch, reason="unreadable")
                own[start] = network(batch.image.to(device)).logit.double().cpu().numpy().reshape(-1, 2)
        together = {start: logits for part in share.gather(own) for start, logits in part.items()}
        logits = np.concatenate([together[start] for start in sorted(together)])
        if not np.isfinite(logits).all():
            raise MetricError(f"{int((~np.isfinite(logits)).sum())} of {logits.size} scores of pairs are not finite")
        return logits

    def metrics(self, logits: NDArray[np.float64]) -> dict[str, float]:
        """Return every metric of `pair_metrics`.

        Args:
            logits: (pairs, 2), from `score`.
        """
        kinds = np.array([kind for kind, _ in self.draws()])
        by_kind = {kind: _auc(logits[kinds == kind]) for kind in self.section.validation_kinds}
        seen = [value for kind, value in by_kind.items() if kind not in self.section.held_out]
        labels = np.tile([Label.REAL.value, Label.FAKE.value], len(logits))
        metrics = {
            "pair_auc": float(np.mean(list(by_kind.values()))),
            "pair_order": _order(logits),
            "seen_auc": float(np.mean(seen)),
            "log_loss": log_loss(labels, 1 / (1 + np.exp(-logits.ravel()))),
        }
        if self.section.held_out:
            metrics["held_out_auc"] = float(np.mean([by_kind[kind] for kind in self.section.held_out]))
        return metrics | {f"auc_{kind}": value for kind, value in by_kind.items()}

    def write(self, path: Path, logits: NDArray[np.float64]) -> None:
        """Write kind, row of the validation manifest and both logits of each pair.

        Args:
            path: file to write.
            logits: (pairs, 2), of the real face and the fake of each pair, from `score`.
        """
        draws = self.draws()
        columns: Mapping[str, Sequence[Any]] = {
            "kind": [kind for kind, _ in draws],
            "identity": [self.faces.identities[face] for _, (_, face) in draws],
            "source": [self.faces.sources[face] for _, (_, face) in draws],
            "real_logit": logits[:, 0].tolist(),
            "fake_logit": logits[:, 1].tolist(),
        }
        with written_atomically(path) as partial:
            pq.write_table(pa.table(dict(columns)), partial)


class _PairsOfKinds(Dataset[PairItem | str]):
    """Makes the pair of a kind and a face."""

    def __init__(self, validation: PairValidation) -> None:
        section = validation.section
        self._by_kind = {
            kind: DrawnPairs(
                PairDataset(
                    validation.faces.real_faces,
                    section if kind == REAL_FAKE else section.model_copy(update={"kinds": {kind: 1.0}}),
                    input_size=validation.input_size,
                    seed=SEED,
                    real_fakes=float(kind == REAL_FAKE),
                )
            )
            for kind in section.validation_kinds
        }

    def __getitem__(self, draw: KindDraw) -> PairItem | str:
        kind, face = draw
        return self._by_kind[kind][face]


def _auc(logits: NDArray[np.float64]) -> float:
    labels = np.tile([Label.REAL.value, Label.FAKE.value], len(logits))
    return auc(labels, logits.ravel())


def _order(logits: NDArray[np.float64]) -> float:
    """Return the share of pairs whose fake has the higher score; ties count half."""
    real, fake = logits[:, 0], logits[:, 1]
    return float(np.mean((fake > real) + 0.5 * (fake == real)))
