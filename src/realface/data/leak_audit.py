"""The leak audit: a pseudo-fake must not be distinguishable from its real image outside the mask.

A detector that can distinguish them by the surroundings learns traces of the program that makes the fakes, not
manipulation. Two checks search for such traces. Before degradation, a pair must be equal outside the mask. After
degradation, simple classifiers that see only the surroundings must not find the fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realface.data.degradations.codecs import through_jpeg
from realface.data.degradations.draw import Degradation
from realface.data.pseudo_fakes.contract import Image, PseudoFake

AUC_LIMITS = (0.45, 0.55)
"""Where every classifier's AUC must be."""
DILATION = 17
"""Pixels added around the inside before the surroundings are measured: codecs work on blocks of up to 16."""
MIN_PAIRS = 250
"""Fewest pairs that decide anything. For n independent reals and fakes the AUC of chance has a standard deviation of
sqrt(1 / (6 n)): 0.026 for 250 pairs and 0.018 for 500. It is smaller here, because the images of a pair are similar."""

_BLOCKS = 6  # per side of the grid of block statistics
_FOLDS = 5
_JPEG_QUALITY = 90
_GREY = 128  # fills the inside
_CORNER = 8  # pixels

Features = NDArray[np.float64]


@dataclass(frozen=True)
class LeakReport:
    """The result of an audit.

    Attributes:
        name: name of the audited kind.
        num_pairs: number of pairs compared.
        num_unequal: number of pairs that differ outside the mask before degradation.
        aucs: cross-validated AUC of each classifier, in [0, 1].
        num_measured: number of pairs with enough surroundings for the classifiers.
    """

    name: str
    num_pairs: int
    num_unequal: int
    aucs: dict[str, float]
    num_measured: int

    @property
    def leaks(self) -> list[str]:
        """Descriptions of the leaks found; empty without leaks."""
        low, high = AUC_LIMITS
        found = []
        if self.num_unequal:
            found.append(f"{self.num_unequal} of {self.num_pairs} pairs differ outside the mask")
        found += [
            f"{name} outside the mask finds the fakes: AUC {auc:.3f} (allowed: {low} to {high})"
            for name, auc in self.aucs.items()
            if not low <= auc <= high
        ]
        return found

    @property
    def is_decided(self) -> bool:
        """True if enough pairs were measured for meaningful AUCs."""
        return self.num_measured >= MIN_PAIRS

    @property
    def passes(self) -> bool:
        """True if the audit is decided and found no leak."""
        return self.is_decided and not self.leaks

    def describe(self) -> str:
        """Return the result in one line."""
        aucs = ", ".join(f"{name} {auc:.3f}" for name, auc in self.aucs.items())
        verdict = "LEAK: " + "; ".join(self.leaks) if self.leaks else "no leak"
        if not self.leaks and not self.is_decided:
            verdict = f"undecided: {self.num_measured} pairs have surroundings to measure, at least {MIN_PAIRS} needed"
        return f"{self.name:<18}{self.num_pairs} pairs, {self.num_unequal} unequal outside; AUC {aucs}: {verdict}"


def audit_pairs(
    name: str, pairs: Sequence[PseudoFake], degradations: Sequence[Degradation] | None = None, *, seed: int = 0
) -> LeakReport:
    """Search for traces of a kind outside its masks.

    Args:
        name: name of the audited kind.
        pairs: pairs to audit, from different real faces if possible; all images have one size.
        degradations: one per pair, applied to both images before the classifiers see them; None disables degradation.
        seed: seed of the order in which the classifiers' folds are filled.

    Returns:
        The report. Pairs with too few pixels outside the mask are compared but not measured.
    """
    num_unequal = sum(not is_equal_outside(pair) for pair in pairs)
    drawn = degradations or [Degradation()] * len(pairs)
    reals: dict[str, list[Features]] = {measure: [] for measure in MEASURES}
    fakes: dict[str, list[Features]] = {measure: [] for measure in MEASURES}
    num_measured = 0
    for pair, degradation in zip(pairs, drawn, strict=True):
        outside = surroundings(pair)
        if not _has_blocks(outside):
            continue
        num_measured += 1
        for side, image in ((reals, pair.real), (fakes, pair.image)):
            degraded = degradation(image)
            for measure, features in MEASURES.items():
                side[measure].append(features(degraded, outside))
    aucs = {
        measure: cross_validated_auc(np.array(reals[measure]), np.array(fakes[measure]), seed=seed)
        for measure in MEASURES
        if num_measured >= _FOLDS
    }
    return LeakReport(name, len(pairs), num_unequal, aucs, num_measured)


