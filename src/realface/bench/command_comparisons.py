"""Whole commands, from their start to their end, compared between two commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from realface.bench.clip import ClipSize, write_clip
from realface.bench.comparison import Case, Comparison, whole_process
from realface.bench.prepare_bench import CLIPS, PROCESSES, write_clips
from realface.bench.process_cost import ProcessCost
from realface.bench.verdict_bench import RECCE_ENCODERS, random_recce
from realface.core.files import existing

MANIFEST = "manifest.parquet"  # where `realface prepare` writes it, in its output folder


def compare_preparing(folder: Path, *, videos: Path | None = None, clips: Sequence[ClipSize] = CLIPS) -> Comparison:
    """Prepare runs of `realface prepare VIDEOS OUT`, with one worker process and with two.

    Args:
        folder: an existing folder, in which the clips are written.
        videos: a folder of real videos that both commits can prepare, instead of the clips.
        clips: the generated videos.

    Raises:
        MissingInputError: no such folder.
    """
    if videos is None:
        source = write_clips(folder / "videos", clips)
        inputs: dict[str, object] = {"clips": [asdict(clip) for clip in clips]}
    else:
        source = existing(videos, what="folder").resolve()
        inputs = {"clips": None}  # no path: results are published
    cases = {f"{count} worker{'s' * (count != 1)}": _prepare_case(source, workers=count) for count in PROCESSES}
    return Comparison("the command `realface prepare`", unit="faces", cases=cases, inputs=inputs)


def _prepare_case(source: Path, *, workers: int) -> Case:
    return Case(
        arguments=lambda out: ["-m", "realface", "prepare", str(source), str(out), "--workers", str(workers)],
        measure=whole_process(lambda _cost, out: pq.read_metadata(out / MANIFEST).num_rows),
        has_succeeded=_has_prepared,
    )


def _has_prepared(cost: ProcessCost, out: Path) -> bool:
    """Return whether the manifest was written. Exit code 2 only means that a file was skipped."""
    return cost.exit_code in {0, 2} and (out / MANIFEST).is_file()


def compare_verdicts(
    folder: Path,
    *,
    models: Mapping[str, Path] | None = None,
    device: str = "auto",
    batch_size: int = 16,
    num_frames: int | None = None,
    clip: ClipSize | None = None,
) -> Comparison:
    """Prepare runs of `realface detect CLIP --model ARTIFACT`, a cold start each time.

    Args:
        folder: an existing folder, in which clip and artifacts are written.
        models: artifacts by name, which both commits can read; RECCE in two sizes with random weights by default.
        device: device of the network, such as `cpu`, `cuda` or `auto`.
        batch_size: faces per batch.
        num_frames: frames per video; the artifact's setting when None.
        clip: size of the generated video; 10 s of 1280 x 720 pixels at 25 frames per second by default.
    """
    size = clip or ClipSize()
    video = write_clip(folder / "clip.mp4", size)
    artifacts = models or {encoder: random_recce(folder, encoder) for encoder in RECCE_ENCODERS}
    options = ["--device", device, "--batch-size", str(batch_size)]
    options += [] if num_frames is None else ["--frames", str(num_frames)]
    cases = {name: _detect_case(video, path.resolve(), options) for name, path in artifacts.items()}
    return Comparison("the command `realface detect`", unit="verdicts", cases=cases, inputs={"clip": asdict(size)})


def _detect_case(video: Path, artifact: Path, options: Sequence[str]) -> Case:
    arguments = ["-m", "realface", "detect", str(video), "--model", str(artifact), *options]
    return Case(arguments=lambda _out: arguments, measure=whole_process(lambda _cost, _out: 1))
