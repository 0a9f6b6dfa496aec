"""The stages of `realface demo`."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.core.errors import OutputExistsError
from realface.core.files import write_json
from realface.core.shipped import DEFAULT_NAME, shipped_detectors
from realface.demo.sample_study.study import StudySize, write_sample_study
from realface.demo.sample_study.trivial import trivial_auc
from realface.detection.detector import Detector
from realface.evaluation.evaluate import Evaluation, evaluate_artifact
from realface.faces.detectors.registry import default_crop_spec
from realface.manifest.manifest import Manifest
from realface.prepare.finish import PrepareResult
from realface.prepare.pipeline import ExecutionSettings, prepare_dataset
from realface.report.page import write_report
from realface.training.recipe import load_train_recipe
from realface.training.run import TrainResult, train

MARK = "demo.json"
"""File that marks a folder as a demo, which a later demo may replace."""
SCOPE_NOTE = (
    "This shows that the pipeline works. It does not predict results on real deepfakes: all people are variants of two "
    "portraits, which occur in training and test, and there are only three simple forgery methods. The numbers vary "
    "with the CPU and the library versions."
)


@dataclass(frozen=True)
class DemoSize:
    """Size of a demo.

    Attributes:
        study: number of videos.
        frames: crops per video.
        overrides: changes to the shipped recipe `demo`, as `key=value`.
    """

    study: StudySize
    frames: int
    overrides: tuple[str, ...]


FULL = DemoSize(StudySize.default(), frames=5, overrides=())
QUICK = DemoSize(
    StudySize.tiny(),
    frames=2,
    overrides=("trainer.steps=4", "trainer.batch_size=8", "trainer.validate_every=4", "data.workers=0"),
)


def run_demo(out: Path, size: DemoSize, *, workers: int | None = None, quiet: bool = False) -> dict[str, Any]:
    """Run every stage, print the main results and write them to `demo.json`.

    Args:
        out: output folder. An earlier demo in it is replaced.
        size: size of the demo.
        workers: number of processes for the videos; one per core when None.
        quiet: print no output.

    Returns:
        The results, ready for JSON.

    Raises:
        OutputExistsError: `out` contains something other than a demo.
    """
    _clear(out)
    workers = workers or os.cpu_count() or 1
    story = _Story(quiet=quiet)
    with story.stage("sample study"):
        study = write_sample_study(out / "study", size=size.study, workers=workers, quiet=quiet)
        trivial = trivial_auc(study)
        story.say(f"a classifier without faces (file size, sharpness, corners) reaches a video AUC of {trivial:.3f}")
    with story.stage("prepare"):
        spec = default_crop_spec(frames=size.frames)
        prepared = prepare_dataset(
            study, out / "faces", spec=spec, execution=ExecutionSettings(workers=workers, quiet=quiet)
        )
        story.say(f"{prepared.num_crops} face crops from {prepared.num_sources} videos")
    with story.stage("train"):
        overrides = (f"data.manifests=[{prepared.manifest}]", *size.overrides)
        trained = train(load_train_recipe("demo", overrides=overrides), out / "run", quiet=quiet)
        story.say(f"{trained.steps} steps; validation {trained.metric} {trained.best_metric:.3f}")
    with story.stage("evaluate"):
        evaluation = evaluate_artifact(
            trained.artifact, [prepared.manifest], out / "evaluation", split="test", quiet=quiet
        )
        story.say(describe_auc(evaluation))
    with story.stage("detect"):
        videos = _example_videos(study, prepared)
        for line in verdict_lines(trained.artifact, videos):
            story.say(line)
    with story.stage("report"):
        report = out / "report.html"
        write_report([out / "evaluation"], report)
    if DEFAULT_NAME in shipped_detectors():
        with story.stage("shipped detector"):
            for line in verdict_lines(None, videos):
                story.say(line)
    outcome = _outcome(story, trivial, prepared, trained, evaluation, report)
    write_json(out / MARK, outcome)
    story.say(SCOPE_NOTE)
    story.say(f"{sum(story.seconds.values()):.0f} s in total")
    story.say(f"detector: {trained.artifact}")
    story.say(f"report: {report}")
    return outcome


class _Story:
    """Print the stages and record their times."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.say(f"== {name}")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.say(f"   {self.seconds[name]:.1f} s")

    def say(self, text: str) -> None:
        if not self._quiet:
            print(text)
            sys.stdout.flush()  # progress goes to stderr: keeps the order


def verdict_lines(artifact: Path | None, videos: Sequence[Path]) -> Iterator[str]:
    """Yield a line per video with the verdict of an artifact; None for the shipped default."""
    for answer in Detector.load(artifact, device="cpu").detect_many(videos):
        yield answer.line()


def describe_auc(evaluation: Evaluation) -> str:
    """Return the video AUC with its interval and the number of test videos, as text."""
    numbers = evaluation.summary.overall
    auc = numbers.video["auc"]
    videos = f"{numbers.counts.real_videos} real and {numbers.counts.fake_videos} fake test videos"
    if auc.value is None:
        return f"no video AUC: {auc.reason}"
    interval = f", 95 % interval {auc.low:.3f} to {auc.high:.3f}" if auc.low is not None else f" ({auc.reason})"
    return f"video AUC {auc.value:.3f}{interval}, on {videos}"


def _clear(out: Path) -> None:
    """Create the folder, and remove an earlier demo in it, finished or not."""
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"output {out} is a file", hint="pass a folder with --out")
    if out.is_dir() and any(out.iterdir()):
        if not (out / MARK).exists():
            raise OutputExistsError(
                f"output folder {out} contains something other than a demo", hint="pass another folder with --out"
            )
        shutil.rmtree(out)
    write_json(out / MARK, {"finished": False})


def _example_videos(study: Path, prepared: PrepareResult) -> list[Path]:
    """Return two real videos and one fake of each method, from the test split."""
    rows = Manifest.read(prepared.manifest).filter(split="test")
    sources: dict[str | None, list[str]] = {}
    for method, source in dict.fromkeys(zip(rows.column("method"), rows.column("source"), strict=True)):
        sources.setdefault(method, []).append(source)
    return [study / source for method, named in sources.items() for source in named[: 1 if method else 2]]


def _outcome(
    story: _Story,
    trivial: float,
    prepared: PrepareResult,
    trained: TrainResult,
    evaluation: Evaluation,
    report: Path,
) -> dict[str, Any]:
    numbers = evaluation.summary.overall
    auc = numbers.video["auc"]
    return {
        "finished": True,
        "note": SCOPE_NOTE,
        "video_auc": {"value": auc.value, "low": auc.low, "high": auc.high, "reason": auc.reason},
        "real_videos": numbers.counts.real_videos,
        "fake_videos": numbers.counts.fake_videos,
        "trivial_auc": trivial,
        "crops": prepared.num_crops,
        "skipped": prepared.skipped,
        "seconds": {name: round(seconds, 1) for name, seconds in story.seconds.items()},
        "artifact": str(trained.artifact),
        "report": str(report),
    }
