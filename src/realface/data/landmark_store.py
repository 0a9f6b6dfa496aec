"""Dense landmarks of face crops on disk: one Parquet file next to a manifest or in a run folder.

A row belongs to a crop's file by its SHA-256, so a store stays valid when manifests are joined, split or moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from realface.core.errors import ManifestError
from realface.core.files import written_atomically

FILE_NAME = "landmarks.parquet"
FORMAT = b"1"
"""Raised when landmarks or traits are computed differently, so that old files are not used."""
SCHEMA = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("points", pa.binary()),
        pa.field("traits", pa.binary()),
        pa.field("is_mesh", pa.bool_(), nullable=False),
    ],
    metadata={b"realface.landmarks": FORMAT},
)


@dataclass(frozen=True, eq=False)
class StoredFace:
    """The landmarks of one crop.

    Attributes:
        points: (468, 2) float16, x and y as shares of the crop's width and height, 0 = outer edge of the first pixel;
            about 0.1 pixels exact in a crop of 256. None if no face was found.
        traits: (F,) float32 of `face_traits`, with which partners of swaps are chosen; None without `points`.
        is_mesh: whether the points come from the face mesh. Otherwise they are a mean face fitted to the five landmarks
            of the face detector.
    """

    points: NDArray[np.float16] | None
    traits: NDArray[np.float32] | None
    is_mesh: bool = True


def read_landmarks(path: Path) -> dict[str, StoredFace]:
    """Read a store.

    Args:
        path: file of the store; a missing file counts as an empty store.

    Returns:
        The face of each crop, by the SHA-256 of its file; empty for a file of another format.

    Raises:
        ManifestError: the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ManifestError(f"{path} is damaged ({error})", hint="remove it, and it is made again") from error
    if not table.schema.equals(SCHEMA, check_metadata=True):
        return {}
    columns = (table.column(name).to_pylist() for name in SCHEMA.names)
    return {key: _face(points, traits, is_mesh) for key, points, traits, is_mesh in zip(*columns, strict=True)}


def write_landmarks(path: Path, faces: Mapping[str, StoredFace], *, order: Iterable[str]) -> None:
    """Write a store atomically. The same faces in the same order give the same bytes.

    Args:
        path: file to write.
        faces: face of each crop, by the SHA-256 of its file.
        order: keys in the order of the file; repeated keys and keys without a face are skipped.
    """
    keys = [key for key in dict.fromkeys(order) if key in faces]
    chosen = [faces[key] for key in keys]
    table = pa.table(
        [
            pa.array(keys, pa.string()),
            pa.array([_bytes(face.points, "<f2") for face in chosen], pa.binary()),
            pa.array([_bytes(face.traits, "<f4") for face in chosen], pa.binary()),
            pa.array([face.is_mesh for face in chosen], pa.bool_()),
        ],
        schema=SCHEMA,
    )
    with written_atomically(path) as partial:
        pq.write_table(table, partial, compression="zstd", use_dictionary=False, write_statistics=False)


def _face(points: bytes | None, traits: bytes | None, is_mesh: bool) -> StoredFace:
    if points is None or traits is None:
        return StoredFace(None, None, is_mesh)
    return StoredFace(np.frombuffer(points, "<f2").reshape(-1, 2), np.frombuffer(traits, "<f4"), is_mesh)


def _bytes(array: NDArray[np.floating] | None, kind: str) -> bytes | None:
    return None if array is None else np.ascontiguousarray(array, dtype=kind).tobytes()
