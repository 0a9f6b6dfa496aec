"""The score and the threshold of a network that learned only from real faces, both fitted on real faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realface.core.artifact import ArtifactCard
from realface.core.errors import ManifestError
from realface.core.labels import Label
from realface.core.progress import progress
from realface.data.dataset import RowInput
from realface.evaluation.scoring import (
    Reading,
    evaluating,
    explain_out_of_memory,
    read_in_batches,
    require_readable,
    score_crops,
)
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.metrics.thresholds import threshold_on_reals
from realface.models.catalog import get_method
from realface.models.method import RealOnly

MOST_FACES = 2000
FALSE_POSITIVE_RATE = 0.05


@dataclass(frozen=True)
class FittedScore:
    """Score and threshold that were fitted on real faces.

    Attributes:
        scores: scores of these faces.
        threshold: scores from here up are called fake.
        threshold_rule: rule that chose the threshold, in words.
        measured: further measurements of the fit.
    """

    scores: ScoreTable
    threshold: float
    threshold_rule: str
    measured: dict[str, Any]


@dataclass(frozen=True)
class RealRows:
    """The real faces of a manifest that a score may be fitted on.

    Attributes:
        manifest: only these faces.
        whole: the manifest that contains them.
        num_fakes: number of fakes excluded.
        num_test: number of real rows of the test split excluded.
        num_more: number of real rows excluded because enough faces are available.
    """

    manifest: Manifest
    whole: Manifest
    num_fakes: int
    num_test: int
    num_more: int


def fit_on_reals(
    network: nn.Module,
    real_only: RealOnly,
    reals: Manifest,
    reading: Reading,
    *,
    false_positive_rate: float,
    videos_name: str,
    inputs: Mapping[str, RowInput] | None = None,
) -> FittedScore | None:
    """Give a network its score, and choose the threshold, both on the same real faces.

    Args:
        network: changed in place; on the reading's device.
        real_only: completes the network of its method.
        reals: real faces that it was not trained on.
        reading: settings for reading crops.
        false_positive_rate: share of their videos that the threshold may call fake.
        videos_name: name of the videos in the rule; `videos` becomes `crops` if no crop has a video.
        inputs: precomputed per-row inputs, keyed by the network's keyword argument.

    Returns:
        The score; None for a network that has no score in its configuration, which stays unchanged.

    Raises:
        MediaError: a crop is missing or no image.
        TrainingError: too few faces.
        DeviceError: the device's memory is too small for a batch.
    """

    def images() -> Iterator[Tensor]:
        with progress("fit", len(reals), unit="crops", quiet=reading.quiet) as bar:
            for batch in read_in_batches(reals, reading):
                require_readable(batch.failed)
                yield batch.on(reading.device).image
                bar.advance(len(batch.rows))

    with (
        evaluating(network),
        torch.no_grad(),
        explain_out_of_memory(reading.device, num_crops=reading.batch_size),
    ):
        measured = real_only.fit(network, images())
    if not measured:
        return None
    scores = score_crops(network, reals, reading, inputs=inputs)
    threshold, rule = threshold_of_reals(scores, false_positive_rate=false_positive_rate, videos_name=videos_name)
    return FittedScore(scores, threshold, rule, measured)


def threshold_of_reals(scores: ScoreTable, *, false_positive_rate: float, videos_name: str) -> tuple[float, str]:
    """Choose a threshold on real faces.

    Args:
        scores: scores of real faces that the network was not trained on.
        false_positive_rate: largest share of their videos that the threshold may call fake, in [0, 1).
        videos_name: name of the videos in the rule; `videos` becomes `crops` if no crop has a video.

    Returns:
        The threshold, and the rule in words.
    """
    videos, unit = scores.video_level().scores, f"{scores.unit}s"
    threshold = threshold_on_reals(videos, false_positive_rate=false_positive_rate)
    rule = (
        f"false_positive_rate (at most {false_positive_rate:.4g} of real {unit} called fake: "
        f"{int(np.sum(videos >= threshold))} of {len(videos)} {videos_name.replace('videos', unit, 1)}, all real)"
    )
    return threshold, rule


def real_rows(path: Path, *, fewest: int, most: int = MOST_FACES) -> RealRows:
    """Return the real faces of a manifest outside its test split; of many, some faces evenly spread over its rows.

    Raises:
        MissingInputError: no such file.
        ManifestError: no manifest, or fewer than `fewest` such faces.
    """
    whole = Manifest.read(path)
    reals = whole.filter(label=int(Label.REAL))
    is_test = np.array([split == "test" for split in reals.column("split")], dtype=bool)
    usable = np.flatnonzero(~is_test)
    num_fakes, num_test = len(whole) - len(reals), int(is_test.sum())
    if len(usable) < fewest:
        raise ManifestError(
            f"{path}: {len(usable)} of {len(whole)} rows are real faces outside the test split ({num_fakes} are "
            f"fakes, {num_test} real ones of the test split), and a score needs at least {fewest}",
            hint="give a manifest with more",
        )
    kept = usable if len(usable) <= most else usable[np.arange(most) * len(usable) // most]
    return RealRows(reals.take(kept), whole, num_fakes, num_test, len(usable) - len(kept))


def complete_on_reals(
    network: nn.Module,
    card: ArtifactCard,
    manifest: Path,
    *,
    device: torch.device,
    most_faces: int = MOST_FACES,
    quiet: bool = False,
) -> ArtifactCard:
    """Give the network of an artifact its score on the real faces of a manifest.

    Args:
        network: changed in place; it ends on `device`.
        card: card of the artifact, of a method that learns only from real faces.
        manifest: file of the manifest; its fakes and its test split are excluded and counted.
        device: device that computes.
        most_faces: largest number of faces; if more are available, the chosen faces are evenly spread over the rows.
        quiet: show no progress.

    Returns:
        The card with the threshold, the manifest's crop spec, and the measurements.

    Raises:
        MissingInputError: no such manifest.
        ManifestError: no manifest, or too few real faces.
        MediaError: a crop is missing or no image.
        DeviceError: the device's memory is too small for a batch.
    """
    real_only = get_method(card.method).real_only
    assert real_only is not None, f"{card.method} learns from fakes too"
    rows = real_rows(manifest, fewest=real_only.fewest_faces, most=most_faces)
    name = "/".join(manifest.parts[-2:])
    fitted = fit_on_reals(
        network.to(device),
        real_only,
        rows.manifest,
        Reading(input_size=card.input_size, device=device, quiet=quiet),
        false_positive_rate=FALSE_POSITIVE_RATE,
        videos_name=f"videos of {name}",
    )
    assert fitted is not None, "the network has no score as it is configured"
    left_out = {"fakes": rows.num_fakes, "test_split": rows.num_test, "more_than_needed": rows.num_more}
    origin = {
        "name": name,
        "sha256": rows.whole.sha256(),
        "rows": len(rows.manifest),
        "note": "real faces that the score and the threshold were fitted on, not the weights",
    }
    return card.model_copy(
        update={
            "crop": rows.whole.header.crop,
            "threshold": fitted.threshold,
            "threshold_rule": fitted.threshold_rule,
            "trained_on": [*card.trained_on, origin],
            "metrics": {**card.metrics, "fit": {**fitted.measured, "left_out": left_out}},
        }
    )
