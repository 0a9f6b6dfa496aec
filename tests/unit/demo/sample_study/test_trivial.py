import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from realface.demo.sample_study.forgery import FORGERS
from realface.demo.sample_study.study import StudySize, write_sample_study
from realface.demo.sample_study.trivial import trivial_auc, trivial_features
from realface.media.video_writing import write_video


def noise(amplitude, seed, corner=0):
    picture = 100 + amplitude * np.random.default_rng(seed).standard_normal((64, 64, 3))
    picture[:16, :16] += corner
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_stand_in(root: Path, *, fakes_corner: int) -> Path:
    """A study of noise whose fakes have another colour in one corner."""
    number = 0
    for split, pairs in (("train", 6), ("test", 3)):
        names = [f"{number + index:03d}" for index in range(2 * pairs)]
        listed = [names[index : index + 2] for index in range(0, len(names), 2)]
        number += len(names)
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / "splits" / f"{split}.json").write_text(json.dumps(listed))
        for name, partner in [two for pair in listed for two in (pair, pair[::-1])]:
            frame = noise(20, int(name))
            write_video(root / "original_sequences" / "youtube" / "c23" / "videos" / f"{name}.mp4", [frame])
            for method in FORGERS:
                folder = root / "manipulated_sequences" / method / "c23" / "videos"
                write_video(folder / f"{name}_{partner}.mp4", [noise(20, int(name), fakes_corner)])
    return root


def test_the_features_are_size_sharpness_and_corners(tmp_path):
    write_video(tmp_path / "soft.mp4", [noise(3, 0, corner=60)] * 3)
    write_video(tmp_path / "sharp.mp4", [noise(40, 0)] * 3)
    soft, sharp = (trivial_features(tmp_path / name) for name in ("soft.mp4", "sharp.mp4"))
    assert soft.shape == (14,)
    assert soft[0] < sharp[0]
    assert soft[1] < sharp[1]
    assert soft[2:5] == pytest.approx([160] * 3, abs=6)
    assert soft[5:] == pytest.approx([100] * 9, abs=6)


def test_a_study_that_gives_itself_away_is_caught(tmp_path):
    assert trivial_auc(write_stand_in(tmp_path, fakes_corner=40)) > 0.95


def test_a_study_whose_fakes_are_their_targets_is_at_chance(tmp_path, monkeypatch):
    real = LogisticRegression.predict_proba

    def predict_with_rounding(classifier, features):
        """As on a CPU whose products differ in the last bits from row to row."""
        return real(classifier, features) + 1e-14 * np.arange(len(features))[:, None]

    monkeypatch.setattr(LogisticRegression, "predict_proba", predict_with_rounding)
    assert trivial_auc(write_stand_in(tmp_path, fakes_corner=0)) == pytest.approx(0.5)


def test_the_sample_study_does_not_give_itself_away(tmp_path):
    size = StudySize(train_pairs=6, val_pairs=0, test_pairs=4, num_frames=3)
    assert 0.4 <= trivial_auc(write_sample_study(tmp_path / "study", size=size, quiet=True)) <= 0.6
