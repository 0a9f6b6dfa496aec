"""`realface prepare`: turn videos and images into face crops and a manifest."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realface.core.errors import StoppedBySignal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType

    from realface.evaluation.landmarks import LocatedLandmarks
    from realface.prepare.finish import PrepareResult
    from realface.prepare.pipeline import ShardResult


class Alignment(StrEnum):
    """Choices of `--alignment`."""

    NONE = "none"
    FIVE_POINT = "five-point"


class Edge(StrEnum):
    """Choices of `--edge`."""

    REPEAT = "repeat"
    INSIDE = "inside"


class Which(StrEnum):
    """Choices of `--face`."""

    MASK = "mask"
    LARGEST = "largest"
    ALL = "all"


class Landmarks(StrEnum):
    """Choices of `--landmarks`."""

    MESH = "mesh"


class Cluster(StrEnum):
    """Choices of `--cluster`."""

    RAY = "ray"


Source = Annotated[Path, typer.Argument(help="Folder of videos or images: a known dataset, or your own files.")]
Out = Annotated[Path, typer.Argument(help="Folder for crops and manifest: new, empty, or of an interrupted run.")]
Dataset = Annotated[str | None, typer.Option(help="Name of the dataset. Default: detected from the folder.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Number of processes. Default: one per core.")]
Frames = Annotated[int, typer.Option(min=1, help="Number of frames per video, evenly spaced.")]
Face = Annotated[
    Which,
    typer.Option(help="Which face to keep: `mask` (the manipulated one, else the largest), `largest` or `all`."),
]
MinFace = Annotated[
    int, typer.Option(min=0, help="Smallest longer side of a face, in pixels; smaller faces are skipped.")
]
Margin = Annotated[float, typer.Option(min=0, help="Margin added around the face, as a share of its longer side.")]
Size = Annotated[int, typer.Option(min=16, help="Height and width of the crops, in pixels.")]
Align = Annotated[Alignment, typer.Option(help="`none`: upright crops. `five-point`: align eyes, nose and mouth.")]
CropEdge = Annotated[
    Edge,
    typer.Option(
        help="Crops that reach beyond the image: `repeat` its border, or move and shrink them to stay `inside`."
    ),
]
JpegQuality = Annotated[
    int | None, typer.Option(min=1, max=95, help="Store crops as JPEG of this quality. Default: PNG, without loss.")
]
FaceDetector = Annotated[
    str,
    typer.Option(metavar="NAME[=FILE]", help="`mtcnn`, or `yunet`, `retinaface` or `scrfd` with its ONNX file."),
]
DenseLandmarks = Annotated[
    Landmarks | None,
    typer.Option(help="`mesh`: store 468 landmarks per crop, for training on pseudo-fakes. Default: none."),
]
Redo = Annotated[
    list[str] | None,
    typer.Option(metavar="REASON", help="Retry files skipped for this reason (`all` = every skipped file)."),
]
Part = Annotated[
    str | None,
    typer.Option(metavar="i/N", help="Process only part i of N, on one of several machines; --merge combines them."),
]
Merge = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Combine N finished shards: write the manifest of all.")
]
OnCluster = Annotated[Cluster | None, typer.Option(help="`ray`: run on a Ray cluster. Default: on this machine.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def command(
    source: Source,
    out: Out,
    dataset: Dataset = None,
    workers: Workers = None,
    frames: Frames = 32,
    face: Face = Which.MASK,
    min_face: MinFace = 0,
    margin: Margin = 0.3,
    size: Size = 256,
    alignment: Align = Alignment.NONE,
    edge: CropEdge = Edge.REPEAT,
    jpeg_quality: JpegQuality = None,
    face_detector: FaceDetector = "mtcnn",
    landmarks: DenseLandmarks = None,
    redo: Redo = None,
    shard: Part = None,
    merge: Merge = None,
    cluster: OnCluster = None,
    as_json: AsJson = False,
) -> None:
    """Detect and crop the faces in videos and images, and write a manifest of the crops.

    Run the same command again to continue an interrupted run. If files are skipped, OUT/skipped.csv lists them with the
    reasons, and the exit code is 2.
    """
    from realface.faces.detectors.registry import build_face_detector, crop_spec_for, parse_name_and_file
    from realface.prepare.pipeline import ExecutionSettings, merge_shards, prepare_dataset, prepare_shard
    from realface.prepare.shards import Shard

    _check_combination(landmarks=landmarks, redo=redo, shard=shard, merge=merge, cluster=cluster)
    name, file = parse_name_and_file(face_detector)
    cut = {
        "margin": margin,
        "size": size,
        "alignment": alignment.value,
        "edge": edge.value,
        "jpeg_quality": jpeg_quality,
    }
    chosen = {"frames": frames, "face": face.value, "min_face": min_face}
    spec = crop_spec_for(build_face_detector(name, file=file), **cut, **chosen)
    execution = ExecutionSettings(
        workers=workers, face_detector_file=file, cluster=cluster.value if cluster else None, quiet=as_json
    )
    with stoppable("prepare"):
        if shard is not None:
            part = prepare_shard(
                source, out, shard=Shard.parse(shard), spec=spec, dataset=dataset, redo=redo or (), execution=execution
            )
            _print_shard(part, as_json=as_json)
            _end(part.skipped)
            return
        if merge is not None:
            result = merge_shards(source, out, total=merge, spec=spec, dataset=dataset, face_detector_file=file)
        else:
            result = prepare_dataset(source, out, spec=spec, dataset=dataset, redo=redo or (), execution=execution)
        located = _locate_landmarks(result, workers, quiet=as_json) if landmarks else None
    _print_result(result, out, located, as_json=as_json)
    _end([*result.skipped, *result.skipped_masks])


def _check_combination(
    *,
    landmarks: Landmarks | None,
    redo: list[str] | None,
    shard: str | None,
    merge: int | None,
    cluster: Cluster | None,
) -> None:
    """Refuse options that cannot be combined."""
    if merge is not None and (shard or redo or cluster):
        raise typer.BadParameter("--merge goes alone: it finds no faces; give --shard, --redo and --cluster before it")
    if landmarks and shard:
        raise typer.BadParameter("--landmarks cannot be combined with --shard; give it with --merge")


@contextmanager
def stoppable(command: str) -> Iterator[None]:
    """Stop cleanly on Ctrl-C, or on the SIGTERM that clusters send: end the workers and print how to continue.

    Args:
        command: name of the running command.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        raise StoppedBySignal(number, hint="run the same command to continue; finished files are kept")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print(f"realface {command}: finished files are kept; run the same command to continue", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(skipped: Iterable[str]) -> None:
    """Exit with code 2 if files or masks were skipped; skipped frames are only reported."""
    from realface.prepare.record import FRAME

    if any(not reason.startswith(FRAME) for reason in skipped):
        raise typer.Exit(2)


def _locate_landmarks(result: PrepareResult, workers: int | None, *, quiet: bool) -> LocatedLandmarks:
    """Store the landmarks of all crops in the manifest's folder."""
    import os

    from realface.data.landmark_store import FILE_NAME
    from realface.evaluation.landmarks import store_landmarks
    from realface.manifest.manifest import Manifest

    num_workers = (os.cpu_count() or 1) if workers is None else workers
    manifest = Manifest.read(result.manifest)
    return store_landmarks(manifest, result.manifest.parent / FILE_NAME, workers=num_workers, quiet=quiet)


def _print_result(result: PrepareResult, out: Path, located: LocatedLandmarks | None, *, as_json: bool) -> None:
    from realface.prepare.frames import FROM_ORIGINAL, OWN
    from realface.prepare.record import FRAME, MASK

    if as_json:
        shown = asdict(result) | {"manifest": str(result.manifest)}
        if located is not None:
            shown["landmarks"] = asdict(located) | {"file": str(located.file)}
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    masks = f", {result.num_masks} of them with a mask" if result.num_masks else ""
    used = result.num_sources - sum(result.skipped.values())
    print(f"dataset {result.dataset}: {used} of {result.num_sources} files gave {result.num_crops} crops{masks}")
    for kind, count in result.found.items():
        print(f"found, {kind}: {count}")
    for kind, count in result.left_out.items():
        print(f"unused files, {kind}: {count}")
    for whose, count in result.boxes.items():
        boxes = "of their original" if whose == FROM_ORIGINAL else f"of their own ({whose.removeprefix(OWN)})"
        print(f"fakes cut by boxes {boxes}: {count}")
    if result.num_hdr:
        print(f"HDR videos converted to SDR: {result.num_hdr}")
    if result.num_unmarked:
        print(f"crops in which their mask marks nothing, so perhaps of somebody else: {result.num_unmarked}")
    _print_skipped(
        result.skipped
        | {MASK + reason: count for reason, count in result.skipped_masks.items()}
        | {FRAME + reason: count for reason, count in result.skipped_frames.items()},
        where=str(out / "skipped.csv"),
    )
    if located is not None:
        num_mesh = located.num_crops - located.num_five - located.num_without_face
        print(
            f"landmarks: {num_mesh} of {located.num_crops} crops by the face mesh, {located.num_five} by five points, "
            f"{located.num_without_face} without: {located.file}"
        )
    print(f"manifest: {result.manifest}")


def _print_shard(result: ShardResult, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(result) | {"shard": str(result.shard)}, indent=2, ensure_ascii=False))
        return
    print(f"shard {result.shard}: {result.num_sources} files done")
    _print_skipped(result.skipped, where="skipped.csv, which --merge writes")
    print(f"when all shards are done: the same command with --merge {result.shard.total} in place of --shard")


def _print_skipped(skipped: Mapping[str, int], *, where: str) -> None:
    if skipped:
        print(f"skipped files by reason (details in {where}; retry with --redo REASON):")
    for reason, count in skipped.items():
        print(f"  {reason}: {count}")
