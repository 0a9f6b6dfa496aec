"""What a classifier reaches on the study that looks at no face: it must be next to nothing.

Where bits per pixel, sharpness or the frame's corners tell fakes from reals, a detector's number on the study would
be worth nothing even as a proof of the pipeline.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.core.labels import Label
from realface.demo.sample_study.forgery import FORGERS
from realface.demo.sample_study.study import COMPRESSION
from realface.media.videos import VideoReader

_FRAMES = 6
_CORNER = 16  # pixels


def trivial_auc(root: Path) -> float:
    """The video AUC on the test split of a classifier that was trained on the training split's trivial features.

    Two are tried, a linear one and a boosted forest; the worse news, the AUC further from 0.5, is returned.

    Args:
        root: a folder that `write_sample_study` filled.

    Returns:
        In [0, 1]; 0.5 is chance.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = _split_features(root, "train")
    unseen, truth = _split_features(root, "test")
    classifiers = (
        make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)),
        HistGradientBoostingClassifier(  # small trees: large ones learn the few hundred videos by heart
            class_weight="balanced", max_depth=3, max_iter=50, random_state=0
        ),
    )
    scores = [classifier.fit(features, labels).predict_proba(unseen)[:, 1] for classifier in classifiers]
    # videos of equal features must tie on every CPU, whose products can differ in the last bits from row to row
    aucs = [float(roc_auc_score(truth, np.round(of_videos, 9))) for of_videos in scores]
    return max(aucs, key=lambda auc: abs(auc - 0.5))


def _split_features(root: Path, split: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(V, 14) features and (V,) labels of a split's videos."""
    pairs = json.loads((root / "splits" / f"{split}.json").read_text(encoding="utf-8"))
    real = root / "original_sequences" / "youtube" / COMPRESSION / "videos"
    videos = [(real / f"{name}.mp4", Label.REAL) for pair in pairs for name in pair]
    for method in FORGERS:
        fake = root / "manipulated_sequences" / method / COMPRESSION / "videos"
        videos += [(fake / f"{a}_{b}.mp4", Label.FAKE) for pair in pairs for a, b in (pair, pair[::-1])]
    features = np.stack([trivial_features(path) for path, _ in videos])
    return features, np.array([int(label) for _, label in videos], dtype=np.int64)


def trivial_features(path: Path) -> NDArray[np.float64]:
    """(14,): bits per pixel, sharpness of the whole frame, mean colours of the four corners."""
    video = VideoReader.open(path)
    info = video.info()
    bits = 8 * path.stat().st_size / (info.width * info.height * info.num_frames)
    frames = [frame.image for frame in video.frames(_FRAMES)]
    sharpness = np.mean([cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var() for frame in frames])
    stack = np.stack(frames).astype(np.float64)
    corners = [stack[:, rows, columns].mean(axis=(0, 1, 2)) for rows in _ends() for columns in _ends()]
    return np.concatenate([[np.log(bits), np.log(sharpness)], *corners])


def _ends() -> tuple[slice, slice]:
    return slice(None, _CORNER), slice(-_CORNER, None)
