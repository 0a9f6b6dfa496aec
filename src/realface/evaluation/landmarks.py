"""Compute the dense landmarks of every crop of a manifest once, for trainings on pseudo-fakes to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from realface.core.boxes import Box
from realface.core.errors import CropSpecError
from realface.core.progress import progress
from realface.data.crop_store import crop_keys
from realface.data.dataset import CropFiles
from realface.data.landmark_store import StoredFace, read_landmarks, write_landmarks
from realface.data.loading import ItemReader, load_batches
from realface.data.pseudo_fakes.partners import face_traits
from realface.data.pseudo_fakes.points import dense_points
from realface.faces.cropper import crop_matrix
from realface.faces.detectors.face_detector import Face, as_landmarks
from realface.faces.mesh import FaceMesh
from realface.manifest.manifest import Manifest

BATCH_SIZE = 16
SAVE_EVERY = 2000
"""Smallest number of crops between writes of the file. The interval grows to a tenth of the stored crops."""


@dataclass(frozen=True)
class LocatedLandmarks:
    """The result of computing landmarks.

    Attributes:
        file: the store.
        num_crops: different crops of the manifest.
        num_computed: crops whose landmarks were computed now.
        num_five: crops with the five landmarks of the face detector only.
        num_without_face: crops without any landmarks.
    """

    file: Path
    num_crops: int
    num_computed: int
    num_five: int
    num_without_face: int


def store_landmarks(
    manifest: Manifest, file: Path, *, known: Sequence[Path] = (), workers: int = 0, quiet: bool = False
) -> LocatedLandmarks:
    """Compute the landmarks of all crops that a store does not have yet.

    The face mesh is used if it finds a face. For all further crops a mean face is fitted to the five landmarks of the
    manifest, if their position in the crop is known. An interrupted run continues, and the final file is the same.

    Args:
        manifest: the crops.
        file: the store; a new file, or the file of an earlier run.
        known: other stores whose landmarks are reused.
        workers: number of processes that compute; 0: the calling process does it.
        quiet: show no progress.

    Raises:
        ManifestError: a store is damaged.
        MediaError: a crop cannot be read.
        LoadingError: worker processes cannot start, or one failed.
    """
    keys = crop_keys(manifest)
    faces = {key: face for path in known for key, face in read_landmarks(path).items()}
    faces |= (stored := read_landmarks(file))
    # reversed, so that each key keeps its first row: equal crops are computed once
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    todo = [row for key, row in sorted(first.items(), key=lambda item: item[1]) if key not in faces]
    batches = [todo[start : start + BATCH_SIZE] for start in range(0, len(todo), BATCH_SIZE)]
    read: ItemReader[int, list[StoredFace]] = ItemReader(_Locator(manifest), list)
    num_unsaved = 0
    with progress("landmarks", len(first), unit="crops", quiet=quiet or not todo, done=len(first) - len(todo)) as bar:
        found = load_batches(read, batches, workers=workers, batch_bytes=1) if todo else ()
        for rows, located in zip(batches, found, strict=True):
            faces |= {keys[row]: face for row, face in zip(rows, located, strict=True)}
            num_unsaved += len(rows)
            # the interval grows with the store, because each save writes the whole file
            if num_unsaved >= max(SAVE_EVERY, len(faces) // 10):
                write_landmarks(file, faces, order=keys)
                num_unsaved = 0
            bar.advance(len(rows))
    if stored.keys() != set(first):
        write_landmarks(file, faces, order=keys)
    own = [faces[key] for key in first]
    num_without = sum(face.points is None for face in own)
    return LocatedLandmarks(
        file, len(first), len(todo), sum(not face.is_mesh for face in own) - num_without, num_without
    )


class _Locator(Dataset[StoredFace]):
    """Locates the landmarks of a row's crop."""

    def __init__(self, manifest: Manifest) -> None:
        self._files = CropFiles(manifest)
        self._spec = manifest.header.crop
        self._boxes, self._points = manifest.columns["box"], manifest.columns["landmarks"]
        self._mesh: FaceMesh | None = None  # loaded on first use: a worker cannot inherit it

    def __getitem__(self, row: int) -> StoredFace:
        if self._mesh is None:
            self._mesh = FaceMesh.load()
        image = self._files.read(row)
        mesh = self._mesh.landmarks(image)
        points = mesh.points[:, :2] if mesh.has_face else self._dense_from_five(row)
        if points is None:
            return StoredFace(None, None, is_mesh=False)
        height, width = image.shape[:2]
        shares = ((points + 0.5) / (width, height)).astype(np.float16)
        return StoredFace(shares, face_traits(image, points).astype(np.float32), is_mesh=mesh.has_face)

    def _dense_from_five(self, row: int) -> NDArray[np.float32] | None:
        """Fit a mean face to the manifest's five landmarks; None if they or the crop's place are unknown.

        With edge `inside` the place depends on the size of the image, which manifests do not have.
        """
        box, five = self._boxes[row].as_py(), self._points[row].as_py()
        if self._spec.is_unknown or self._spec.edge == "inside" or box is None or five is None:
            return None
        landmarks = as_landmarks(np.array(five))
        try:
            matrix = crop_matrix(Face(Box(*box), score=1.0, landmarks=landmarks), self._spec, ())
        except CropSpecError:  # all in one place
            return None
        return np.asarray(dense_points(landmarks @ matrix[:, :2].T + matrix[:, 2]), dtype=np.float32)
