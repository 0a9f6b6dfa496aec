"""Draw a verdict as an image: boxes, scores, and the forgery map over the faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from realface.core.boxes import Box
from realface.core.errors import MediaError
from realface.core.map_kinds import MapKind
from realface.detection.aggregation import deciding_track
from realface.detection.detector import Detector
from realface.detection.named_files import drawing_path
from realface.detection.outcome import Outcome, decide
from realface.detection.verdict import FaceScore, FrameScore, Verdict
from realface.evaluation.forgery_map import FaceMap, Scale, colour_bar, lay_over
from realface.faces.cropper import Matrix
from realface.media.frames import Frame
from realface.media.images import write_image
from realface.media.sheets import BACKGROUND, FAINT, TEXT, Picture, beside, font, framed, line, resized, stacked

LONGEST_SIDE, SHORTEST_LONG_SIDE = 1920, 640  # pixels of a drawn image; boxes and text must be readable in it
PREFERRED = (MapKind.ERROR_MAP, MapKind.MANIPULATION)
"""Maps by preference, if the user chooses no map."""
NUM_COLUMNS = 6  # frames on a video's sheet
CELL = 300  # pixels: width of a column
COLORS = {
    Outcome.FAKE: (226, 61, 61),
    Outcome.REAL: (38, 145, 120),
    Outcome.UNCERTAIN: (176, 118, 20),
    Outcome.CANNOT_SAY: (110, 114, 122),
}


def write_overlay(detector: Detector, verdict: Verdict, folder: Path, *, kind: MapKind | None = None) -> Path:
    """Draw a verdict and write it as a JPEG.

    Args:
        detector: detector that gave the verdict.
        verdict: verdict to draw.
        folder: output folder.
        kind: map to draw over the faces. None: the first of `PREFERRED` that the detector has.

    Returns:
        The written file: the source's name with `.jpg` appended, and a number if that name exists.

    Raises:
        MediaError: the file can no longer be read.
    """
    path = drawing_path(folder, verdict.path)
    write_image(path, draw_overlay(detector, verdict, kind=kind), jpeg_quality=92)
    return path


def draw_overlay(detector: Detector, verdict: Verdict, *, kind: MapKind | None = None) -> Picture:
    """Return an image with its faces marked, or a sheet of a video's most suspicious frames. The file is read again.

    If a file has no face, the image or the first frame is drawn without marks.

    Args:
        detector: detector that gave the verdict.
        verdict: verdict to draw.
        kind: map to draw over the faces, with one scale for the whole file. None: the first of `PREFERRED` that the
            detector has.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        MediaError: the file can no longer be read.
    """
    chosen = _most_suspicious(verdict)
    images = {frame.index: frame.image for frame in _reread(detector, verdict.path, {frame.index for frame in chosen})}
    if len(images) < len(chosen):
        raise MediaError(f"{verdict.path} changed while it was looked at", reason="unreadable", hint="try again")
    track = _shown_track(verdict)
    shown = [
        Shown(
            frame, images[frame.index], [face for face in frame.faces if face.track == track or verdict.kind == "image"]
        )
        for frame in chosen
    ]
    kind, maps = _maps_of(detector, shown, PREFERRED if kind is None else (kind,))
    drawn = [face_map for of_frame in maps for face_map in of_frame]
    scale = Scale.spanning(kind, drawn) if drawn else None
    if verdict.kind == "image" or track is None:
        body = _marked(detector, shown[0], maps[0], scale, verdict)
    else:
        body = _sheet(detector, shown, maps, scale, verdict)
    width = max(body.shape[1], SHORTEST_LONG_SIDE)  # or words would be cut off
    return stacked([_header(verdict, width=width), _legend(kind, scale, width=width), body], gap=0)


def _maps_of(
    detector: Detector, shown: Sequence[Shown], kinds: Sequence[MapKind]
) -> tuple[MapKind, list[list[FaceMap]]]:
    """Return the first kind of map that the detector has, and the maps of each frame's faces."""
    for kind in kinds:
        maps = [detector.maps(one.image, one.faces, kind) or [] for one in shown]
        if any(maps):
            return kind, maps
    return kinds[0], [[] for _ in shown]


