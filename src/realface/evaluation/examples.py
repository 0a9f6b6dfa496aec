"""Faces that a detector gets right and wrong, with their reconstructions and forgery maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from realface.core.files import write_json
from realface.core.labels import Label
from realface.core.map_kinds import MapKind
from realface.data.dataset import CropDataset
from realface.data.transforms import FaceTransform
from realface.evaluation.example_sheet import draw_sheet
from realface.evaluation.forgery_map import FaceMap, Picture, Scale, forgery_maps, lay_over
from realface.evaluation.scoring import Reading, explain_out_of_memory
from realface.manifest.manifest import Manifest
from realface.media.images import write_image
from realface.metrics.score_table import ScoreTable
from realface.models.outputs import Output, ReconstructionOutput

FORMAT = 2
INDEX_NAME = "examples.json"
SHEET_NAME = "sheet.jpg"
PER_KIND = 3

Locate = Callable[[int], tuple[Manifest, int]]
"""Row of the score table -> the manifest and the row in it."""


@dataclass(frozen=True)
class Choice:
    """A row to be shown.

    Attributes:
        row: row number in the score table.
        kind: `fake_hardest`, `real_hardest`, `fake_easiest` or `real_easiest`; hardest is furthest on the wrong side.
    """

    row: int
    kind: str


def choose_examples(table: ScoreTable, *, per_kind: int = PER_KIND) -> list[Choice]:
    """Choose the videos at both ends of each class, and of each the frame whose score is nearest to the video's.

    The examples are extremes by intent, as the page that shows them explains. No video is shown twice: if a class has
    few videos, each end gets half of the videos.
    """
    videos = table.video_level()
    numbers = table.video_numbers
    chosen: list[Choice] = []
    for label in (Label.FAKE, Label.REAL):
        of_class = np.flatnonzero(videos.labels == label)
        wrong_side_first = -1 if label == Label.REAL else 1
        order = of_class[np.argsort(wrong_side_first * videos.scores[of_class], kind="stable")]
        num_hardest = min(per_kind, (len(order) + 1) // 2)
        num_easiest = min(per_kind, len(order) // 2)
        for kind, picked in (("hardest", order[:num_hardest]), ("easiest", order[::-1][:num_easiest])):
            for video in picked:
                rows = np.flatnonzero(numbers == video)
                nearest = rows[np.abs(table.scores[rows] - videos.scores[video]).argmin()]
                chosen.append(Choice(int(nearest), f"{label.word}_{kind}"))
    return chosen


def write_examples(
    folder: Path,
    network: nn.Module,
    table: ScoreTable,
    choices: Sequence[Choice],
    locate: Locate,
    reading: Reading,
    *,
    threshold: float,
) -> dict[str, Any]:
    """Write the chosen faces as PNG files with an index, `examples.json`, and all of them on one sheet, `sheet.jpg`.

    For a network that reconstructs, each face has further images: the reconstruction, and the network's forgery maps
    over the face. Each kind of map has one scale for all faces, so that they can be compared.

    Args:
        folder: folder to write to; it is created.
        network: in eval mode, on the reading's device.
        table: the scores.
        choices: rows of `table`.
        locate: finds a row's file.
        reading: settings for reading crops; its input size is the size of the images.
        threshold: scores from here up are called fake.

    Returns:
        The index, as written.

    Raises:
        DeviceError: the memory of the device is too small for one crop.
    """
    images = [_image(*locate(choice.row), reading.input_size) for choice in choices]
    outputs = list(_outputs(network, images, reading.device))
    maps = _maps(outputs)
    scales = {kind: Scale.spanning(kind, of_faces) for kind, of_faces in maps.items()}
    entries, shown = [], []
    for number, (choice, image, output) in enumerate(zip(choices, images, outputs, strict=True)):
        pictures = {"face": _to_uint8(image)}
        if isinstance(output, ReconstructionOutput):
            pictures["reconstruction"] = _to_uint8(output.reconstruction[0])
        for kind, scale in scales.items():
            pictures[kind] = lay_over(pictures["face"], maps[kind][number], scale)
        files = {name: f"{number + 1:02}_{choice.kind}_{name}.png" for name in pictures}
        for name, picture in pictures.items():
            write_image(folder / files[name], picture)
        entries.append({**_entry(table, choice, threshold), "files": files})
        shown.append(pictures)
    index = {
        "format": FORMAT,
        "input_size": reading.input_size,
        "maps": [{"name": kind, "meaning": kind.meaning, **asdict(scale)} for kind, scale in scales.items()],
        "examples": entries,
    }
    write_json(folder / INDEX_NAME, index)
    if entries:
        write_image(folder / SHEET_NAME, draw_sheet(entries, shown, scales))
    return index


def _entry(table: ScoreTable, choice: Choice, threshold: float) -> dict[str, Any]:
    row = table.table.slice(choice.row, 1).to_pylist()[0]
    shown = {name: row[name] for name in ("path", "dataset", "method", "compression", "video", "frame", "score")}
    return {
        **asdict(choice),
        **shown,
        "label": Label(row["label"]).word,
        "prediction": Label(int(row["score"] >= threshold)).word,
    }


def _image(manifest: Manifest, row: int, input_size: int) -> Tensor:
    """(3, H, W) in [0, 1], as the network saw it."""
    crops = CropDataset(manifest.take([row]), transform=FaceTransform(input_size), seed=0, training=False)
    image: Tensor = crops[0]["image"]
    return image


def _outputs(network: nn.Module, images: Sequence[Tensor], device: torch.device) -> Iterator[Output]:
    with torch.inference_mode(), explain_out_of_memory(device, num_crops=1):
        for image in images:
            yield network(image.unsqueeze(0).to(device))


def _maps(outputs: Sequence[Output]) -> dict[MapKind, list[FaceMap]]:
    """Return each map that the network has, of the one face of every output."""
    maps: dict[MapKind, list[FaceMap]] = {}
    for kind in MapKind:
        drawn = [forgery_maps(output, kind) for output in outputs]
        of_faces = [face_map for of_output in drawn for face_map in of_output or ()]
        if of_faces:
            maps[kind] = of_faces
    return maps


def _to_uint8(image: Tensor) -> Picture:
    """(3, H, W) in [0, 1] -> (H, W, 3)."""
    picture: Picture = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return picture
