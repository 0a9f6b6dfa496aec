"""A generated manifest of any length, with all columns filled as by `realface prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from realface.core.crop_spec import CropSpec
from realface.manifest.columns import Columns
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.manifest.schema import SCHEMA

FRAMES = 32
"""Rows per video."""
STEP = 9
"""Difference between the numbers of successive frames."""
FRAMES_PER_S = 30.0
PEOPLE = 9973
DATASETS = ("FaceForensics++", "Celeb-DF-v2", "DFDC")
METHODS = ("Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
COMPRESSIONS = ("c23", "c40")
SPLITS = ("train",) * 8 + ("val", "test")
COORDINATES = {"box": 4, "landmarks": 10}
DIGEST_BYTES = 32
LONGEST_SIDE = 1920.0


def write_long_manifest(path: Path, num_rows: int) -> int:
    """Write a manifest whose crops do not exist. It is the same every time. Every second video is a fake with masks.

    Returns:
        The number of videos.
    """
    videos = pa.Table.from_pylist([_video(number) for number in range(-(-num_rows // FRAMES))])
    generator = np.random.default_rng(0)
    video_of_row = np.arange(num_rows) // FRAMES
    rows = videos.take(pa.array(video_of_row))
    frame = (np.arange(num_rows) % FRAMES * STEP).astype(np.int32)
    names = pa.array([f"{number:06d}.png" for number in range(FRAMES * STEP)]).take(pa.array(frame))
    masks = pc.binary_join_element_wise("masks", rows["folder"], names, "/")
    columns = {name: rows[name] for name in SCHEMA.names if name in videos.column_names}
    columns |= {
        "path": pc.binary_join_element_wise("crops", rows["folder"], names, "/"),
        "frame": pa.array(frame),
        "time_s": pa.array(frame / FRAMES_PER_S),
        "track": pa.array(np.zeros(num_rows, np.int32)),
        "mask": pc.if_else(pc.equal(rows["label"], 1), masks, pa.scalar(None, pa.string())),
        "sha256": _digests(generator, num_rows),
    }
    for name, length in COORDINATES.items():
        offsets = pa.array(np.arange(num_rows + 1, dtype=np.int32) * length)
        columns[name] = pa.ListArray.from_arrays(offsets, generator.uniform(0, LONGEST_SIDE, num_rows * length))
    table = pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)
    digests = _digests(generator, len(videos)).to_pylist()
    header = ManifestHeader(
        crop=CropSpec(),
        sources=dict(zip(videos["source"].to_pylist(), digests, strict=True)),
        skipped={"no face": len(videos) // 100},
    )
    Manifest(Columns.of(table), header, path.parent).write(path)
    return len(videos)


def _video(number: int) -> dict[str, Any]:
    """Return the values that all rows of a video share. Each original is followed by its fake."""
    pair, is_fake = divmod(number, 2)
    target, source = f"{pair % PEOPLE:05d}", f"{(7 * pair + 1) % PEOPLE:05d}"
    real = f"{target}_{pair:06d}"
    video = f"{target}_{source}_{pair:06d}" if is_fake else real
    method = METHODS[pair % len(METHODS)] if is_fake else None
    dataset, compression = DATASETS[pair % len(DATASETS)], COMPRESSIONS[pair % len(COMPRESSIONS)]
    split = SPLITS[pair % PEOPLE % len(SPLITS)]
    kind = f"manipulated_sequences/{method}" if is_fake else "original_sequences/youtube"
    return {
        "label": is_fake,
        "dataset": dataset,
        "split": split,
        "method": method,
        "compression": compression,
        "video": video,
        "identities": [target, source] if is_fake else [target],
        "source": f"{dataset}/{kind}/{compression}/videos/{video}.mp4",
        "original": real if is_fake else None,
        "folder": f"{dataset}/{split}/{method or 'real'}/{compression}/{video}.mp4",
    }


def _digests(generator: np.random.Generator, count: int) -> pa.StringArray:
    """Return random hashes of 64 hexadecimal digits."""
    digits = generator.bytes(count * DIGEST_BYTES).hex().encode()
    offsets: NDArray[np.int32] = np.arange(count + 1, dtype=np.int32) * 2 * DIGEST_BYTES
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(digits))
