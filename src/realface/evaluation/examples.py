"""Faces that show what a detector gets right and wrong, with what it reconstructs and where it is surprised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realface.core.files import write_json
from realface.core.labels import Label
from realface.data.dataset import CropDataset
from realface.data.manifest import Manifest
from realface.data.transforms import FaceTransform
from realface.media.images import resize_image, write_image
from realface.metrics.score_table import ScoreTable
from realface.models.outputs import Output, ReconstructionOutput

FORMAT = 1
INDEX_NAME = "examples.json"
PER_KIND = 3
BRIGHTEST_QUANTILE = 0.995
"""Share of the evidence below the brightest colour: a few outliers shall not darken every map."""

Locate = Callable[[int], tuple[Manifest, int]]
"""Row of the score table -> the manifest and the row in it."""


@dataclass(frozen=True)
class Choice:
    """A row to be shown.

    Attributes:
        row: in the score table.
        kind: `fake_hardest`, `real_hardest`, `fake_easiest` or `real_easiest`; hardest is furthest on the wrong side.
    """

    row: int
    kind: str


def choose_examples(table: ScoreTable, *, per_kind: int = PER_KIND) -> list[Choice]:
    """Choose the videos at both ends of either class, and of each the frame whose score is nearest to the video's.

    They are extremes by intent: the page that shows them says so. No video is shown twice: where there are
    few, each end gets a half.
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
    *,
    input_size: int,
    threshold: float,
    device: torch.device,
) -> dict[str, Any]:
    """Write the chosen faces as PNG files with an index, `examples.json`.

    A network that reconstructs gives two more pictures per face: the reconstruction, and the evidence in colours from
    black (none) to yellow, on one scale for all faces, so that they can be compared.

    Args:
        folder: where to; made.
        network: in eval mode, on `device`.
        table: the scores.
        choices: rows of `table`.
        locate: finds a row's file.
        input_size: of the network, in pixels; the size of the pictures.
        threshold: scores from here up are called fake.
        device: of the network.

    Returns:
        The index, as written.
    """
    images = [_image(*locate(choice.row), input_size) for choice in choices]
    outputs = list(_outputs(network, images, device))
    evidence = [output.evidence[0, 0].cpu().numpy() for output in outputs if isinstance(output, ReconstructionOutput)]
    scale = float(np.quantile(np.stack(evidence), BRIGHTEST_QUANTILE)) if evidence else None
    entries = []
    for number, (choice, image, output) in enumerate(zip(choices, images, outputs, strict=True), start=1):
        pictures = {"face": _to_uint8(image)}
        if isinstance(output, ReconstructionOutput):
            pictures["reconstruction"] = _to_uint8(output.reconstruction[0])
            pictures["evidence"] = _in_colours(output.evidence[0, 0].cpu().numpy(), scale or 1.0, input_size)
        files = {name: f"{number:02}_{choice.kind}_{name}.png" for name in pictures}
        for name, picture in pictures.items():
            write_image(folder / files[name], picture)
        entries.append({**_entry(table, choice, threshold), "files": files})
    index = {"format": FORMAT, "input_size": input_size, "evidence_scale": scale, "examples": entries}
    write_json(folder / INDEX_NAME, index)
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
    with torch.inference_mode():
        for image in images:
            yield network(image.unsqueeze(0).to(device))


def _to_uint8(image: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) in [0, 1] -> (H, W, 3)."""
    picture: NDArray[np.uint8] = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return picture


def _in_colours(evidence: NDArray[np.float32], scale: float, size: int) -> NDArray[np.uint8]:
    """(H, W) >= 0 -> (size, size, 3): black at 0, yellow from `scale` up."""
    grey = (np.clip(evidence / max(scale, 1e-12), 0, 1) * 255).round().astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(resize_image(grey, size), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.asarray(colours, dtype=np.uint8)
