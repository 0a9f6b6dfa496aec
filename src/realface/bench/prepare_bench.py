"""Faces detected and cropped per second, with one process and with two, and the time of each stage."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from realface.bench.clip import ClipSize, write_clip
from realface.bench.timing_stats import format_stats, summarise
from realface.core.crop_spec import CropSpec
from realface.core.files import sha256_of
from realface.core.progress import progress
from realface.datasets.reader import SourceVideo
from realface.datasets.registry import choose_reader
from realface.faces.cropper import crop_face
from realface.faces.detectors.registry import default_crop_spec, face_detector_for
from realface.media.images import encoded_image
from realface.media.opening import open_media
from realface.prepare.executors import Do, largest_first, use_one_thread, workers
from realface.prepare.frames import FRAMES_AT_ONCE
from realface.prepare.output_folder import OutputFolder
from realface.prepare.record import PrepareJob

PROCESSES = (1, 2)
STAGES = ("decode", "find", "crop", "write", "hash")
CLIPS = tuple(ClipSize(duration_s=duration_s) for duration_s in (3, 4, 5, 6, 7, 8, 9))
"""Sizes of the seven generated videos, of different durations."""


def bench_prepare(
    source: Path | None = None, *, repeats: int = 5, clips: Sequence[ClipSize] = CLIPS, quiet: bool = False
) -> dict[str, Any]:
    """Time the preparation of a folder of videos, from files to stored crops and their records.

    Each process has one thread. Timing begins once all processes have started and loaded the face detector, because
    their start is negligible for a large dataset. The runs with one process and with two are interleaved. The stages
    are timed separately, in one process.

    Args:
        source: a folder of real videos that `prepare` reads; generated videos of a portrait when None.
        repeats: number of rounds.
        clips: sizes of the generated videos.
        quiet: show no progress.

    Returns:
        JSON-ready: seconds and faces per second as median, minimum and maximum of the rounds, and the seconds of each
        stage and its share of one pass.

    Raises:
        MissingInputError: the folder is missing.
        DatasetError: no dataset reader recognises the folder.
    """
    spec = default_crop_spec()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as pools:
        folder = source or write_clips(Path(temporary, "videos"), clips)
        items = choose_reader(folder).scan(folder).items
        tasks = [PrepareJob(index, items[index]) for index in largest_first(range(len(items)), items)]
        at_work = {}
        for count in PROCESSES:
            out = Path(temporary, f"out {count}")
            scratch = out / "scratch"
            scratch.mkdir(parents=True)
            output = OutputFolder(source_root=folder, out=out, scratch=scratch, spec=spec)
            at_work[count] = pools.enter_context(workers(output, count))
            num_faces = sum(len(record.rows) for _, record in at_work[count](tasks))
        seconds = _seconds(at_work, tasks, repeats=repeats, quiet=quiet)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=use_one_thread) as apart:
            passes = [apart.submit(stage_seconds, items, spec).result() for _ in range(1 + repeats)][1:]
    one = seconds[PROCESSES[0]]
    return {
        "num_videos": len(items),
        "num_faces": num_faces,
        "processes": {
            str(count): {
                "seconds": summarise(taken),
                "faces_per_s": summarise([num_faces / each for each in taken]),
                "times_as_fast": summarise([other / each for other, each in zip(one, taken, strict=True)]),
            }
            for count, taken in seconds.items()
        },
        "stages": {
            stage: {
                "seconds": summarise([each[stage] for each in passes]),
                "share": summarise([each[stage] / sum(each.values()) for each in passes]),
            }
            for stage in STAGES
        },
    }


def _seconds(
    at_work: Mapping[int, Do], tasks: Sequence[PrepareJob], *, repeats: int, quiet: bool
) -> dict[int, list[float]]:
    """Return the seconds of each round by number of processes."""
    seconds: dict[int, list[float]] = {count: [] for count in at_work}
    with progress("bench prepare", repeats * len(at_work), unit="runs", quiet=quiet) as bar:
        for _ in range(repeats):
            for count, do in at_work.items():
                start = time.perf_counter()
                for _done in do(tasks):
                    pass
                seconds[count].append(time.perf_counter() - start)
                bar.advance()
    return seconds


def prepare_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_prepare` as lines of text."""
    lines = [f"  {result['num_faces']} faces of {result['num_videos']} videos; seconds, faces per second, speed-up"]
    lines += [
        f"    {count} process{'es' * (count != '1'):<4}{format_stats(timing['seconds'], '7.2f')}  "
        f"{format_stats(timing['faces_per_s'], '6.1f')}  {format_stats(timing['times_as_fast'], '5.2f')}"
        for count, timing in result["processes"].items()
    ]
    lines.append("  by stage, in one process of one thread; seconds, share")
    lines += [
        f"    {stage:<8}{format_stats(part['seconds'], '7.2f')}  {format_stats(part['share'], '6.1%')}"
        for stage, part in result["stages"].items()
    ]
    return lines


def stage_seconds(items: Sequence[SourceVideo], spec: CropSpec) -> dict[str, float]:
    """Return the seconds of each stage over all files, in sequence. All detected faces are written."""
    face_detector = face_detector_for(spec)
    seconds = dict.fromkeys(STAGES, 0.0)
    watch = _Watch(seconds)
    with tempfile.TemporaryDirectory() as temporary:
        for item in items:
            frames = list(open_media(item.source, threads=1).frames(spec.frames, spans=item.spans))
            watch.split("decode")
            found = []
            for start in range(0, len(frames), FRAMES_AT_ONCE):
                found += face_detector.detect([frame.image for frame in frames[start : start + FRAMES_AT_ONCE]])
            watch.split("find")
            crops = [
                crop_face(frame.image, face, spec) for frame, faces in zip(frames, found, strict=True) for face in faces
            ]
            watch.split("crop")
            paths = [Path(temporary, f"{number}.png") for number in range(len(crops))]
            for path, crop in zip(paths, crops, strict=True):
                path.write_bytes(encoded_image(crop))
            watch.split("write")
            for path in (item.source, *paths):
                sha256_of(path)
            watch.split("hash")
    return seconds


class _Watch:
    """Adds the time since the last split to a stage."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.perf_counter()

    def split(self, stage: str) -> None:
        now = time.perf_counter()
        self._seconds[stage] += now - self._last
        self._last = now


def write_clips(folder: Path, clips: Sequence[ClipSize]) -> Path:
    """Write the clips as a folder of the plain dataset, and return the folder."""
    for number, clip in enumerate(clips):
        write_clip(folder / "real" / f"{number}.mp4", clip)
    return folder
