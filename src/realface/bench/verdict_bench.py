"""Seconds from a video file to its verdict, by stage."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from realface.bench.clip import ClipSize, write_clip
from realface.bench.timing_stats import format_stats, summarise
from realface.core.artifact import ArtifactCard
from realface.core.progress import progress
from realface.detection.detector import Detector
from realface.detection.verdict import STAGES
from realface.faces.detectors.registry import default_crop_spec
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method

RECCE_ENCODERS = ("light_xception", "legacy_xception")  # the demo's and the paper's


def bench_verdict(
    models: Mapping[str, Path] | None = None,
    *,
    repeats: int = 5,
    device: str = "auto",
    batch_size: int = 16,
    num_frames: int | None = None,
    clip: ClipSize | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Time detection on a generated clip.

    The models are interleaved, so other load on the machine affects all models. The first verdict of each model, which
    includes loading the face detector, is reported separately.

    Args:
        models: artifacts by name; RECCE in two sizes with random weights when None. Weights do not affect the time.
        repeats: number of timed verdicts per model.
        device: device of the network, such as `cpu`, `cuda` or `auto`.
        batch_size: faces per batch.
        num_frames: frames per video; the artifact's setting when None.
        clip: size of the video; 10 s of 1280 x 720 at 25 frames per second by default.
        quiet: show no progress.

    Returns:
        JSON-ready: seconds per model and stage, as median, minimum and maximum of the repeats.
    """
    size = clip or ClipSize()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        video = write_clip(folder / "clip.mp4", size)
        artifacts = models or {encoder: random_recce(folder, encoder) for encoder in RECCE_ENCODERS}
        loaded = {name: _load(path, device, batch_size, num_frames) for name, path in artifacts.items()}
        first = {name: _time_verdict(detector, video) for name, (detector, _) in loaded.items()}
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in loaded}
        with progress("bench verdict", repeats * len(loaded), unit="verdicts", quiet=quiet) as bar:
            for _ in range(repeats):
                for name, (detector, _) in loaded.items():
                    runs[name].append(_time_verdict(detector, video))
                    bar.advance()
    return {
        "clip": asdict(size),
        "batch_size": batch_size,
        "device": device,
        "models": {
            name: {
                **_size_of(detector),
                "load_s": load_s,
                "first_s": first[name],
                "seconds": {stage: summarise([run[stage] for run in runs[name]]) for stage in (*STAGES, "total")},
            }
            for name, (detector, load_s) in loaded.items()
        },
    }


def verdict_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_verdict` as lines of text."""
    clip = result["clip"]
    lines = [f"  {clip['duration_s']:g} s of {clip['width']} x {clip['height']} at {clip['fps']} frames/s; seconds"]
    for name, model in result["models"].items():
        lines.append(
            f"  {name}: {model['num_frames']} frames, {model['input_size']} px, loaded in {model['load_s']:.2f} s"
        )
        lines += [f"    {stage:<8}{format_stats(seconds, '8.3f')}" for stage, seconds in model["seconds"].items()]
        lines.append(f"    {'first':<8}{model['first_s']['total']:8.3f}  including loading the face detector")
    return lines


def _load(artifact: Path, device: str, batch_size: int, num_frames: int | None) -> tuple[Detector, float]:
    start = time.perf_counter()
    detector = Detector.load(artifact, device=device, batch_size=batch_size, num_frames=num_frames)
    return detector, time.perf_counter() - start


def _time_verdict(detector: Detector, video: Path) -> dict[str, float]:
    start = time.perf_counter()
    verdict = detector.detect(video)
    return {**verdict.seconds, "total": time.perf_counter() - start}


def _size_of(detector: Detector) -> dict[str, Any]:
    description = detector.describe()
    return {key: description[key] for key in ("method", "input_size", "num_frames")}


def random_recce(folder: Path, encoder: str) -> Path:
    """Write an artifact of RECCE with random weights, and return its folder.

    Args:
        folder: an existing folder, in which the artifact is written.
        encoder: name of the encoder, also of the new folder.
    """
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": encoder})
    torch.manual_seed(0)
    card = ArtifactCard(
        method="recce",
        config=config.model_dump(mode="json"),
        input_size=config.model_dump()["input_size"],
        crop=default_crop_spec(),
        purpose="demonstration",
    )
    save_artifact(folder / encoder, method.build_network(config), card)
    return folder / encoder
