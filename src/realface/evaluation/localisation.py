"""Compare the error maps of a network that reconstructs with the masks of manipulated pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from realface.core.errors import MediaError, MissingInputError
from realface.core.labels import Label
from realface.core.map_kinds import MapKind
from realface.core.progress import progress
from realface.data.dataset import CropDataset, crop_bytes
from realface.data.loading import ItemReader, load_batches
from realface.data.transforms import FaceTransform
from realface.evaluation.forgery_map import FaceMap, forgery_maps
from realface.evaluation.scoring import Reading, explain_out_of_memory
from realface.manifest.manifest import Manifest
from realface.media.masks import read_forged_pixels
from realface.metrics.localisation import MeasuredCrop, chance_iou, iou_at_equal_area, pixel_auc

NOTHING_FORGED = "nothing forged in the crop"
ALL_FORGED = "the whole crop forged"


@dataclass(frozen=True)
class Measured:
    """Measurements of the error maps.

    Attributes:
        crops: one entry per fake crop with a usable mask.
        left_out: numbers of fake crops whose mask is unusable, by reason.
    """

    crops: list[MeasuredCrop] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured | None:
        """Return all parts as one; None if no part is given."""
        if not parts:
            return None
        crops = [crop for part in parts for crop in part.crops]
        return cls(crops, sum((part.left_out for part in parts), Counter()))


def measure_error_map(network: nn.Module, manifest: Manifest, reading: Reading) -> Measured | None:
    """Compare the error map of every fake crop that has a mask with the mask, smoothed as in the images.

    Each is compared with the real crop of its original (same dataset and compression) with the nearest frame, over the
    same pixels: crops are cut around the face, so a position shows the same part of the face in both crops.

    Args:
        network: in eval mode, on the reading's device.
        manifest: the crops; all of them can be read. Masks are resized to the network's input by the nearest pixel.
        reading: settings for reading crops.

    Returns:
        The measurements; None if no fake has a mask, or the network has no error map.

    Raises:
        MediaError: a crop is missing or no image.
        DeviceError: the memory of the device is too small for a batch.
        LoadingError: see `load_batches`.
    """
    input_size, batch_size = reading.input_size, reading.batch_size
    groups = _groups(manifest, at_most=max(1, batch_size - 1))  # the real crop completes the batch
    if not groups:
        return None
    largest = max(len(group.fakes) + 1 for group in groups)
    at_once = max(1, batch_size // largest)
    read: ItemReader[int, list[_Loaded]] = ItemReader(_Groups(manifest, groups, input_size), list)
    loader = load_batches(
        read,
        [range(start, min(start + at_once, len(groups))) for start in range(0, len(groups), at_once)],
        workers=reading.workers,
        batch_bytes=at_once * largest * (crop_bytes(input_size) + input_size**2),
    )
    measured = Measured()
    videos = manifest.video_key_column()
    total = sum(len(group.fakes) for group in groups)
    with torch.inference_mode(), progress("localise", total, unit="crops", quiet=reading.quiet) as bar:
        for batch in loader:
            images = [image for group in batch for image in group.images]
            found = _error_maps(network, images, reading)
            if found is None:
                return None
            maps = iter(found)
            for group in batch:
                own = [next(maps) for _ in group.images]
                measured.crops.extend(_measure(group, own, manifest, videos))
                measured.left_out.update(group.left_out)
                bar.advance(len(group.masks) + len(group.left_out))
    return measured


@dataclass(frozen=True)
class _Group:
    """Rows of fakes that are compared with one real crop; None if the original has no real crop."""

    fakes: tuple[int, ...]
    real: int | None


def _groups(manifest: Manifest, *, at_most: int) -> list[_Group]:
    """Return every fake with a mask, in groups of at most `at_most` fakes; a fake without a real crop is one group."""
    columns = ["label", "dataset", "compression", "video", "original", "frame", "mask"]
    rows = manifest.columns.table(columns).to_pylist()
    reals: dict[tuple[str | None, ...], list[int]] = {}
    for number, row in enumerate(rows):
        if row["label"] == Label.REAL and row["video"] is not None:
            reals.setdefault((row["dataset"], row["compression"], row["video"]), []).append(number)
    fakes_of: dict[int, list[int]] = {}
    alone: list[int] = []
    for number, row in enumerate(rows):
        if row["label"] == Label.REAL or row["mask"] is None:
            continue
        frame = row["frame"] or 0
        # a fake's `original` is the `video` of its real; the key matches only within one dataset and compression
        candidates = reals.get((row["dataset"], row["compression"], row["original"]))
        if candidates:
            nearest = min(candidates, key=lambda each: abs((rows[each]["frame"] or 0) - frame))
            fakes_of.setdefault(nearest, []).append(number)
        else:
            alone.append(number)
    # fakes of one real share a group, so that the error map of the real is computed once per group
    compared = [
        _Group(tuple(fakes[start : start + at_most]), real)
        for real, fakes in fakes_of.items()
        for start in range(0, len(fakes), at_most)
    ]
    return compared + [_Group((row,), None) for row in alone]


@dataclass(frozen=True)
class _Loaded:
    """Images of a group.

    Attributes:
        images: (3, S, S) each: the fakes with a usable mask, then the real crop if it exists.
        masks: (S, S) each, of these fakes.
        fakes: row numbers of these fakes.
        real: row number of the real crop.
        left_out: reasons why masks of further fakes are unusable.
    """

    images: list[Tensor]
    masks: list[NDArray[np.bool_]]
    fakes: list[int]
    real: int | None
    left_out: list[str]


class _Groups(Dataset[Any]):
    """The groups of a manifest, decoded in the loader's workers."""

    def __init__(self, manifest: Manifest, groups: Sequence[_Group], input_size: int) -> None:
        self._crops = CropDataset(manifest, transform=FaceTransform(input_size), seed=0, training=False)
        self._groups, self._input_size = groups, input_size
        self._root, self._masks = manifest.root, manifest.columns["mask"]

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> _Loaded:
        group = self._groups[index]
        loaded = _Loaded(images=[], masks=[], fakes=[], real=group.real, left_out=[])
        for row in group.fakes:
            mask = self._mask(row)
            if isinstance(mask, str):
                loaded.left_out.append(mask)
                continue
            loaded.images.append(self._crops[row]["image"])
            loaded.masks.append(mask)
            loaded.fakes.append(row)
        if group.real is not None and loaded.fakes:
            loaded.images.append(self._crops[group.real]["image"])
        return loaded

    def _mask(self, row: int) -> NDArray[np.bool_] | str:
        """Return the row's mask, or the reason why it is unusable."""
        file = self._root / str(self._masks[row])
        try:
            mask = read_forged_pixels(file, (self._input_size, self._input_size))
        except MissingInputError:
            return "mask missing"
        except MediaError as error:
            return f"mask unreadable ({error.reason})"
        if mask.all():
            return ALL_FORGED
        return mask if mask.any() else NOTHING_FORGED