def is_equal_outside(pair: PseudoFake) -> bool:
    """Return whether fake and real are equal wherever the mask is 0."""
    outside = pair.mask == 0
    return np.array_equal(pair.image[outside], pair.real[outside])


def surroundings(pair: PseudoFake) -> NDArray[np.bool_]:
    """Return (H, W): the pixels outside the dilated mask."""
    inside = cv2.dilate((pair.mask > 0).astype(np.uint8), np.ones((2 * DILATION + 1,) * 2, np.uint8))
    return np.asarray(inside == 0)


def cross_validated_auc(reals: Features, fakes: Features, *, seed: int) -> float:
    """Return the AUC of a logistic regression that sees features and their distance from the median.

    Both images of a pair are in one fold, so the classifier cannot recognise a scene. The distances are separate
    features because a leak can have both signs: surroundings that are sometimes darker and sometimes brighter.

    Args:
        reals: (N, F), features of the real images.
        fakes: (N, F), features of the fakes of the same pairs.
        seed: seed of the assignment of pairs to folds.
    """
    features = np.concatenate([reals, fakes])
    features = np.concatenate([features, np.abs(features - np.median(features, axis=0))], axis=1)
    labels = np.repeat([0, 1], len(reals))
    groups = np.tile(np.random.default_rng(seed).permutation(len(reals)), 2)
    scores = np.zeros(len(labels))
    for train, test in GroupKFold(_FOLDS).split(features, labels, groups):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        model.fit(features[train], labels[train])
        # of each fold the mean is taken away: folds have different intercepts, which would blur the ranking
        scores[test] = model.decision_function(features[test])
        scores[test] -= scores[test].mean()
    return float(roc_auc_score(labels, np.round(scores, 9)))  # so that equal pairs tie despite rounding errors


def _block_statistics(image: Image, outside: NDArray[np.bool_]) -> Features:
    """Mean colour, contrast and sharpness of the surroundings in each block of a grid; 0 for blocks inside."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    weight = outside.astype(np.float32)
    share = _block_means(weight)
    layers = [np.dstack([image.astype(np.float32), grey]), np.dstack([grey * grey, detail, detail * detail])]
    found = [_block_means(layer * weight[..., None]) / np.maximum(share, 1e-3)[..., None] for layer in layers]
    means = np.concatenate(found, axis=2)
    means[..., 4] = np.sqrt(np.maximum(means[..., 4] - means[..., 3] ** 2, 0))
    means[share < _MIN_SHARE_OF_BLOCK] = 0
    return means.ravel().astype(np.float64)


def _file_size(image: Image, outside: NDArray[np.bool_]) -> Features:
    """Bytes of the surroundings as JPEG and as PNG; the inside is grey."""
    shown = np.where(outside[..., None], image, np.uint8(_GREY))
    bgr = cv2.cvtColor(shown, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    again = through_jpeg(shown, _JPEG_QUALITY)  # an image that was JPEG before changes less
    return np.array([len(jpeg), len(png), np.abs(again.astype(np.float32) - shown)[outside].mean()])


def _sharpness(image: Image, outside: NDArray[np.bool_]) -> Features:
    """Mean and spread of the detail of the surroundings at two scales."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.Laplacian(grey, cv2.CV_32F)[outside]
    coarse = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_32F)[outside]
    values = [np.abs(fine).mean(), fine.std(), np.abs(coarse).mean(), coarse.std()]
    return np.log1p(np.array(values, dtype=np.float64))


def _corner_colour(image: Image, outside: NDArray[np.bool_]) -> Features:
    """Mean colours of the four corners, 0 where the mask reaches one."""
    found = []
    for rows in (slice(0, _CORNER), slice(-_CORNER, None)):
        for columns in (slice(0, _CORNER), slice(-_CORNER, None)):
            is_outside = outside[rows, columns].all()
            found.append(image[rows, columns].mean(axis=(0, 1)) if is_outside else np.zeros(3))
    return np.concatenate(found)


_MIN_SHARE_OF_BLOCK = 0.5  # of a block that must be outside

MEASURES: dict[str, Callable[[Image, NDArray[np.bool_]], Features]] = {
    "blocks": _block_statistics,
    "file size": _file_size,
    "sharpness": _sharpness,
    "corner colour": _corner_colour,
}
"""Features of the classifiers: name -> (image, surroundings) -> features."""


def _has_blocks(outside: NDArray[np.bool_]) -> bool:
    return bool((_block_means(outside.astype(np.float32)) >= _MIN_SHARE_OF_BLOCK).any())


def _block_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each block, for (H, W) or (H, W, C <= 4), which is the most that OpenCV resizes."""
    return np.asarray(cv2.resize(values, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA), dtype=np.float32)
