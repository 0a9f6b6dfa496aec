"""The sample study: a small set of real and fake videos, in the folders of FaceForensics++.

It shows that the pipeline works from videos to a report on a machine without a dataset. All its people are variants of
two portraits, and it has only three simple forgery methods, so results on it do not predict results on real deepfakes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realface.core.files import folder_written_atomically, require_free, write_json
from realface.core.progress import progress
from realface.demo.sample_study.footage import Take, draw_take, record
from realface.demo.sample_study.forgery import FORGERS, untouched
from realface.demo.sample_study.motion import Split
from realface.demo.sample_study.portraits import Portrait, load_study_portraits
from realface.media.video_writing import write_video

COMPRESSION = "c23"
_CRF = 23
_TAKE, _GRAIN, _FORGERY = range(3)  # purposes of a generator, part of its seed


@dataclass(frozen=True)
class StudySize:
    """Number of videos. A pair of people has two real videos and two fakes of each of the three methods.

    Attributes:
        train_pairs: number of pairs in the training split.
        val_pairs: number of pairs in the validation split.
        test_pairs: number of pairs in the test split.
        num_frames: frames per video, at 25 frames per second.
    """

    train_pairs: int
    val_pairs: int
    test_pairs: int
    num_frames: int

    @classmethod
    def default(cls) -> StudySize:
        """Return the default size, 124 real videos and 372 fakes: enough to train a small detector."""
        return cls(train_pairs=44, val_pairs=6, test_pairs=12, num_frames=12)

    @classmethod
    def tiny(cls) -> StudySize:
        """Return a tiny size, 8 real videos and 24 fakes, made in seconds: enough to run every part of the pipeline."""
        return cls(train_pairs=2, val_pairs=1, test_pairs=1, num_frames=8)

    def pairs(self) -> dict[Split, list[tuple[int, int]]]:
        """Return the pairs of people of each split. People are numbered from 0 over all splits."""
        pairs: dict[Split, list[tuple[int, int]]] = {}
        first = 0
        splits: tuple[tuple[Split, int], ...] = (
            ("train", self.train_pairs),
            ("val", self.val_pairs),
            ("test", self.test_pairs),
        )
        for split, count in splits:
            pairs[split] = [(number, number + 1) for number in range(first, first + 2 * count, 2)]
            first += 2 * count
        return pairs


@dataclass(frozen=True)
class _Shooting:
    """One real video and its fakes, to be written by one process."""

    folder: Path
    seed: int
    split: Split
    num_frames: int
    target: int
    source: int


def write_sample_study(out: Path, *, size: StudySize, seed: int = 0, workers: int = 2, quiet: bool = False) -> Path:
    """Write the study. On one machine, the same size and seed give the same bytes with any number of workers.

    Args:
        out: a folder that is missing or empty. It appears complete at the end, or not at all after an error.
        size: number of videos.
        seed: seed of all random draws.
        workers: number of processes.
        quiet: show no progress.

    Returns:
        `out`: `original_sequences/youtube/c23/videos/NNN.mp4`, `manipulated_sequences/<method>/c23/videos/
        <target>_<source>.mp4`, the masks in `manipulated_sequences/<method>/masks/videos/`, and the pairs in
        `splits/{train,val,test}.json`.

    Raises:
        OutputExistsError: `out` is not empty.
    """
    from realface.faces.detectors.mtcnn import MtcnnDetector  # here, so that the workers do not import torch

    require_free(out)
    portraits = load_study_portraits(MtcnnDetector(device="cpu"))
    with folder_written_atomically(out) as folder:
        for split, pairs in size.pairs().items():
            write_json(folder / "splits" / f"{split}.json", [[_name(a), _name(b)] for a, b in pairs])
        shootings = [
            _Shooting(folder, seed, split, size.num_frames, target, source)
            for split, pairs in size.pairs().items()
            for pair in pairs
            for target, source in (pair, pair[::-1])
        ]
        with progress("sample study", len(shootings) * (1 + len(FORGERS)), unit="videos", quiet=quiet) as bar:
            for _ in _shot(shootings, portraits, workers):
                bar.advance(1 + len(FORGERS))
    return out


def _shot(shootings: Sequence[_Shooting], portraits: Sequence[Portrait], workers: int) -> Iterator[None]:
    """Write every video. Yield after each shooting."""
    context = multiprocessing.get_context("spawn")  # a fork after torch has started threads can hang
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            for done in as_completed([pool.submit(_shoot, shooting, portraits) for shooting in shootings]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _shoot(shooting: _Shooting, portraits: Sequence[Portrait]) -> None:
    """Write one real video, and its fakes with their masks."""
    target, source = _take(shooting, shooting.target, portraits), _take(shooting, shooting.source, portraits)
    footage = record(target, np.random.default_rng([shooting.seed, shooting.target, _GRAIN]))
    real = shooting.folder / "original_sequences" / "youtube" / COMPRESSION / "videos"
    write_video(real / f"{_name(shooting.target)}.mp4", untouched(footage).frames, crf=_CRF)
    for number, (method, forge) in enumerate(FORGERS.items()):
        generator = np.random.default_rng([shooting.seed, shooting.target, _FORGERY, number])
        forged = forge(footage, source, generator)
        root = shooting.folder / "manipulated_sequences" / method
        name = f"{_name(shooting.target)}_{_name(shooting.source)}.mp4"
        write_video(root / COMPRESSION / "videos" / name, forged.frames, crf=_CRF)
        masks = (np.repeat((255 * mask).astype(np.uint8)[..., None], 3, axis=2) for mask in forged.masks)
        write_video(root / "masks" / "videos" / name, masks, crf=_CRF)


def _take(shooting: _Shooting, number: int, portraits: Sequence[Portrait]) -> Take:
    """Return the take of one person, the same for target and source."""
    generator = np.random.default_rng([shooting.seed, number, _TAKE])
    return draw_take(_portrait_of(number, portraits), shooting.split, shooting.num_frames, generator)


def _portrait_of(number: int, portraits: Sequence[Portrait]) -> Portrait:
    """Return the portrait of a person. Every second pair uses both portraits, in both orders; other pairs use one."""
    return portraits[(0, 1, 0, 0, 1, 0, 1, 1)[number % 8]]


def _name(number: int) -> str:
    return f"{number:03d}"
