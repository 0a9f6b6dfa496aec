"""AUC on the study of a classifier that does not use faces. It must be close to chance.

If bits per pixel, sharpness or the corners of the frame separated fakes from reals, a detector could be right on the
study without looking for manipulation, and the study would not show that the pipeline works.
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
    """Return the video AUC on the test split of a classifier trained on trivial features of the training split.

    A linear classifier and gradient-boosted trees are tried. The AUC further from 0.5 is returned.

    Args:
        root: a folder written by `write_sample_study`.

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
        HistGradientBoostingClassifier(  # small trees, because large trees memorise the few hundred videos
            class_weight="balanced", max_depth=3, max_iter=50, random_state=0
        ),
    )
    scores = [classifier.fit(features, labels).predict_proba(unseen)[:, 1] for classifier in classifiers]
    # rounded, because equal features can give scores that differ in the last bits on some CPUs, and they must tie
    aucs = [float(roc_auc_score(truth, np.round(of_videos, 9))) for of_videos in scores]
    return max(aucs, key=lambda auc: abs(auc - 0.5))


def _split_features(root: Path, split: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the features (V, 14) and labels (V,) of the videos of a split."""
    pairs = json.loads((root / "splits" / f"{split}.json").read_text(encoding="utf-8"))
    real = root / "original_sequences" / "youtube" / COMPRESSION / "videos"
    videos = [(real / f"{name}.mp4", Label.REAL) for pair in pairs for name in pair]
    for method in FORGERS:
        fake = root / "manipulated_sequences" / method / COMPRESSION / "videos"
        videos += [(fake / f"{a}_{b}.mp4", Label.FAKE) for pair in pairs for a, b in (pair, pair[::-1])]
    features = np.stack([trivial_features(path) for path, _ in videos])
    return features, np.array([int(label) for _, label in videos], dtype=np.int64)


def trivial_features(path: Path) -> NDArray[np.float64]:
    """Return the features of a video, (14,).

    They are the logarithms of bits per pixel and of the sharpness of the whole frame, and the mean colours of the four
    corners.
    """
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