def _error_maps(network: nn.Module, images: Sequence[Tensor], reading: Reading) -> list[FaceMap] | None:
    """Return the map (H, W) of each image (3, H, W), as in the example images; None if the network has no such map."""
    maps: list[FaceMap] = []
    for start in range(0, len(images), reading.batch_size):
        some = images[start : start + reading.batch_size]
        with explain_out_of_memory(reading.device, num_crops=len(some)):
            drawn = forgery_maps(network(torch.stack(list(some)).to(reading.device)), MapKind.ERROR_MAP)
        if drawn is None:
            return None
        maps += drawn
    return maps


def _measure(
    group: _Loaded, maps: Sequence[FaceMap], manifest: Manifest, videos: pa.ChunkedArray
) -> list[MeasuredCrop]:
    """Return the numbers of a group's fakes."""
    paths, methods, names = (manifest.columns[name] for name in ("path", "method", "video"))
    real = group.real
    return [
        MeasuredCrop(
            path=str(paths[row]),
            method=methods[row].as_py(),
            video=str(videos[row]),
            pixel_auc=pixel_auc(error_map, mask),
            iou=iou_at_equal_area(error_map, mask),
            chance_iou=chance_iou(mask),
            mean_error=float(error_map[mask].mean(dtype=np.float64)),
            real_path=None if real is None else str(paths[real]),
            real_video=None if real is None else str(videos[real]),
            real_mean_error=None if real is None else float(maps[-1][mask].mean(dtype=np.float64)),
            names_video=names[row].is_valid,
        )
        for row, mask, error_map in zip(group.fakes, group.masks, maps[: len(group.fakes)], strict=True)
    ]
