"""`realface detect`: give a verdict on every image and video."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realface.cli import crop_options
from realface.cli.standard_output import forgiving_stdout
from realface.core.map_kinds import MapKind
from realface.core.shipped import require_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from realface.detection.detector import Detector
    from realface.detection.scoring import Precision
    from realface.detection.verdict import Failure, Verdict
    from realface.detection.writers import Writer

MODEL_HELP = (
    "Artifact, run folder that contains it, or name of a shipped detector. Default: the shipped real-faces-only."
)
MAP_HELP = (
    "With --overlay: map to draw. `error_map`: where the face differs from its reconstruction. `attention`: where the "
    "reconstruction error steers the classifier. `manipulation`: where the detector sees manipulation. Default: "
    "error_map, or manipulation if the detector has no reconstruction."
)


Frames = Annotated[
    int | None, typer.Option(min=1, help="Number of frames per video, evenly spaced. Default: as in the model.")
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Lowest score that is called fake; lower scores are called real. Default: the model's calibration.",
    ),
]
PrecisionName = Annotated[
    str,
    typer.Option("--precision", help="fp32, or bf16: faster on recent CPUs and GPUs, but less exact."),
]


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER", help="Images, videos or folders.")],
    model: Annotated[Path | None, typer.Option(metavar="ARTIFACT_OR_NAME", help=MODEL_HELP)] = None,
    crops: crop_options.AreCrops = False,
    crop: crop_options.CropWord = None,
    face_detector: crop_options.FaceDetectorWord = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    image_size: Annotated[
        int | None,
        typer.Option(min=64, max=2048, help="Input size of the network, in pixels. Default: as in the model."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of frames, and of faces, per batch.")] = 16,
    threshold: Threshold = None,
    frames: Frames = None,
    precision: PrecisionName = "fp32",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one row per file.")] = False,
    overlay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for images of the verdicts; must be new or empty.")
    ] = None,
    map_kind: Annotated[MapKind | None, typer.Option("--map", help=MAP_HELP)] = None,
) -> None:
    """Detect manipulated faces in images and videos.

    The verdict is fake, real, uncertain or cannot_say, with the reason. An image has the score of its most suspicious
    face. A video has the score of its most suspicious identity, averaged over the frames; people who appear in fewer
    than a third of the frames with faces are ignored, unless no one appears more often.

    Files that cannot be read are reported, and the exit code is 2. Files in folders that are neither images nor videos
    are skipped and counted.
    """
    _refuse_contradictions(as_json=as_json, as_csv=as_csv)
    crop_options.refuse_contradiction(crops=crops, crop=crop, face_detector=face_detector)
    drawn_map = _map_to_draw(map_kind, overlay)

    require_artifact(model)
    from realface.core.files import new_folder
    from realface.detection.detector import Detector

    detector = Detector.load(
        model,
        device=device,
        crops=crops,
        crop=None if crop is None else crop_options.parse_crop_spec(crop),
        face_detector=crop_options.parse_face_detector(face_detector, device=device),
        image_size=image_size,
        batch_size=batch_size,
        threshold=threshold,
        num_frames=frames,
        precision=_known_precision(precision),
    )
    if overlay is not None:
        new_folder(overlay)
    writer = _writer(forgiving_stdout(), detector, as_json, as_csv)
    if not _run(detector, files, writer=writer, overlay=overlay, map_kind=drawn_map):
        raise typer.Exit(2)


def _refuse_contradictions(*, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")


def _known_precision(name: str) -> Precision:
    known: dict[str, Precision] = {"fp32": "fp32", "bf16": "bf16"}
    if name in known:
        return known[name]
    raise typer.BadParameter(f"--precision must be fp32 or bf16, got {name!r}")


def _map_to_draw(given: MapKind | None, overlay: Path | None) -> MapKind | None:
    if given is not None and overlay is None:
        raise typer.BadParameter("--map says what --overlay draws; give --overlay DIR too")
    return given


def _run(
    detector: Detector, files: Sequence[Path], *, writer: Writer, overlay: Path | None, map_kind: MapKind | None
) -> bool:
    """Print every result; return whether every file has a verdict."""
    from realface.core.progress import progress
    from realface.detection.named_files import find_files, skipped_line
    from realface.detection.writers import Tally

    named = find_files(files)
    found, failures = named.found, named.failures
    tally = Tally(named.skipped)
    crop_options.warn_of_unknown_crops(detector.card.crop)
    # lines on the same terminal show the progress by themselves
    quiet = not sys.stderr.isatty() or sys.stdout.isatty()
    complete = False
    try:
        with progress("detect", len(found), unit="files", quiet=quiet) as bar:
            for failure in failures:
                tally.add(failure)
                writer.add(failure)
            for result, drawn in _answers(detector, found, overlay, map_kind):
                tally.add(result)
                writer.add(result, overlay=drawn)
                bar.advance()
        complete = True
    except KeyboardInterrupt:
        left = len(found) + len(failures) - tally.num_files
        print(f"realface: {left} files were not judged", file=sys.stderr)
        raise
    finally:
        writer.finish(tally, complete=complete)
        if tally.num_files > 1 or tally.failures:
            print(tally.line(), file=sys.stderr)
        if tally.skipped:
            print(skipped_line(tally.skipped), file=sys.stderr)
    return not tally.failures


def _answers(
    detector: Detector, found: Sequence[Path], overlay: Path | None, map_kind: MapKind | None
) -> Iterator[tuple[Verdict | Failure, Path | None]]:
    """Yield each file's result and the path of its drawing, or None if nothing was drawn."""
    from realface.core.errors import MediaError
    from realface.detection.overlay import write_overlay
    from realface.detection.verdict import Verdict, failure_of

    for result in detector.detect_many(found):
        if overlay is None or not isinstance(result, Verdict):
            yield result, None
            continue
        try:
            drawn = write_overlay(detector, result, overlay, kind=map_kind)
        except MediaError as error:  # the file has changed since
            yield failure_of(result.path, error), None
        else:
            yield result, drawn


def _writer(stream: TextIO, detector: Detector, as_json: bool, as_csv: bool) -> Writer:
    from realface.detection.writers import CsvWriter, JsonWriter, LineWriter

    if as_json:
        return JsonWriter(stream, model=detector.describe())
    return CsvWriter(stream) if as_csv else LineWriter(stream)
