"""Faces that a network has rendered once, by the SHA-256 of their crops, on disk.

A store is a folder: `header.json` describes the networks that rendered the faces, `faces.bin` contains the images as
concatenated PNG files, and `faces.parquet` contains the offset, the length and the position in the crop of each image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from realface.core.errors import ResynthesisStoreError
from realface.core.files import folder_written_atomically, require_free, write_json
from realface.core.recipe import Section
from realface.data.crop_store import HEADER_NAME, CropStore, read_header
from realface.data.pseudo_fakes.contract import Image, Partner
from realface.data.pseudo_fakes.face_frame import pasted_face
from realface.media.images import encoded_image

ROLE = "re-synthesis"
"""Role of the network in the artifact's `trained_on`."""
IMAGES_NAME, INDEX_NAME = "faces.bin", "faces.parquet"
SCHEMA = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("frame", pa.list_(pa.float32(), 6), nullable=False),
        pa.field("network", pa.string(), nullable=False),
    ]
)


class ResynthesisHeader(Section):
    """Settings with which the faces of a store were rendered."""

    format: Literal[1] = Field(1, description="version of the store's format")
    network: str = Field(description="kind of network")
    side: int = Field(gt=0, description="height and width of the images, in pixels")
    weights: str = Field("", description="SHA-256 of the weights of all networks; empty: not recorded")
    settings: dict[str, Any] = Field({}, description="of the network and its training")


@dataclass(frozen=True, eq=False)
class RenderedFace:
    """The rendering of one crop.

    Attributes:
        image: (S, S, 3) RGB, the face in its frame.
        frame: (2, 3), the map from pixels of the crop to pixels of `image`.
        network: name of the network that rendered it.
    """

    image: Image
    frame: NDArray[np.floating]
    network: str


def write_store(folder: Path, header: ResynthesisHeader, faces: Iterable[tuple[str, RenderedFace]]) -> int:
    """Write a store; it appears under its name once all faces are written.

    Args:
        folder: new or empty folder.
        header: description of the networks and their settings.
        faces: SHA-256 of each crop's file, and its face.

    Returns:
        The number of faces.

    Raises:
        OutputExistsError: the folder is not empty.
    """
    require_free(folder)
    rows: list[tuple[str, int, int, list[float], str]] = []
    with folder_written_atomically(folder) as partial:
        with (partial / IMAGES_NAME).open("wb") as images:
            for key, face in faces:
                content = encoded_image(face.image)
                rows.append((key, images.tell(), len(content), face.frame.ravel().tolist(), face.network))
                images.write(content)
        columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(SCHEMA)]
        pq.write_table(pa.table(columns, schema=SCHEMA), partial / INDEX_NAME, compression="zstd")
        write_json(partial / HEADER_NAME, header.model_dump(mode="json"))
    return len(rows)


class ResynthesisStore(CropStore[int]):
    """An open store.

    Args:
        folder: folder written by `write_store`.

    Raises:
        MissingInputError: the folder does not exist.
        ResynthesisStoreError: the folder is not such a store, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.header = _read_header(folder)
        try:
            table = pq.read_table(folder / INDEX_NAME).cast(SCHEMA)
            size = (folder / IMAGES_NAME).stat().st_size
        except (OSError, pa.ArrowException, ValueError) as error:  # ValueError: the columns have other names
            raise ResynthesisStoreError(f"{folder} is damaged ({error})", hint=_AGAIN) from error
        offsets, lengths = (table.column(name).to_numpy() for name in ("offset", "length"))
        if len(table) and size != int((offsets + lengths).max()):
            raise ResynthesisStoreError(f"{folder / IMAGES_NAME} is not whole", hint=_AGAIN)
        self._places = np.column_stack([offsets, lengths])
        self._frames = np.array(table.column("frame").to_pylist(), np.float64).reshape(-1, 2, 3)
        self._entries = {key: row for row, key in enumerate(table.column("sha256").to_pylist())}

    @property
    def origin(self) -> dict[str, Any]:
        """Entry of the store in an artifact's `trained_on`: role, name, sha256 of the weights, settings."""
        weights = {"sha256": self.header.weights} if self.header.weights else {}
        named = f"{self.header.network} that rendered real faces for pseudo-fakes"
        return {"role": ROLE, "name": named, **weights, **self.header.settings}

    def faces(self, keys: Sequence[str]) -> StoredRenderings:
        """Return the faces of some crops.

        Args:
            keys: SHA-256 of each crop's file; crops that the store does not contain have no face.
        """
        rows = np.array([self._entries.get(key, -1) for key in keys], np.int64)
        known = np.maximum(rows, 0)
        if not len(self._entries):
            return StoredRenderings(
                self.folder, rows >= 0, np.zeros((len(rows), 2), np.int64), np.zeros((len(rows), 2, 3))
            )
        return StoredRenderings(self.folder, rows >= 0, self._places[known], self._frames[known])


@dataclass(frozen=True, eq=False)
class StoredRenderings:
    """The renderings of some crops, read from disk when they are needed.

    Attributes:
        folder: folder of the store.
        is_there: (N,) bool, whether the store contains the face.
        places: (N, 2) int64, offset and length in bytes.
        frames: (N, 2, 3), from pixels of the crop to pixels of the image.
    """

    folder: Path
    is_there: NDArray[np.bool_]
    places: NDArray[np.int64]
    frames: NDArray[np.float64]

    @property
    def num_missing(self) -> int:
        """The number of crops without a face."""
        return int((~self.is_there).sum())

    def take(self, rows: Sequence[int]) -> StoredRenderings:
        """Return the renderings of some of the crops, in that order."""
        chosen = np.asarray(rows, np.int64)
        return StoredRenderings(self.folder, self.is_there[chosen], self.places[chosen], self.frames[chosen])

    def face(self, row: int) -> Image | None:
        """Return the face in its frame, (S, S, 3) RGB, or None if the store does not contain it.

        Raises:
            ResynthesisStoreError: the store has vanished or is damaged.
        """
        if not self.is_there[row]:
            return None
        offset, length = self.places[row].tolist()
        try:
            with (self.folder / IMAGES_NAME).open("rb") as images:
                images.seek(offset)
                content = images.read(length)
        except FileNotFoundError as error:
            raise ResynthesisStoreError(f"{self.folder / IMAGES_NAME} has vanished", hint=_AGAIN) from error
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if bgr is None:
            raise ResynthesisStoreError(f"{self.folder / IMAGES_NAME}: no image at byte {offset}", hint=_AGAIN)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def partner(self, row: int, shape: tuple[int, ...]) -> Partner | None:
        """Return the rendering at its position in the crop, or None if the store does not contain it.

        Args:
            row: number of the crop, from 0.
            shape: (height, width, ...) of the crop.
        """
        face = self.face(row)
        if face is None:
            return None
        image, share = pasted_face(face, self.frames[row], shape)
        return Partner(image, share=share)


_AGAIN = "make it again with `realface resynthesise`"


def _read_header(folder: Path) -> ResynthesisHeader:
    return read_header(
        folder,
        ResynthesisHeader,
        what="re-synthesised faces",
        command="realface resynthesise",
        error=ResynthesisStoreError,
    )
