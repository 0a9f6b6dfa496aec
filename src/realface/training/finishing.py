"""The detector that a run leaves: the weights of its best step, a threshold, and what is to be said of both."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from realface.evaluation.real_only import threshold_of_reals
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise
from realface.metrics.thresholds import DEFAULT_THRESHOLD, RULES, choose_threshold
from realface.models.artifact import ArtifactCard, save_artifact
from realface.models.real_only import RealOnly
from realface.training.checkpoint import BestStep
from realface.training.logs import CSV_NAME
from realface.training.pair_validation import PAIRS_NAME
from realface.training.resuming import PROVENANCE_NAME
from realface.training.rows import RunRows
from realface.training.validation import Validator

ARTIFACT_NAME = "artifact"
SCORES_NAME = "validation_scores.parquet"


@dataclass(frozen=True)
class _Judgement:
    """What the validation rows say of the finished network.

    Attributes:
        scores: of the rows; None for a network that has no score.
        threshold: chosen on them.
        threshold_rule: how, in words.
        metrics: what else was measured.
    """

    scores: ScoreTable | None
    threshold: float
    threshold_rule: str
    metrics: dict[str, Any]


def write_detector(network: nn.Module, best: BestStep, validator: Validator, *, rows: RunRows, run: Path) -> Path:
    """Write the detector of a run's best step, and the validation scores that its threshold was chosen on.

    Args:
        network: gets the weights of the best step; one that learns from real faces alone gets its score too.
        best: the best step.
        validator: of the run.
        rows: of the run.
        run: its folder.

    Returns:
        The detector's folder.
    """
    recipe = validator.recipe
    config: Any = recipe.method
    network.load_state_dict(best.network)
    real_only = validator.method.real_only
    if validator.pairs is not None:
        validator.pairs.write(run / PAIRS_NAME, best.scores.numpy())
        found = _judge_on_reals(network, best, validator)
    else:
        found = _judge(best, validator) if real_only is None else _complete(network, best, validator, real_only)
    metrics = {"step": best.step, "selected_by": validator.metric, **found.metrics}
    if found.scores is not None:
        found.scores.write(run / SCORES_NAME)
        metrics["validation"] = summarise(found.scores, threshold=found.threshold, seed=recipe.seed).to_json()
    card = ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=rows.crop,
        threshold=found.threshold,
        threshold_rule=found.threshold_rule,
        trained_on=rows.trained_on,
        metrics=metrics,
        licence=recipe.artifact.licence,
        purpose=recipe.artifact.purpose,
        provenance={
            "recipe": recipe.name,
            **json.loads((run / PROVENANCE_NAME).read_text(encoding="utf-8")),
            "training": _training_time(validator, run),
        },
    )
    save_artifact(run / ARTIFACT_NAME, network, card)
    return run / ARTIFACT_NAME


def _training_time(validator: Validator, run: Path) -> dict[str, float]:
    """Images and seconds of all steps, without validation, from the log, so that it counts what was before a stop."""
    trainer = validator.recipe.trainer
    per_step = trainer.batch_size * trainer.accumulate * validator.processes.size
    with (run / CSV_NAME).open(encoding="utf-8", newline="") as file:
        rows = [(int(row["step"]), float(row["crops_per_s"])) for row in csv.DictReader(file)]
    seconds, before = 0.0, 0
    for step, crops_per_s in rows:
        seconds += (step - before) * per_step / crops_per_s if crops_per_s > 0 else 0.0
        before = step
    return {"images": before * per_step, "seconds": round(seconds, 1)}


def _judge(best: BestStep, validator: Validator) -> _Judgement:
    """The threshold lies where the recipe's rule finds it on the validation videos, by their mean scores."""
    scores = validator.scores_of(best)
    videos = scores.video_level()
    rule = validator.recipe.artifact.threshold_rule
    threshold = choose_threshold(videos.labels, videos.scores, rule=rule)
    return _Judgement(scores, threshold, f"{rule} ({RULES[rule]}) on {len(videos)} validation {scores.unit}s", {})


def _judge_on_reals(network: nn.Module, best: BestStep, validator: Validator) -> _Judgement:
    """Choose the threshold on the real validation faces, for a network that was trained on pairs."""
    scores = validator.scores_of_reals(network)
    rate = validator.recipe.artifact.false_positive_rate
    threshold, rule = threshold_of_reals(scores, false_positive_rate=rate, videos_name="validation videos")
    return _Judgement(scores, threshold, rule, {"pairs": best.metrics})


def _complete(network: nn.Module, best: BestStep, validator: Validator, real_only: RealOnly) -> _Judgement:
    """Give a network that learned from real faces alone its score, and choose a threshold on real videos."""
    fitted = validator.fitted(network, real_only)
    if fitted is None:
        rule = f"none: {validator.method.name} has no score as it is configured"
        return _Judgement(None, DEFAULT_THRESHOLD, rule, best.metrics)
    metrics = {**best.metrics, "fit": fitted.measured}
    return _Judgement(fitted.scores, fitted.threshold, fitted.threshold_rule, metrics)
