"""Measure the error with which an MAE inpaints real faces, compared with baselines that do not model faces.

A face's numbers are averaged over its identity (or video, if some identities are unknown), and the results over the
identities, so that an identity with many images has the same weight as any other. Intervals resample whole identities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from realface.core.labels import Label
from realface.core.progress import progress
from realface.data.dataset import CropDataset
from realface.data.loading import ItemReader, load_batches
from realface.data.transforms import FaceTransform
from realface.evaluation.inpainting_baselines import INPAINTING_BASELINES, InpaintingBaseline, Picture, Square
from realface.evaluation.scoring import FailedRow, Reading, measure_crops, table_of_scores
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import Estimate, mean_with_interval
from realface.models.method import InpaintingMetric
from realface.models.rffr.blocks import SIDE, BlockGrid

MOST_FACES = 500
GREY_LEVELS = 255
UNIT = "mean squared error over the inpainted blocks, of faces in [0, 1]"
FACES_AT_ONCE = 8
BYTES_OF_ERRORS = 64  # per face: one number per baseline


@dataclass(frozen=True)
class InpaintedFaces:
    """Errors of the inpainting of N real faces.

    Attributes:
        paths: files of the faces.
        drawn: unit that the intervals resample: `person`, or `video`, or `crop` if no face has a video, or
            `video or crop` if some faces have no video.
        units: the identity, video or crop of each face.
        mae: (N,), the MAE's error.
        inpainting_baselines: (N,), the baseline's error, by the baseline's name.
    """

    paths: list[str]
    drawn: str
    units: list[str]
    mae: NDArray[np.float64]
    inpainting_baselines: Mapping[str, NDArray[np.float64]]

    def to_json(self) -> list[dict[str, Any]]:
        """Return one entry per face."""
        rows = zip(self.paths, self.units, self.mae.tolist(), strict=True)
        errors = {name: values.tolist() for name, values in self.inpainting_baselines.items()}
        return [
            {"path": path, self.drawn: unit, "mae": error, **{name: values[n] for name, values in errors.items()}}
            for n, (path, unit, error) in enumerate(rows)
        ]


@dataclass(frozen=True)
class BaselineError:
    """Error of the inpainting of real faces, for the MAE or a baseline.

    Attributes:
        error: mean squared error, of faces in [0, 1].
        grey_levels: root of the mean squared error, in grey levels, of 255.
        mae_minus_this: the MAE's error minus this error, face by face: below 0 if the MAE is better; None for the
            MAE itself.
    """

    error: Estimate
    grey_levels: Estimate
    mae_minus_this: Estimate | None = None


@dataclass(frozen=True)
class Inpainting:
    """All numbers of inpainting.

    Attributes:
        mae: error of the MAE.
        inpainting_baselines: error of each baseline, by its name.
        num_faces: number of real faces measured.
        num_units: number of identities, videos or crops of these faces.
        drawn: kind of these units, see `InpaintedFaces.drawn`.
        num_real: number of real faces available, from which the measured faces were taken evenly spread.
        num_fakes: number of fakes excluded.
        faces: the errors of each face.
    """

    mae: BaselineError
    inpainting_baselines: Mapping[str, BaselineError]
    num_faces: int
    num_units: int
    drawn: str
    num_real: int
    num_fakes: int
    faces: InpaintedFaces

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping of everything but the single faces."""
        names = ("num_faces", "num_units", "drawn", "num_real", "num_fakes")
        return {
            "unit": UNIT,
            **{name: getattr(self, name) for name in names},
            "mae": asdict(self.mae),
            "inpainting_baselines": {name: asdict(numbers) for name, numbers in self.inpainting_baselines.items()},
        }


