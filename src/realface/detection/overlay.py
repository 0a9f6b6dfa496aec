"""A verdict as a picture: boxes, scores, and the map of surprise over the faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from realface.core.boxes import Box
from realface.core.errors import MediaError
from realface.core.labels import Label
from realface.detection.aggregation import deciding_track
from realface.detection.detector import Detector
from realface.detection.verdict import FaceScore, FrameScore, Verdict
from realface.media.images import write_image
from realface.media.videos import Frame

Picture = NDArray[np.uint8]
Evidence = NDArray[np.float32]

LONGEST_SIDE, SHORTEST_LONG_SIDE = 1920, 640  # pixels of a drawn picture; boxes and text must be readable in it
NUM_COLUMNS = 6  # frames on a video's sheet
CELL = 300  # pixels: width of a column
GAP = 8
COLORS = {Label.FAKE: (226, 61, 61), Label.REAL: (38, 145, 120)}
BACKGROUND, TEXT, FAINT = (24, 26, 30), (240, 240, 240), (165, 170, 178)
HEAT_NOTE = "colour: where the face surprised the model, brightest at the most surprising place of this file"
STRONGEST = 0.75  # of the heat's colour over the face, where the surprise is greatest


def write_overlay(detector: Detector, verdict: Verdict, folder: Path) -> Path:
    """Draw a verdict and write it as a JPEG.

    Returns:
        The file: the source's name with `.jpg` behind it, numbered where that name is taken.

    Raises:
        MediaError: the file can no longer be read.
    """
    name = verdict.path.name.encode()[:200].decode(errors="ignore")
    path = folder / f"{name}.jpg"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jpg"
    write_image(path, draw_overlay(detector, verdict), jpeg_quality=92)
    return path


def draw_overlay(detector: Detector, verdict: Verdict) -> Picture:
    """A picture with its faces marked; of a video a sheet of its most suspicious frames. The file is read again.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        MediaError: the file can no longer be read.
    """
    chosen = _most_suspicious(verdict)
    images = {frame.index: frame.image for frame in _reread(detector, verdict.path, {frame.index for frame in chosen})}
    if len(images) < len(chosen):
        raise MediaError(f"{verdict.path} changed while it was looked at; try again", reason="unreadable")
    track = deciding_track(verdict.tracks).track
    shown = [
        Shown(
            frame, images[frame.index], [face for face in frame.faces if face.track == track or verdict.kind == "image"]
        )
        for frame in chosen
    ]
    maps = [detector.evidence(one.image, [face.box for face in one.faces]) or [] for one in shown]
    if verdict.kind == "image":
        body = _marked(detector, shown[0], maps[0], verdict.threshold)
    else:
        body = _sheet(detector, shown, maps, verdict.threshold)
    notes = [verdict.note] if verdict.note else []
    if maps[0]:
        notes.append(HEAT_NOTE)
    return np.concatenate([_header(verdict, notes, width=body.shape[1]), body])


def lay_heat(image: Picture, evidence: Evidence, area: Box, *, highest: float) -> Picture:
    """Colour part of a picture by surprise; where there is none it stays as it is.

    Args:
        image: (H, W, 3) RGB.
        evidence: (h, w) >= 0, over `area`.
        area: in pixels of `image`, whole numbers; may reach beyond it.
        highest: the evidence that gets the strongest colour.
    """
    x0, y0, x1, y1 = (round(value) for value in area)
    seen = area.intersection(Box(0, 0, image.shape[1], image.shape[0]))
    if not seen.area:
        return image
    strength = np.clip(cv2.resize(evidence, (x1 - x0, y1 - y0)) / max(highest, 1e-9), 0, 1)
    columns, rows = slice(round(seen.x0), round(seen.x1)), slice(round(seen.y0), round(seen.y1))
    strength = strength[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
    colors = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]  # BGR -> RGB
    share = (STRONGEST * strength)[..., None]
    result = image.copy()
    result[rows, columns] = ((1 - share) * image[rows, columns] + share * colors).astype(np.uint8)
    return result


def strongest_evidence(maps: Sequence[Evidence]) -> float:
    """The evidence that gets the strongest colour: all but one in a hundred pixels of the maps lie below it."""
    return max(float(np.percentile(evidence, 99)) for evidence in maps)


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame to draw, and those of its faces that get a map."""

    frame: FrameScore
    image: Picture
    faces: list[FaceScore]


def _reread(detector: Detector, path: Path, wanted: set[int]) -> Iterator[Frame]:
    """Those frames, without decoding what comes after the last."""
    for frame in detector.read_frames(path):
        if frame.index in wanted:
            yield frame
        if frame.index >= max(wanted):
            return


def _most_suspicious(verdict: Verdict) -> list[FrameScore]:
    """The frames in which the deciding face scores highest, in the order of time."""
    track = deciding_track(verdict.tracks).track
    scores = {frame.index: face.score for frame in verdict.frames for face in frame.faces if face.track == track}
    chosen = sorted(scores, key=lambda index: -scores[index])[:NUM_COLUMNS]
    return [frame for frame in verdict.frames if frame.index in chosen]


