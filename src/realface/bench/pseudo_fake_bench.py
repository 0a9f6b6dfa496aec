"""Pairs of a real face and its pseudo-fake per CPU second, by kind."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realface.bench.face_crops import named_crops
from realface.bench.timing_stats import format_stats, summarise
from realface.core.progress import progress
from realface.data.pairs import PairDataset, RealFaces
from realface.data.pseudo_fakes.face_frame import face_frame, framed_face
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.data.resynthesis_store import RenderedFace, ResynthesisHeader, ResynthesisStore, write_store
from realface.evaluation.pseudo_fakes import find_faces
from realface.models.face_autoencoder import SIDE

NEEDED = 60.0
"""Pairs per second that one core should supply to a training."""
MIXTURE, DEGRADED = "mixture", "mixture, degraded"


@dataclass(frozen=True)
class PseudoFakeSize:
    """Amount of work of one timing.

    Attributes:
        input_size: height and width of the images, in pixels.
        num_pairs: number of pairs.
    """

    input_size: int = 224
    num_pairs: int = 60


def bench_pseudo_fakes(
    *, repeats: int = 5, size: PseudoFakeSize | None = None, faces: RealFaces | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Time making pairs on one thread, in CPU seconds.

    Every kind is timed without degradations, then the default mixture without and with them. Windows and tensors are
    included, decoding the crops is not. The kind `resynthesis` reads its images from a store on disk, as training
    does. The kinds are timed once in every round.

    Args:
        repeats: number of rounds.
        size: amount of work; 224 pixels and 60 pairs by default.
        faces: real faces; views of the two public-domain portraits by default, with a store of blurred faces
            instead of faces rendered by a network, because the cost does not depend on the content.
        quiet: show no progress.

    Returns:
        JSON-ready: pairs per CPU second by kind, as median, minimum and maximum of the rounds.
    """
    size = size or PseudoFakeSize()
    variants: dict[str, PseudoFakesSection] = {
        **{name: PseudoFakesSection(kinds={name: 1}, degradations=None) for name in KINDS},
        MIXTURE: PseudoFakesSection(degradations=None),
        DEGRADED: PseudoFakesSection(),
    }
    rates: dict[str, list[float]] = {name: [] for name in variants}
    with (
        tempfile.TemporaryDirectory(prefix="realface-bench-") as temporary,
        _one_opencv_thread(),
        progress("bench pseudo_fakes", repeats * len(variants), unit="runs", quiet=quiet) as bar,
    ):
        faces = faces or portrait_faces(Path(temporary, "store"))
        for seed in range(repeats):
            for name, section in variants.items():
                dataset = PairDataset(faces, section, input_size=size.input_size, seed=seed)
                rates[name].append(_pairs_per_cpu_second(dataset, size.num_pairs))
                bar.advance()
    return {
        "size": asdict(size),
        "needed": NEEDED,
        "pairs_per_cpu_s": {name: summarise(values) for name, values in rates.items()},
    }


def pseudo_fakes_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_pseudo_fakes` as lines of text."""
    size, needed = result["size"], result["needed"]
    return [
        f"  pairs of {size['input_size']} px per CPU second; a training needs {needed:g}",
        *(
            f"  {name:<18}{format_stats(values, '7.1f')}{'' if values['median'] >= needed else '  too slow'}"
            for name, values in result["pairs_per_cpu_s"].items()
        ),
    ]


def portrait_faces(folder: Path) -> RealFaces:
    """Return views of the two portraits, with a store of their re-synthesised faces on disk.

    Args:
        folder: folder of the store; must be empty or missing.
    """
    images, identities = named_crops(None)
    keys = [f"{number:064x}" for number in range(len(images))]
    found = find_faces(images, identities)
    assert found.num_without_face == 0, "the face mesh misses a portrait"
    rendered = []
    for key, image, points in zip(keys, found.images, found.landmarks, strict=True):
        frame = face_frame(points[:, :2], SIDE)
        face = cv2.GaussianBlur(framed_face(image, frame, SIDE), (0, 0), 2)
        rendered.append((key, RenderedFace(np.asarray(face, dtype=np.uint8), frame, "blur")))
    write_store(folder, ResynthesisHeader(format=1, network="blur", side=SIDE), rendered)
    renderings = ResynthesisStore(folder).faces(keys)
    return find_faces(images, identities, renderings).real_faces()


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _pairs_per_cpu_second(dataset: PairDataset, count: int) -> float:
    dataset[0]  # reads tables and fills caches
    start = time.process_time()
    for index in range(count):
        epoch, row = divmod(index, len(dataset))
        dataset.set_epoch(epoch)
        dataset[row]
    return count / max(time.process_time() - start, 1e-9)
