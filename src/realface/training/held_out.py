"""Measure a finished run on pairs with identities that neither training nor validation has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from realface.core.errors import TrainingError
from realface.core.labels import Label
from realface.data.landmark_store import FILE_NAME, StoredFace, read_landmarks
from realface.data.real_faces import face_rows
from realface.data.resynthesis_store import ResynthesisStore
from realface.evaluation.results import RESULTS_NAME, Result, false_alarm_results, pair_results, write_results
from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest
from realface.models.artifact import load_network, read_card
from realface.models.devices import resolve_device
from realface.training.pair_validation import PAIRS_NAME, PairValidation
from realface.training.recipe import TrainRecipe
from realface.training.run import ARTIFACT_NAME

TEST_PAIRS_NAME = "test_pairs.parquet"
TEST_SCORES_NAME = "test_scores.parquet"
VALIDATION, TEST = "validation identities", "test identities"


def measure_held_out(recipe: TrainRecipe, run: Path, *, quiet: bool = False) -> list[Result]:
    """Measure the detector of a run on pairs made from the test split, and its false alarms on the real faces there.

    Writes `test_pairs.parquet`, `test_scores.parquet` and `results.json`, which also has the numbers of the validation
    pairs, on which the best step was chosen.

    Args:
        recipe: recipe of the run, with `pseudo_fakes`.
        run: folder of the run, with the finished artifact.
        quiet: show no progress.

    Raises:
        TrainingError: the manifests have no two real test faces with landmarks.
    """
    assert recipe.pseudo_fakes is not None
    manifests = recipe.data.manifests
    rows = Manifest.concatenate([Manifest.read(path) for path in manifests]).filter(split="test", label=int(Label.REAL))
    stored: dict[str, StoredFace] = {}
    for path in manifests:
        stored |= read_landmarks(path.parent / FILE_NAME)
    store = recipe.pseudo_fakes.resynthesis
    faces = face_rows(rows, stored, None if store is None else ResynthesisStore(store))
    if not faces.has_partners:
        raise TrainingError(
            f"the test split has {len(faces.rows)} real faces with landmarks, but two of different people are needed",
            hint="add faces to it",
        )
    card = read_card(run / ARTIFACT_NAME)
    device = resolve_device(recipe.trainer.device)
    network = load_network(run / ARTIFACT_NAME, device=device)
    reading = Reading(
        input_size=card.input_size,
        device=device,
        batch_size=recipe.data.val.batch_size,
        workers=recipe.data.workers,
        quiet=quiet,
    )
    pairs = PairValidation(faces, recipe.pseudo_fakes, card.input_size)
    pairs.write(run / TEST_PAIRS_NAME, pairs.score(network, reading))
    scores = score_crops(network, rows, reading)
    scores.write(run / TEST_SCORES_NAME)
    videos = scores.video_level()
    results = [
        *pair_results(run / TEST_PAIRS_NAME, data=TEST),
        *false_alarm_results(
            np.asarray(videos.scores >= card.threshold),
            identities=_identities(rows, scores.video_numbers),
            sources=[name or "" for name in videos.column("dataset")],
            data=TEST,
        ),
        *pair_results(run / PAIRS_NAME, data=VALIDATION),
    ]
    write_results(run / RESULTS_NAME, results)
    return results


def _identities(rows: Manifest, video_numbers: np.ndarray[Any, np.dtype[np.int64]]) -> list[str]:
    """Return the identity of each video, in the order of the numbers."""
    first = np.unique(video_numbers, return_index=True)[1]
    people, sources = rows.column("identities"), rows.column("dataset")
    return [f"{sources[row]}/{people[row][0]}" if people[row] else f"video {row}" for row in first]