def lay_in_place(picture: Picture, maps: Sequence[FaceMap], matrices: Sequence[Matrix], scale: Scale) -> Picture:
    """Draw maps over parts of an image. Where maps overlap, the strongest value counts.

    Args:
        picture: image, (H, W, 3) RGB.
        maps: (h, w) each, over a part that may be rotated and may reach beyond the image.
        matrices: (2, 3) each, from pixels of `picture` to pixels of the map.
        scale: scale of the colours.
    """
    strongest = np.full(picture.shape[:2], -np.inf, np.float32)
    for face_map, matrix in zip(maps, matrices, strict=True):
        height, width = face_map.shape
        rows, columns = _reach(matrix, face_map.shape, picture.shape)
        y, x = np.mgrid[rows, columns]
        map_x, map_y = (row[0] * x + row[1] * y + row[2] for row in matrix)
        is_within = (np.abs(map_x - (width - 1) / 2) <= width / 2) & (np.abs(map_y - (height - 1) / 2) <= height / 2)
        if not is_within.any():
            continue
        part = cv2.remap(
            face_map,
            map_x.astype(np.float32),
            map_y.astype(np.float32),
            interpolation=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        strongest[rows, columns] = np.where(
            is_within, np.maximum(strongest[rows, columns], part), strongest[rows, columns]
        )
    is_covered = np.isfinite(strongest)
    laid = lay_over(picture, np.where(is_covered, strongest, scale.low).astype(np.float32), scale)
    return np.where(is_covered[..., None], laid, picture)


def _reach(matrix: Matrix, of_map: tuple[int, ...], of_picture: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of an image that a map covers."""
    height, width = of_map
    corners = np.array([[-0.5, -0.5, 1], [width, -0.5, 1], [-0.5, height, 1], [width, height, 1]])
    corners = corners @ cv2.invertAffineTransform(matrix).T
    low = np.clip(np.floor(corners.min(axis=0)), 0, of_picture[1::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, of_picture[1::-1]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame to draw, and its faces that get a map."""

    frame: FrameScore
    image: Picture
    faces: list[FaceScore]


def _reread(detector: Detector, path: Path, wanted: set[int]) -> Iterator[Frame]:
    """Yield the wanted frames, without decoding any frame after the last wanted frame."""
    yield from detector.faces.frames(detector.faces.open(path), wanted)


def _most_suspicious(verdict: Verdict) -> list[FrameScore]:
    """Return the frames in which the shown face scores highest, in the order of time; without a face the first one."""
    track = _shown_track(verdict)
    if track is None:
        return [verdict.frames[0]]
    scores = {frame.index: face.score for frame in verdict.frames for face in frame.faces if face.track == track}
    chosen = sorted(scores, key=lambda index: -scores[index])[:NUM_COLUMNS]
    return [frame for frame in verdict.frames if frame.index in chosen]


def _shown_track(verdict: Verdict) -> int | None:
    """Return the deciding track, else the longest track; None without a face."""
    deciding = deciding_track(verdict.tracks)
    if deciding is None:
        return max(verdict.tracks, key=lambda track: track.num_frames).track if verdict.tracks else None
    return deciding.track


def _marked(
    detector: Detector, shown: Shown, maps: Sequence[FaceMap], scale_of_maps: Scale | None, verdict: Verdict
) -> Picture:
    """Return a whole image with the map, a box and a score on every face, at a readable size."""
    height, width = shown.image.shape[:2]
    scale = min(max(height, width, SHORTEST_LONG_SIDE), LONGEST_SIDE) / max(height, width)
    picture = resized(shown.image, height=round(height * scale), width=round(width * scale))
    if scale_of_maps is not None:
        matrices = [
            detector.faces.map_matrix(face.face, face_map.shape, image_shape=shown.image.shape, scale=scale)
            for face, face_map in zip(shown.faces, maps, strict=True)
        ]
        picture = lay_in_place(picture, maps, matrices, scale_of_maps)
    return _with_boxes(picture, shown.faces, verdict, scale=scale)


def _with_boxes(picture: Picture, faces: Sequence[FaceScore], verdict: Verdict, *, scale: float) -> Picture:
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    unit = max(0.8, max(canvas.size) / 640)  # lines and letters grow with the image
    letters = font(13 * unit)
    for face in sorted(faces, key=lambda face: face.score):  # the most suspicious one on top
        outcome = Outcome.CANNOT_SAY
        if verdict.band is not None and verdict.reason is None and face.ignored is None:
            outcome = decide(face.score, verdict.band)
        color = COLORS[outcome]
        x0, y0, x1, y1 = face.box.scaled(scale).intersection(Box(0, 0, canvas.width - 1, canvas.height - 1))
        draw.rectangle((x0, y0, x1, y1), outline=color, width=max(2, round(2 * unit)))
        text = f" {face.score:.2f} {in_words(face.ignored or verdict.reason or outcome)} "
        width, height = draw.textlength(text, font=letters), 18 * unit
        left, top = min(x0, canvas.width - width), max(0.0, y0 - height)
        draw.rectangle((left, top, left + width, top + height), fill=color)
        draw.text((left, top + height / 2), text, fill="white", font=letters, anchor="lm")
    return np.array(canvas)


def _sheet(
    detector: Detector,
    shown: Sequence[Shown],
    maps: Sequence[Sequence[FaceMap]],
    scale_of_maps: Scale | None,
    verdict: Verdict,
) -> Picture:
    """Return one column per frame: the frame, the face as the network sees it, and the same face with the map."""
    columns = []
    for one, of_frame in zip(shown, maps, strict=True):
        height, width = one.image.shape[:2]
        scale = CELL / max(height, width)
        small = resized(one.image, height=round(height * scale), width=round(width * scale))
        crop = resized(detector.faces.crop(one.image, one.faces[0].face), height=CELL, width=CELL)
        parts = [_with_boxes(small, one.frame.faces, verdict, scale=scale), crop]
        if scale_of_maps is not None:
            parts.append(lay_over(crop, of_frame[0], scale_of_maps))
        caption = line(f"{one.frame.time_s:.1f} s   {one.faces[0].score:.2f}", width=CELL, centred=True)
        columns.append(stacked([*parts, caption], centred=True))
    return framed(beside(columns))


def _header(verdict: Verdict, *, width: int) -> Picture:
    """Return the verdict above the image, and the note on the verdict below it."""
    unit = _unit(width)
    canvas = Image.new("RGB", (width, round((58 if verdict.note else 36) * unit)), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    margin, middle = 10 * unit, 18 * unit
    word = f" {in_words(verdict.outcome).upper()} "
    end = margin + draw.textlength(word, font=font(15 * unit))
    color = COLORS[verdict.outcome]
    draw.rectangle((margin, middle - 11 * unit, end, middle + 11 * unit), fill=color)
    draw.text((margin, middle), word, fill="white", font=font(15 * unit), anchor="lm")
    draw.text((end + margin, middle), headline(verdict), fill=TEXT, font=font(13 * unit), anchor="lm")
    if verdict.note:
        draw.text((margin, middle + 22 * unit), verdict.note, fill=FAINT, font=font(12 * unit), anchor="lm")
    return np.array(canvas)


def headline(verdict: Verdict) -> str:
    """Return the reason, the score and the band, in the same digits, so that readers can compare them."""
    parts = [] if verdict.reason is None else [in_words(verdict.reason)]
    if verdict.score is not None:
        parts.append(f"{verdict.score_name} {verdict.score:.4f}")
        if verdict.reason is None and verdict.band is not None:
            parts += [f"real below {verdict.band.real_below:.4f}"] if verdict.is_calibrated else []
            parts.append(f"fake from {verdict.band.fake_from:.4f} up")
    return ", ".join(parts)


def in_words(word: str) -> str:
    """Return `cannot_say` as `cannot say`."""
    return word.replace("_", " ")


def _legend(kind: MapKind, scale: Scale | None, *, width: int) -> Picture:
    """Return the legend of the colours, or a note that the image has no map."""
    unit = _unit(width)
    margin, size, bar = round(10 * unit), 12 * unit, round(80 * unit)
    if scale is None:
        text = f"no map: this detector gives no {in_words(kind)}"
        return framed(line(text, width=width - 2 * margin, size=size, colour=FAINT), gap=margin)
    own_scale = "" if kind is MapKind.MANIPULATION else "; this file's scale"
    text = f"{in_words(kind)} {scale}: {kind.meaning}{own_scale}"
    words = line(text, width=width - 3 * margin - bar, size=size, colour=FAINT)
    return framed(beside([colour_bar(height=words.shape[0], width=bar), words], gap=margin), gap=margin)


def _unit(width: int) -> float:
    """Return the size of a pixel of the header's design in an image of that width."""
    return max(0.8, min(width / 640, 2.0))