def _marked(detector: Detector, shown: Shown, maps: Sequence[Evidence], threshold: float) -> Picture:
    """A whole picture with the heat, a box and a score on every face, at a size that can be read."""
    height, width = shown.image.shape[:2]
    scale = min(max(height, width, SHORTEST_LONG_SIDE), LONGEST_SIDE) / max(height, width)
    picture = _resized(shown.image, height=round(height * scale), width=round(width * scale))
    for face, evidence in zip(shown.faces, maps, strict=bool(maps)):
        area = Box(*(round(value) for value in detector.crop_area(face.box).scaled(scale)))
        picture = lay_heat(picture, evidence, area, highest=strongest_evidence(maps))
    return _with_boxes(picture, shown.faces, threshold, scale=scale)


def _with_boxes(picture: Picture, faces: Sequence[FaceScore], threshold: float, *, scale: float) -> Picture:
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    unit = max(0.8, max(canvas.size) / 640)  # lines and letters grow with the picture
    font = _font(13 * unit)
    for face in sorted(faces, key=lambda face: face.score):  # the most suspicious one on top
        color = COLORS[Label(face.score >= threshold)]
        x0, y0, x1, y1 = face.box.scaled(scale).intersection(Box(0, 0, canvas.width - 1, canvas.height - 1))
        draw.rectangle((x0, y0, x1, y1), outline=color, width=max(2, round(2 * unit)))
        text = f" {face.score:.2f} {Label(face.score >= threshold).word} "
        width, height = draw.textlength(text, font=font), 18 * unit
        left, top = min(x0, canvas.width - width), max(0.0, y0 - height)
        draw.rectangle((left, top, left + width, top + height), fill=color)
        draw.text((left, top + height / 2), text, fill="white", font=font, anchor="lm")
    return np.array(canvas)


def _sheet(detector: Detector, shown: Sequence[Shown], maps: Sequence[Sequence[Evidence]], threshold: float) -> Picture:
    """One column per frame: the frame, the face as the network sees it, and the same face with the heat."""
    highest = strongest_evidence([evidence for here in maps for evidence in here]) if maps[0] else 0.0
    columns = []
    for one, evidence in zip(shown, maps, strict=True):
        height, width = one.image.shape[:2]
        scale = CELL / max(height, width)
        small = _resized(one.image, height=round(height * scale), width=round(width * scale))
        crop = _resized(detector.crop(one.image, one.faces[0].box), height=CELL, width=CELL)
        parts = [_with_boxes(small, one.frame.faces, threshold, scale=scale), crop]
        if evidence:
            parts.append(lay_heat(crop, evidence[0], Box(0, 0, CELL, CELL), highest=highest))
        columns.append([*parts, _caption(f"{one.frame.time_s:.1f} s   {one.faces[0].score:.2f}")])
    return _grid(columns)


def _resized(image: Picture, *, height: int, width: int) -> Picture:
    """For the eye: averaged when it shrinks, smooth when it grows."""
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (max(1, width), max(1, height)), interpolation=interpolation), dtype=np.uint8)


def _grid(columns: Sequence[Sequence[Picture]]) -> Picture:
    """Columns of pictures side by side on the background; equal rows, each picture centred in its place."""
    heights = [max(column[row].shape[0] for column in columns) for row in range(len(columns[0]))]
    size = (GAP + len(columns) * (CELL + GAP), GAP + sum(height + GAP for height in heights))
    canvas = Image.new("RGB", size, BACKGROUND)
    for number, column in enumerate(columns):
        top = GAP
        for picture, height in zip(column, heights, strict=True):
            left = GAP + number * (CELL + GAP) + (CELL - picture.shape[1]) // 2
            canvas.paste(Image.fromarray(picture), (left, top + (height - picture.shape[0]) // 2))
            top += height + GAP
    return np.array(canvas)


def _caption(text: str) -> Picture:
    canvas = Image.new("RGB", (CELL, 22), BACKGROUND)
    ImageDraw.Draw(canvas).text((CELL / 2, 11), text, fill=TEXT, font=_font(16), anchor="mm")
    return np.array(canvas)


def _header(verdict: Verdict, notes: Sequence[str], *, width: int) -> Picture:
    """The verdict above the picture, and what must be said with it, one line each."""
    unit = max(0.8, min(width / 640, 2.0))
    canvas = Image.new("RGB", (width, round((36 + 22 * len(notes)) * unit)), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    margin, middle = 10 * unit, 18 * unit
    word = f" {verdict.prediction.upper()} "
    end = margin + draw.textlength(word, font=_font(15 * unit))
    color = COLORS[Label(verdict.score >= verdict.threshold)]
    draw.rectangle((margin, middle - 11 * unit, end, middle + 11 * unit), fill=color)
    draw.text((margin, middle), word, fill="white", font=_font(15 * unit), anchor="lm")
    text = f"fake probability {verdict.score:.4f}, fake from {verdict.threshold:.2f} up"
    draw.text((end + margin, middle), text, fill=TEXT, font=_font(13 * unit), anchor="lm")
    for number, note in enumerate(notes, start=1):
        draw.text((margin, middle + 22 * unit * number), note, fill=FAINT, font=_font(12 * unit), anchor="lm")
    return np.array(canvas)


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
