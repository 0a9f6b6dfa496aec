"""`realface inpaint`: draw sheets of the faces in images and videos, inpainted by an MAE."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realface.cli import crop_options
from realface.cli.standard_output import forgiving_stdout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TextIO

    from realface.detection.inpainting import BlockChoice, InpaintedFile, Inpainter
    from realface.detection.verdict import Failure
    from realface.detection.writers import JsonDocument

BLOCK_HELP = (
    "Blocks of 3 x 3 patches to hide and inpaint. `random`: one random block per face, as in RFFR's demo. `all`: all "
    "blocks, combined as for RFFR's residual. `ROW,COL`: the block with this upper left patch, counted "
    "from 0."
)


def command(
    artifact: Annotated[
        Path,
        typer.Argument(metavar="ARTIFACT", help="Artifact or run folder of rffr-mae, or of rffr, whose MAE is used."),
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER", help="Images, videos or folders.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the sheets; must be new or empty.")],
    block: Annotated[str, typer.Option(metavar="random|all|ROW,COL", help=BLOCK_HELP)] = "random",
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the random blocks, which also depend on the file's name.")
    ] = 0,
    residual: Annotated[
        Literal["exact", "fast"] | None,
        typer.Option(
            help="With --block all: hide blocks one by one (`exact`) or many at once (`fast`). Default: the artifact's."
        ),
    ] = None,
    amplify: Annotated[float, typer.Option(min=0.01, max=1000, help="Factor of the difference in the sheet.")] = 4.0,
    frames: Annotated[int, typer.Option(min=1, max=96, help="Number of frames per video, evenly spaced.")] = 8,
    crops: crop_options.AreCrops = False,
    crop: crop_options.CropWord = None,
    face_detector: crop_options.FaceDetectorWord = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Number of frames, and of MAE passes, per batch.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Inpaint faces with RFFR's MAE and draw them: face | masked | inpainted | 4 x |difference|.

    Writes one sheet per file, with one row per face and frame. Faces are detected and cropped as in `realface detect`.

    Files without a face, and files that cannot be read, are reported with the reason, and the exit code is 2.
    """
    chosen = _block_of(block)
    if residual is not None and chosen != "all":
        raise typer.BadParameter("--residual says how all blocks are inpainted; give --block all too")
    crop_options.refuse_contradiction(crops=crops, crop=crop, face_detector=face_detector)

    from realface.core.files import new_folder
    from realface.detection.inpainting import FORMAT, Inpainter, Inpainting
    from realface.detection.writers import JsonDocument

    inpainter = Inpainter.load(
        artifact,
        device=device,
        crops=crops,
        crop=None if crop is None else crop_options.parse_crop_spec(crop),
        face_detector=crop_options.parse_face_detector(face_detector, device=device),
        asked=Inpainting(
            block=chosen, seed=seed, mode=residual, amplification=amplify, num_frames=frames, batch_size=batch_size
        ),
    )
    new_folder(out)
    stream = forgiving_stdout()
    answers = _Answers(stream, JsonDocument(stream, version=FORMAT, model=inpainter.describe()) if as_json else None)
    if not _run(inpainter, files, out, answers):
        raise typer.Exit(2)


def _block_of(word: str) -> BlockChoice:
    if word == "random":
        return "random"
    if word == "all":
        return "all"
    place = re.fullmatch(r"(\d+),(\d+)", word)
    if place is None:
        raise typer.BadParameter(f"--block must be random, all, or a row and a column such as 4,7, got {word!r}")
    return int(place[1]), int(place[2])


class _Answers:
    """Prints a line per file, or the parts of a JSON document, and counts."""

    def __init__(self, stream: TextIO, document: JsonDocument | None) -> None:
        self._stream = stream
        self._document = document
        self.num_sheets = self.num_faces = 0
        self.failures: Counter[str] = Counter()
        self.skipped: Mapping[str, int] = {}

    @property
    def num_files(self) -> int:
        """Files that have an answer."""
        return self.num_sheets + self.failures.total()

    def add_sheet(self, inpainted: InpaintedFile, sheet: Path) -> None:
        """Print and count a file that was drawn."""
        self.num_sheets += 1
        self.num_faces += len(inpainted.faces)
        self._print(inpainted.line(sheet), {**inpainted.to_json(), "sheet": str(sheet)})

    def add_failure(self, failure: Failure) -> None:
        """Print and count a file that could not be drawn."""
        self.failures[failure.reason] += 1
        self._print(failure.line(), failure.to_json())

    def finish(self, *, complete: bool) -> None:
        """Print the counts."""
        from realface.detection.named_files import skipped_line
        from realface.detection.writers import skipped_counts

        reasons = dict(self.failures.most_common())
        if self._document is not None:
            counts = {"num_files": self.num_files, "num_sheets": self.num_sheets, "num_faces": self.num_faces}
            failed = {"num_failed": self.failures.total(), "failures": reasons}
            self._document.finish({**counts, **failed, **skipped_counts(self.skipped)}, complete=complete)
        if self.num_files > 1 or reasons:
            text = f"{self.num_files} files: {self.num_sheets} sheets of {self.num_faces} faces"
            if reasons:
                named = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
                text += f", {self.failures.total()} without a sheet ({named})"
            print(text, file=sys.stderr)
        if self.skipped:
            print(skipped_line(self.skipped), file=sys.stderr)

    def _print(self, line: str, element: Mapping[str, Any]) -> None:
        if self._document is None:
            print(line, file=self._stream, flush=True)
        else:
            self._document.add(element)


def _run(inpainter: Inpainter, files: Sequence[Path], out: Path, answers: _Answers) -> bool:
    """Draw and report every file; return whether each file has a sheet."""
    from realface.core.errors import MediaError, MissingInputError
    from realface.core.progress import progress
    from realface.detection.inpainting_sheet import write_inpainting_sheet
    from realface.detection.named_files import find_files
    from realface.detection.verdict import failure_of

    named = find_files(files)
    found, failures = named.found, named.failures
    answers.skipped = named.skipped
    crop_options.warn_of_unknown_crops(inpainter.card.crop)
    # lines on the same terminal show the progress by themselves
    quiet = not sys.stderr.isatty() or sys.stdout.isatty()
    complete = False
    try:
        with progress("inpaint", len(found), unit="files", quiet=quiet) as bar:
            for failure in failures:
                answers.add_failure(failure)
            for path in found:
                try:
                    inpainted = inpainter.inpaint(path)
                except (MediaError, MissingInputError) as error:
                    answers.add_failure(failure_of(path, error))
                else:
                    answers.add_sheet(inpainted, write_inpainting_sheet(inpainter, inpainted, out))
                bar.advance()
        complete = True
    except KeyboardInterrupt:
        left = len(found) + len(failures) - answers.num_files
        print(f"realface: {left} files were not inpainted", file=sys.stderr)
        raise
    finally:
        answers.finish(complete=complete)
    return not answers.failures
