"""Pairs of a real face and its fake per CPU second, by kind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from realface.bench.face_crops import named_crops
from realface.bench.timing_stats import format_stats, summarise
from realface.core.progress import progress
from realface.data.pairs import PairDataset, RealFaces
from realface.data.pseudo_fakes.contract import Partner
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.evaluation.pseudo_fakes import find_faces

NEEDED = 60.0
"""Pairs per second that one core should feed to a training."""
MIXTURE, DEGRADED = "mixture", "mixture, degraded"


@dataclass(frozen=True)
class PseudoFakeSize:
    """What is made.

    Attributes:
        input_size: height and width of the images, in pixels.
        num_pairs: pairs per timing.
    """

    input_size: int = 224
    num_pairs: int = 60


def bench_pseudo_fakes(
    *, repeats: int = 5, size: PseudoFakeSize | None = None, faces: RealFaces | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Time the making of pairs on one thread, in CPU seconds.

    Every kind is timed without degradations, then the default mixture without and with them. Windows and tensors are
    included, the decoding of files is not. Kinds take turns in every round.

    Args:
        repeats: rounds.
        size: what is made; 224 pixels by default.
        faces: real faces; views of the two public-domain portraits when None.
        quiet: show no progress.

    Returns:
        JSON-ready; pairs per CPU second as median, least and most of the rounds.
    """
    size = size or PseudoFakeSize()
    faces = faces or _portraits()
    variants: dict[str, PseudoFakesSection] = {
        **{name: PseudoFakesSection(kinds={name: 1}, degradations=None) for name in KINDS},
        MIXTURE: PseudoFakesSection(degradations=None),
        DEGRADED: PseudoFakesSection(),
    }
    rates: dict[str, list[float]] = {name: [] for name in variants}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with progress("bench pseudo_fakes", repeats * len(variants), unit="runs", quiet=quiet) as bar:
            for seed in range(repeats):
                for name, section in variants.items():
                    dataset = PairDataset(faces, section, input_size=size.input_size, seed=seed)
                    rates[name].append(_pairs_per_cpu_second(dataset, size.num_pairs))
                    bar.advance()
    finally:
        cv2.setNumThreads(threads)
    return {
        "size": asdict(size),
        "needed": NEEDED,
        "pairs_per_cpu_s": {name: summarise(values) for name, values in rates.items()},
    }


def pseudo_fakes_table(result: Mapping[str, Any]) -> list[str]:
    """What `bench_pseudo_fakes` measured, as lines."""
    size, needed = result["size"], result["needed"]
    return [
        f"  pairs of {size['input_size']} px per CPU second; a training needs {needed:g}",
        *(
            f"  {name:<18}{format_stats(values, '7.1f')}{'' if values['median'] >= needed else '  too slow'}"
            for name, values in result["pairs_per_cpu_s"].items()
        ),
    ]


def _portraits() -> RealFaces:
    found = find_faces(*named_crops(None))
    faces = found.real_faces()
    blurred = [np.asarray(cv2.GaussianBlur(image, (0, 0), 2), dtype=np.uint8) for image in found.images]
    return RealFaces(
        faces.num_faces, faces.image, faces.landmarks, faces.partners, stored=lambda face, _: Partner(blurred[face])
    )


def _pairs_per_cpu_second(dataset: PairDataset, count: int) -> float:
    dataset[0]  # reads tables and fills caches
    start = time.process_time()
    for index in range(count):
        epoch, row = divmod(index, len(dataset))
        dataset.set_epoch(epoch)
        dataset[row]
    return count / max(time.process_time() - start, 1e-9)
