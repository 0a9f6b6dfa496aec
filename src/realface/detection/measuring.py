"""Measure metrics with intervals on the JSON output of `realface detect` for files with known labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from realface.core.artifact import ArtifactCard
from realface.core.calibration import ValidatedRange
from realface.core.errors import CalibrationError
from realface.detection.calibrating import HeldOutFile, join_files, read_documents, read_identities
from realface.detection.outcome import DecisionRule, Outcome, decide
from realface.evaluation.results import Result, bounds, share_results
from realface.metrics.pairs import PairScores, mean_auc, pair_order

EVERYTHING = ValidatedRange(min_face_size=0, min_sharpness=0, share_answered=1)
"""A range that includes every face: AUC and pair order do not depend on the files without a verdict."""


def measure_verdicts(
    card: ArtifactCard, verdicts: Sequence[Path], identities: Path, *, data: str, seed: int = 0
) -> list[Result]:
    """Return the metrics of a detector's verdicts on files.

    False alarms and fakes found are shares of the files with a verdict. AUC and pair order use the scores of all
    files with a face. Pairs are files of one source with the same value in the column `pair`.

    Args:
        card: card of the detector.
        verdicts: documents that `realface detect --json` printed with that detector.
        identities: CSV with the columns of `calibrating.COLUMNS` and, for pairs, `pair`.
        data: name of the data.
        seed: seed of the bootstrap.

    Raises:
        MissingInputError: a file does not exist.
        CalibrationError: a document or the CSV cannot be used, or they do not match.
    """
    settings, answers = read_documents(verdicts, card)
    rule = DecisionRule.of(card, threshold=None, finds_faces=True, **settings)
    files = join_files(answers, read_identities(identities), identities)
    reals, fakes = ([file for file in files if file.is_fake is is_fake] for is_fake in (False, True))
    if not reals:
        raise CalibrationError(
            f"{identities} names no real file", hint="add rows of real files: false alarms are measured on them"
        )
    # by id(): files with equal content are different files
    outcomes = {id(file): _outcome(file, rule) for file in files}
    answered = [file for file in reals if outcomes[id(file)] is not Outcome.CANNOT_SAY]
    results = _shares(answered, Outcome.FAKE, outcomes, "false alarms", data) if answered else []
    results += _shares(reals, Outcome.CANNOT_SAY, outcomes, "not answered", data)
    results += _shares(reals, Outcome.UNCERTAIN, outcomes, "uncertain", data)
    if fakes:
        results += _shares(fakes, Outcome.FAKE, outcomes, "called fake", data)
        results += _shares(fakes, Outcome.REAL, outcomes, "called real", data)
        results += _ranking(files, data=data, seed=seed)
    return results


def _outcome(file: HeldOutFile, rule: DecisionRule) -> Outcome:
    band = rule.band(file.kind)
    score = file.score(rule.validated_on or EVERYTHING)
    return Outcome.CANNOT_SAY if band is None or np.isnan(score) else decide(score, band)


def _shares(
    files: Sequence[HeldOutFile], wanted: Outcome, outcomes: dict[int, Outcome], metric: str, data: str
) -> list[Result]:
    """Return the share of files with an outcome, of all and by source."""
    return share_results(
        np.array([outcomes[id(file)] is wanted for file in files]),
        name="fakes" if files[0].is_fake else "real faces",
        metric=metric,
        identities=[file.identity for file in files],
        sources=[file.source for file in files],
        data=data,
    )


def _ranking(files: Sequence[HeldOutFile], *, data: str, seed: int) -> list[Result]:
    """AUC and order of the pairs of a real file and the fake made from it."""
    by_pair: dict[str, dict[bool, tuple[HeldOutFile, float]]] = {}
    for file in files:
        score = file.score(EVERYTHING)
        if file.pair and not np.isnan(score):
            by_pair.setdefault(f"{file.source}/{file.pair}", {})[file.is_fake] = (file, score)
    pairs = [pair for pair in by_pair.values() if len(pair) == 2]
    if not pairs:
        return []
    scores = PairScores(
        np.array([pair[False][1] for pair in pairs]),
        np.array([pair[True][1] for pair in pairs]),
        [pair[False][0].identity for pair in pairs],
    )
    estimates = {"auc": mean_auc([scores], seed=seed), "pair order": pair_order(scores, seed=seed)}
    return [
        Result(
            name="real deepfakes",
            data=data,
            metric=metric,
            **bounds(estimate),
            n=len(pairs),
            groups=len(set(scores.identities)),
            source=", ".join(sorted({pair[False][0].source for pair in pairs})),
        )
        for metric, estimate in estimates.items()
    ]
