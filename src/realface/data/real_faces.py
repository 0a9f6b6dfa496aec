"""The real faces of a manifest as pairs need them: images, landmarks, identities and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realface.data.crop_store import crop_keys
from realface.data.dataset import CropFiles
from realface.data.landmark_store import StoredFace
from realface.data.pairs import RealFaces
from realface.data.pseudo_fakes.contract import Image
from realface.data.pseudo_fakes.partners import PartnerPool
from realface.data.resynthesis_store import ResynthesisStore
from realface.data.sampler import link_fakes
from realface.manifest.manifest import Manifest


@dataclass(frozen=True, eq=False)
class FaceRows:
    """The real faces of a manifest whose landmarks are known.

    Attributes:
        rows: (faces,) row of each face in the manifest.
        identities: (faces,) `dataset/identity`: the first of the manifest's `identities`, else the video, else the
            file. Many frames of one video are one identity.
        sources: (faces,) the manifest's `dataset`; an empty text for null.
        real_faces: argument of `PairDataset`.
        num_without_landmarks: number of rows excluded because they have no landmarks.
        num_not_rendered: number of faces missing in the store of re-synthesised faces; 0 without such a store.
        with_fakes: indices of the faces that real fakes were made from, ascending.
    """

    rows: NDArray[np.int64]
    identities: list[str]
    sources: list[str]
    real_faces: RealFaces
    num_without_landmarks: int
    num_not_rendered: int = 0
    with_fakes: Sequence[int] = ()

    @property
    def has_partners(self) -> bool:
        """True if a swap can find another identity."""
        return self.real_faces.partners is not None


def face_rows(
    manifest: Manifest,
    faces: Mapping[str, StoredFace],
    resynthesised: ResynthesisStore | None = None,
    fakes: Manifest | None = None,
) -> FaceRows:
    """Join a manifest's reals with their stored landmarks.

    Args:
        manifest: manifest of real faces.
        faces: result of `read_landmarks`.
        resynthesised: renderings of the faces, for the kind `resynthesis`.
        fakes: real fakes; fakes whose `original` is a video of `manifest` are used.
    """
    nothing = StoredFace(None, None)
    keys = crop_keys(manifest)
    stored = [faces.get(key, nothing) for key in keys]
    rows = np.array([row for row, face in enumerate(stored) if face.points is not None], np.int64)
    points = np.array([stored[row].points for row in rows], np.float16)
    traits = np.array([stored[row].traits for row in rows], np.float32)
    sources, identities = _sources(manifest), _identities(manifest)
    own_identities = [identities[row] for row in rows]
    reader = _Reader(CropFiles(manifest), rows, points)
    real_fakes = None if fakes is None else _RealFakes(manifest, fakes, rows)
    renderings = None if resynthesised is None else resynthesised.faces([keys[row] for row in rows])
    has_others = len(set(own_identities)) > 1
    return FaceRows(
        rows=rows,
        identities=own_identities,
        sources=[sources[row] for row in rows],
        real_faces=RealFaces(
            num_faces=len(rows),
            image=reader.image,
            landmarks=reader.landmarks,
            partners=PartnerPool(traits, own_identities) if has_others else None,
            stored=None if renderings is None else renderings.partner,
            fake=None if real_fakes is None else real_fakes.draw,
        ),
        num_without_landmarks=len(stored) - len(rows),
        num_not_rendered=0 if renderings is None else renderings.num_missing,
        with_fakes=[] if real_fakes is None else real_fakes.faces,
    )


class _RealFakes:
    """Reads a fake that was made from the video of a face.

    Args:
        reals: manifest of the faces.
        fakes: manifest of the fakes.
        rows: (faces,) number of each face in `reals`.
    """

    def __init__(self, reals: Manifest, fakes: Manifest, rows: NDArray[np.int64]) -> None:
        self._files = CropFiles(fakes)
        links = link_fakes(Manifest.concatenate([reals, fakes]))
        fakes_of: dict[int, list[int]] = {}
        for fake, first, count in zip(links.fakes, links.first, links.count, strict=True):
            for real in links.reals[first : first + count]:
                fakes_of.setdefault(int(real), []).append(int(fake) - len(reals))
        self._fakes_of = {face: fakes_of[row] for face, row in enumerate(rows.tolist()) if row in fakes_of}
        self.faces = sorted(self._fakes_of)

    def draw(self, face: int, generator: np.random.Generator) -> Image | None:
        """Return the crop of a fake of this face, (H, W, 3) RGB, or None if no fake was made from it."""
        own = self._fakes_of.get(face)
        return None if own is None else self._files.read(own[int(generator.integers(len(own)))])


class _Reader:
    """Reads a face's crop and gives its landmarks in the crop's pixels."""

    def __init__(self, files: CropFiles, rows: NDArray[np.int64], points: NDArray[np.float16]) -> None:
        self._files, self._rows, self._points = files, rows, points
        self._sizes: dict[int, tuple[int, int]] = {}

    def image(self, face: int) -> Image:
        """Return the crop, (H, W, 3) RGB."""
        image = self._files.read(int(self._rows[face]))
        self._sizes[face] = (image.shape[0], image.shape[1])
        return image

    def landmarks(self, face: int) -> NDArray[np.float32]:
        """Return (468, 2) in pixels of the crop."""
        height, width = self._sizes.get(face) or self.image(face).shape[:2]
        return np.asarray(self._points[face].astype(np.float32) * (width, height) - 0.5, dtype=np.float32)


def _sources(manifest: Manifest) -> list[str]:
    return [name or "" for name in manifest.column("dataset")]


def _identities(manifest: Manifest) -> list[str]:
    """Return `dataset/identity` of each row; the video or file replaces an unknown identity."""
    listed, videos = manifest.column("identities"), manifest.video_keys()
    return [
        f"{source}/{people[0]}" if people else f"{source}//{video}"
        for source, people, video in zip(_sources(manifest), listed, videos, strict=True)
    ]
