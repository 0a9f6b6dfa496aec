"""Score bands with a bounded share of false alarms, by split-conformal prediction.

A threshold that is chosen on the scores of held-out real people calls at most a share `alpha` of new real files fake,
if the new people are exchangeable with the held-out people. No other assumption is made about scores or detector.

Several files of one person are not independent, so people are the unit. Each person counts 1, divided equally among
their files, and one more person with an unknown score is added. The threshold is just above the smallest score at or
below which the share of the total reaches `1 - alpha`.

Sources count equally, regardless of their sizes. Sources with fewer than `FEWEST_IDENTITIES` people are joined into one
source; if it still has fewer people, it counts in proportion to them. Each source with at least that many people also
has its own threshold. The highest threshold is used, so the bound applies to each large source separately.

Source: Papadopoulos et al. 2002, "Inductive Confidence Machines for Regression"; Angelopoulos and Bates 2021, arXiv
2107.07511, section 1; for groups of files: Lee, Barber and Willett 2023, arXiv 2306.06342.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import MetricError

FEWEST_IDENTITIES = 20
"""People that a source needs for its own bound; with fewer than 19, no finite score bounds false alarms at 5 %."""
TOLERANCE = 0.01
"""Largest loss in the share of fakes found that is accepted for a wider range of faces."""


@dataclass(frozen=True, eq=False)
class FileScores:
    """Scores of held-out files that share one label.

    Attributes:
        scores: (N,), in [0, 1]; NaN for a file without a score.
        sources: (N,), name of each file's source.
        identities: (N,), name of the person in each file, unique within the source only.
    """

    scores: NDArray[np.float64]
    sources: NDArray[np.str_]
    identities: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, mask: NDArray[np.bool_]) -> FileScores:
        """Return the files at which `mask` (N,) is true."""
        return FileScores(self.scores[mask], self.sources[mask], self.identities[mask])

    @property
    def answered(self) -> FileScores:
        """The files with a score."""
        return self.where(~np.isnan(self.scores))

    @property
    def source_names(self) -> list[str]:
        """Every source, in alphabetical order."""
        return [str(name) for name in np.unique(self.sources)]

    def num_identities(self, source: str) -> int:
        """Number of people of a source."""
        return len(np.unique(self.identities[self.sources == source]))

    def weights(self) -> NDArray[np.float64]:
        """Return the weight of each file, (N,) float64; the weights sum to the number of people."""
        _, person, counts = np.unique(
            np.stack([self.sources, self.identities]), axis=1, return_inverse=True, return_counts=True
        )
        return np.asarray(1.0 / counts[np.ravel(person)])


def conformal_threshold(files: FileScores, *, alpha: float) -> float:
    """Return the lowest score from which at most a share `alpha` of new files of these sources is called fake.

    Args:
        files: scores of files of real people; files without a score are ignored.
        alpha: largest share of false alarms, in (0, 1).

    Returns:
        The next float above a score of `files`; infinity if there are too few people for such a bound.

    Raises:
        MetricError: no file has a score.
    """
    answered = files.answered
    if not len(answered):
        raise MetricError("no file has a score", hint="give files with faces of held-out people")
    weights = answered.weights()
    people = {name: answered.num_identities(name) for name in answered.source_names}
    few = [name for name, number in people.items() if number < FEWEST_IDENTITIES]
    groups = [(np.isin(answered.sources, few), sum(people[name] for name in few))] if few else []
    groups += [(answered.sources == name, number) for name, number in people.items() if name not in few]
    counts = [min(1.0, number / FEWEST_IDENTITIES) for _, number in groups]
    for (is_of, number), count in zip(groups, counts, strict=True):
        # + 1 is the unknown person, whose score may be anything
        weights[is_of] *= count / sum(counts) / (number + 1)
    order = np.argsort(answered.scores, kind="stable")
    total = np.cumsum(weights[order])
    reached = np.flatnonzero(total >= 1.0 - alpha - 1e-9)  # sums of shares: equal up to rounding
    return float(np.nextafter(answered.scores[order][reached[0]], np.inf)) if len(reached) else float("inf")


def fake_from(files: FileScores, *, alpha: float) -> float:
    """Return the score from which a file is called fake.

    Args:
        files: scores of files of held-out real people.
        alpha: largest share of real files called fake, in (0, 1), pooled and in every source with at least
            `FEWEST_IDENTITIES` people.

    Returns:
        The highest of the pooled threshold and the thresholds of the large sources.

    Raises:
        MetricError: there are too few people for any bound.
    """
    pooled = conformal_threshold(files, alpha=alpha)
    if np.isinf(pooled):
        people = sum(files.answered.num_identities(name) for name in files.answered.source_names)
        raise MetricError(
            f"{people} people with a score are too few to bound false alarms at {alpha:.0%}",
            hint=f"give scores of at least {smallest_number(alpha)} people, better of {FEWEST_IDENTITIES} per source",
        )
    return max([pooled, *(conformal_threshold(one, alpha=alpha) for one in _large_sources(files))])


def real_below(files: FileScores, *, beta: float, highest: float) -> float:
    """Return the score below which a file is called real.

    Args:
        files: scores of held-out fakes. The sources are kinds of fakes; they count equally.
        beta: largest share of fakes called real, in (0, 1).
        highest: score from which a file is called fake, in [0, 1]; the result never exceeds it.

    Returns:
        A score in [0, 1]; 0 if there are too few fakes for such a bound, so that no file is called real.
    """
    answered = files.answered
    if not len(answered):
        return 0.0
    mirrored = FileScores(-answered.scores, answered.sources, answered.identities)
    threshold = conformal_threshold(mirrored, alpha=beta)
    return 0.0 if np.isinf(threshold) else min(float(-np.nextafter(threshold, -np.inf)), highest)


def smallest_number(alpha: float) -> int:
    """Return the number of people with which a bound of `alpha` is possible: 19 for 5 %."""
    return int(np.ceil(1.0 / alpha - 1e-9)) - 1


def false_alarms(files: FileScores, threshold: float) -> dict[str, float]:
    """Return, by source, the share of scored files with a score of `threshold` or higher; people count equally."""
    answered = files.answered
    weights = answered.weights()
    is_alarm = answered.scores >= threshold
    return {
        name: float(np.average(is_alarm[answered.sources == name], weights=weights[answered.sources == name]))
        for name in answered.source_names
    }


def share_answered(files: FileScores) -> float:
    """Return the share of files with a score: the mean over the sources, in which people count equally."""
    weights, has_score = files.weights(), ~np.isnan(files.scores)
    of_sources = [
        np.average(has_score[files.sources == name], weights=weights[files.sources == name])
        for name in files.source_names
    ]
    return float(np.mean(of_sources))


def share_found(fakes: FileScores, threshold: float) -> float:
    """Return the share of fakes with a score of `threshold` or higher, each source counting equally.

    A fake without a score is not found.
    """
    weights, is_found = fakes.weights(), fakes.scores >= threshold  # a comparison with NaN is false
    of_sources = [
        np.average(is_found[fakes.sources == name], weights=weights[fakes.sources == name])
        for name in fakes.source_names
    ]
    return float(np.mean(of_sources))


def choose_range(candidates: Sequence[Sequence[tuple[FileScores, FileScores]]], *, alpha: float) -> int:
    """Choose the range of faces that get a verdict, among candidates.

    Small and soft faces of real people can raise the score from which a file is called fake, for all files. A range
    without those faces lowers that score. Every candidate bounds the false alarms in the same way, see `fake_from`, so
    the choice depends on the fakes that are found at that score.

    Args:
        candidates: ranges, the widest first. Each range lists the real and the fake files of each kind (images,
            videos), scored within the range: NaN if a file has no face in the range. Kinds without fakes are ignored.
        alpha: largest share of false alarms, in (0, 1).

    Returns:
        Index of the first candidate whose share of fakes found is at most `TOLERANCE` below the highest share; 0
        without fakes.
    """
    found = [_mean_found([pair for pair in kinds if len(pair[1])], alpha) for kinds in candidates]
    return next(number for number, share in enumerate(found) if share >= max(found) - TOLERANCE)


def _mean_found(kinds: Sequence[tuple[FileScores, FileScores]], alpha: float) -> float:
    if not kinds:
        return 0.0
    try:
        return float(np.mean([share_found(fakes, fake_from(reals, alpha=alpha)) for reals, fakes in kinds]))
    except MetricError:  # too few people within the range
        return 0.0


def _large_sources(files: FileScores) -> list[FileScores]:
    """Return the scored files of each source that has enough people for its own bound."""
    answered = files.answered
    return [
        answered.where(answered.sources == name)
        for name in answered.source_names
        if answered.num_identities(name) >= FEWEST_IDENTITIES
    ]