def score_and_inpaint(
    network: nn.Module, manifest: Manifest, reading: Reading, *, metric: InpaintingMetric
) -> tuple[ScoreTable, list[FailedRow], NDArray[np.float64]]:
    """Score the rows that can be read, and measure in the same passes the inpainting error of each row.

    Args:
        network: see `score_readable_crops`.
        manifest: the crops.
        reading: settings for reading crops.
        metric: inpainting metric of the network's method.

    Returns:
        The scores of the readable rows; the unreadable rows with the reason; and (rows,) the mean squared error over
        the blocks of the scored rows, of the inpainting scaled to [0, 1] like every image.
    """

    def measure(network: nn.Module, image: Tensor) -> Tensor:
        output = network(image)
        return torch.stack([output.score, metric.errors(network, output, image)], dim=1)  # (B, 2)

    numbers, failed = measure_crops(network, manifest, reading, measure=measure)
    kept = np.setdiff1d(np.arange(len(manifest)), [failure.row for failure in failed])
    scores, errors = numbers[kept].reshape(-1, 2).T  # (0,) if no row is readable
    return table_of_scores(manifest.take(kept), scores), failed, errors


def measure_inpainting(
    grid: BlockGrid,
    test_sets: Sequence[Manifest],
    errors: NDArray[np.float64],
    reading: Reading,
    *,
    most_faces: int = MOST_FACES,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Inpainting | None:
    """Fill the blocks of real faces without an MAE too, and compare.

    Args:
        grid: the MAE's blocks.
        test_sets: rows that can all be read; fakes are excluded and counted.
        errors: (rows,), errors of the MAE for the rows of all test sets, from `score_and_inpaint`.
        reading: settings for reading faces, the same as for the MAE.
        most_faces: largest number of faces; if more are available, the chosen faces are evenly spread over the rows.
        num_resamples: resamples of the bootstrap; 0 gives no intervals.
        seed: seed of the bootstrap.

    Returns:
        The numbers; None if the test sets contain no real face.

    Raises:
        MediaError: a crop is missing or no image.
    """
    reals = np.flatnonzero(np.concatenate([each.labels for each in test_sets]) == Label.REAL)
    if len(reals) == 0 or most_faces == 0:
        return None
    chosen = reals if len(reals) <= most_faces else reals[np.arange(most_faces) * len(reals) // most_faces]
    ends = np.cumsum([len(each) for each in test_sets])
    parts = [
        each.take(chosen[(chosen >= end - len(each)) & (chosen < end)] - (end - len(each)))
        for each, end in zip(test_sets, ends, strict=True)
    ]
    filled = _filling_errors(grid, [part for part in parts if len(part)], reading)
    drawn, units = _units(parts)
    paths = [str(part.file_of(row)) for part in parts for row in range(len(part))]
    faces = InpaintedFaces(paths, drawn, units, errors[chosen], dict(zip(INPAINTING_BASELINES, filled.T, strict=True)))
    num_real, num_fakes = len(reals), len(errors) - len(reals)
    return summarise_inpainting(faces, num_real=num_real, num_fakes=num_fakes, num_resamples=num_resamples, seed=seed)


def summarise_inpainting(
    faces: InpaintedFaces, *, num_real: int, num_fakes: int, num_resamples: int = 1000, seed: int = 0
) -> Inpainting:
    """Compute all numbers.

    Args:
        faces: measurements of at least one face.
        num_real: number of real faces available.
        num_fakes: number of fakes excluded.
        num_resamples: resamples of the bootstrap; 0 gives no intervals.
        seed: seed of the bootstrap.
    """
    numbers = np.unique(faces.units, return_inverse=True)[1]

    def mean(of_faces: NDArray[np.float64]) -> Estimate:
        of_units = np.bincount(numbers, weights=of_faces) / np.bincount(numbers)
        return mean_with_interval(
            of_units, word=Label.REAL.word, unit=faces.drawn, num_resamples=num_resamples, seed=seed
        )

    mae = mean(faces.mae)
    inpainting_baselines = {}
    for name, of_faces in faces.inpainting_baselines.items():
        error = mean(of_faces)
        inpainting_baselines[name] = BaselineError(error, _in_grey_levels(error), mean(faces.mae - of_faces))
    return Inpainting(
        mae=BaselineError(mae, _in_grey_levels(mae)),
        inpainting_baselines=inpainting_baselines,
        num_faces=len(faces.paths),
        num_units=int(numbers.max()) + 1,
        drawn=faces.drawn,
        num_real=num_real,
        num_fakes=num_fakes,
        faces=faces,
    )


def baseline_error(baseline: InpaintingBaseline, image: Picture, grid: BlockGrid) -> float:
    """Return the mean squared error of a baseline over the blocks of a face, each filled with all other blocks visible.

    Args:
        baseline: the inpainting baseline.
        image: (S, S, 3).
        grid: blocks of the image; of each, only the patches that it owns are counted.
    """
    patch_size = len(image) // grid.side
    differences = []
    for block in grid.blocks:
        square = Square(block.row * patch_size, block.column * patch_size, SIDE * patch_size)
        is_owned = np.isin(block.hidden, block.owned).reshape(SIDE, SIDE).repeat(patch_size, 0).repeat(patch_size, 1)
        differences.append((baseline(image, square) - image[square.pixels])[is_owned])
    return float(np.square(np.concatenate(differences) / GREY_LEVELS).mean())


class _Filled(Dataset[NDArray[np.float64]]):
    """The errors (K,) of all inpainting baselines on each face, in the loader's workers."""

    def __init__(self, manifest: Manifest, grid: BlockGrid, input_size: int) -> None:
        self._crops = CropDataset(manifest, transform=FaceTransform(input_size), seed=0, training=False)
        self._grid = grid

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, row: int) -> NDArray[np.float64]:
        image = (self._crops[row]["image"] * GREY_LEVELS).round().byte().permute(1, 2, 0).numpy().copy()
        return np.array([baseline_error(baseline, image, self._grid) for baseline in INPAINTING_BASELINES.values()])


def _filling_errors(grid: BlockGrid, parts: Sequence[Manifest], reading: Reading) -> NDArray[np.float64]:
    """Return the errors (N, K) of the faces of all parts."""
    errors: list[NDArray[np.float64]] = []
    with progress("fill", sum(len(part) for part in parts), unit="faces", quiet=reading.quiet) as bar:
        for part in parts:
            read: ItemReader[int, list[NDArray[np.float64]]] = ItemReader(_Filled(part, grid, reading.input_size), list)
            rows = [range(start, min(start + FACES_AT_ONCE, len(part))) for start in range(0, len(part), FACES_AT_ONCE)]
            loader = load_batches(read, rows, workers=reading.workers, batch_bytes=FACES_AT_ONCE * BYTES_OF_ERRORS)
            for batch in loader:
                errors += batch
                bar.advance(len(batch))
    return np.stack(errors)


def _units(parts: Sequence[Manifest]) -> tuple[str, list[str]]:
    """Return the unit to resample, and the unit of each face.

    The unit is the identity in its dataset if all identities are known, else the video. A face without a video is its
    own unit.
    """
    people = [
        (dataset, "+".join(sorted(own or ())))
        for part in parts
        for dataset, own in zip(part.column("dataset"), part.column("identities"), strict=True)
    ]
    if all(name for _, name in people):
        return "person", [f"{dataset or ''}/{name}" for dataset, name in people]
    num_unnamed = sum(part.columns["video"].null_count for part in parts)
    drawn = "crop" if num_unnamed == len(people) else "video or crop" if num_unnamed else "video"
    return drawn, [key for part in parts for key in part.video_keys()]


def _in_grey_levels(error: Estimate) -> Estimate:
    """Return the root of a mean squared error and of its bounds, of 255."""
    value, low, high = (
        None if bound is None else GREY_LEVELS * bound**0.5 for bound in (error.value, error.low, error.high)
    )
    return Estimate(value, low, high, error.reason)
