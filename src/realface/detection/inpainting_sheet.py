"""Draw a file's inpainted faces as one image: face | masked | inpainted | difference, a row for each face."""

from __future__ import annotations

import math
from pathlib import Path

from realface.detection.inpainting import InpaintedFile, Inpainter, ShownFace
from realface.detection.named_files import drawing_path
from realface.detection.verdict import in_one_line
from realface.media.images import write_image
from realface.media.sheets import FAINT, GAP, Picture, beside, framed, line, resized, stacked
from realface.models.rffr.blocks import SIDE

CELL = 224  # pixels: side of an image
SEAM = 4  # pixels between a face's images
ROWS = 12  # most rows of a column; more faces are drawn in several columns of equal length
COLUMNS_APART, MARGIN = 32, 20
TITLE, WORDS = 20, 15  # pixels: size of letters


def write_inpainting_sheet(inpainter: Inpainter, inpainted: InpaintedFile, folder: Path) -> Path:
    """Draw a file's faces and write them as a JPEG.

    Args:
        inpainter: inpainter of the faces.
        inpainted: faces to draw.
        folder: output folder.

    Returns:
        The written file: the source's name with `.jpg` appended, and a number if that name exists.
    """
    path = drawing_path(folder, inpainted.path)
    write_image(path, draw_inpainting_sheet(inpainter, inpainted), jpeg_quality=95)
    return path


def draw_inpainting_sheet(inpainter: Inpainter, inpainted: InpaintedFile) -> Picture:
    """Return an image with a row for each face, in columns, with its error and its origin.

    Args:
        inpainter: inpainter of the faces.
        inpainted: faces to draw.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    heading = _heading(inpainter)
    rows = [_row(face, inpainted) for face in inpainted.faces]
    height = math.ceil(len(rows) / math.ceil(len(rows) / ROWS))
    columns = [stacked([heading, *rows[start : start + height]]) for start in range(0, len(rows), height)]
    faces = beside(columns, gap=COLUMNS_APART)
    width = faces.shape[1]
    title = line(in_one_line(inpainted.path.name), width=width, size=TITLE)
    words = [line(text, width=width, size=WORDS, colour=FAINT) for text in explanation(inpainter, inpainted)]
    return framed(stacked([title, faces, stacked(words, gap=0)], gap=2 * GAP), gap=MARGIN)


def caption(face: ShownFace, inpainted: InpaintedFile) -> str:
    """Return the text below a face: time, person, block and error."""
    parts = [f"{face.time_s:.2f} s"] if inpainted.kind == "video" else []
    if any(other.track for other in inpainted.faces):
        parts.append(f"face {face.track + 1}")
    if face.corner is not None:
        parts.append(f"block at row {face.corner[0]}, column {face.corner[1]}")
    parts.append(f"error {face.inpainted.error:.1f}")
    return "     ".join(parts)


def explanation(inpainter: Inpainter, inpainted: InpaintedFile) -> list[str]:
    """Return the text below all faces: the settings of the inpainting, and the note on the model."""
    asked, card = inpainter.asked, inpainter.card
    if asked.block == "all":
        passes = "each hidden alone" if inpainter.mode == "exact" else "those that do not touch hidden together"
        hidden = f"{inpainter.num_blocks} blocks of {SIDE} x {SIDE} patches, {passes}"
    else:
        drawn = f", drawn with seed {asked.seed}" if asked.block == "random" else ""
        hidden = f"one block of {SIDE} x {SIDE} of the {inpainter.grid_side} x {inpainter.grid_side} patches{drawn}"
    left_out = f"{inpainted.num_left_out} more faces are not shown" if inpainted.num_left_out else None
    return [
        f"inpainted by {card.method} {card.weights_sha256[:12]}: {hidden}",
        "error: root mean squared difference of what was hidden, in grey levels of 255",
        *filter(None, [left_out, inpainter.note]),
    ]


def _heading(inpainter: Inpainter) -> Picture:
    names = ("face", "masked", "inpainted", f"{inpainter.asked.amplification:g} x |difference|")
    return beside([line(name, width=CELL, size=WORDS, centred=True) for name in names], gap=SEAM)


def _row(face: ShownFace, inpainted: InpaintedFile) -> Picture:
    pictures = beside([resized(picture, height=CELL, width=CELL) for picture in face.inpainted.pictures], gap=SEAM)
    words = line(caption(face, inpainted), width=pictures.shape[1], size=WORDS, colour=FAINT)
    return stacked([pictures, words], gap=SEAM)
