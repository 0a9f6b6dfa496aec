"""Contact sheets and the leak audit of pseudo-fakes, on the pairs that a training would see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import PseudoFakeError
from realface.data.degradations.draw import Degradation
from realface.data.leak_audit import LeakReport, audit_pairs
from realface.data.pairs import PairDataset, RealFaces
from realface.data.pseudo_fakes.contract import Image, PseudoFake
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.data.pseudo_fakes.partners import PartnerPool, face_traits
from realface.data.resynthesis_store import StoredRenderings
from realface.faces.mesh import FaceMesh
from realface.media.sheets import Picture, beside, framed, line, resized, stacked

INPUT_SIZE = 224
CELL = 168  # pixels: side of an image in a sheet
AMPLIFICATION = 4
"""Factor of the difference that a sheet shows."""
COLUMNS = ("real", "fake", "mask", f"difference x {AMPLIFICATION}")


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Face crops whose landmarks are known.

    Attributes:
        images: each (H, W, 3) RGB.
        landmarks: each (468, 3), in pixels of its image.
        identities: identity of each face.
        num_without_face: number of crops excluded because the mesh found no face.
        renderings: a re-synthesis of each, for the kind `resynthesis`; None: no re-synthesis.
        num_not_rendered: number of crops excluded because they have no re-synthesis.
    """

    images: Sequence[Image]
    landmarks: Sequence[NDArray[np.float32]]
    identities: Sequence[str]
    num_without_face: int = 0
    renderings: StoredRenderings | None = None
    num_not_rendered: int = 0

    def real_faces(self) -> RealFaces:
        """Return what `PairDataset` takes."""
        traits = [face_traits(image, points) for image, points in zip(self.images, self.landmarks, strict=True)]
        return RealFaces(
            num_faces=len(self.images),
            image=lambda row: self.images[row],
            landmarks=lambda row: self.landmarks[row],
            partners=PartnerPool(np.stack(traits), self.identities),
            stored=None if self.renderings is None else self.renderings.partner,
        )


def find_faces(
    images: Sequence[Image], identities: Sequence[str], renderings: StoredRenderings | None = None
) -> FaceSet:
    """Locate the face mesh in face crops.

    Args:
        images: each (H, W, 3) RGB, a crop of one face.
        identities: identity of each face.
        renderings: a re-synthesis of each crop. Crops without a re-synthesis are excluded.

    Raises:
        PseudoFakeError: no crop shows a face, or none has a re-synthesis.
    """
    rows = list(range(len(images)))
    if renderings is not None:
        rows = np.flatnonzero(renderings.is_there).tolist()
        if not rows:
            raise PseudoFakeError(
                f"{renderings.folder} contains none of {len(images)} crops",
                hint="run `realface resynthesise` on their manifest",
            )
    mesh = FaceMesh.load()
    kept: list[tuple[Image, NDArray[np.float32], str]] = []
    kept_rows = []
    for row in rows:
        found = mesh.landmarks(images[row])
        if found.has_face:
            kept.append((images[row], found.points, identities[row]))
            kept_rows.append(row)
    if not kept:
        raise PseudoFakeError(
            f"none of {len(images)} crops shows a face", hint="give crops of faces with a margin of 0.3 to 1"
        )
    faces, points, names = zip(*kept, strict=True)
    own = None if renderings is None else renderings.take(kept_rows)
    return FaceSet(
        faces,
        points,
        names,
        num_without_face=len(rows) - len(kept),
        renderings=own,
        num_not_rendered=len(images) - len(rows),
    )


def draw_pairs(
    kind: str, faces: RealFaces, count: int, *, seed: int = 0, input_size: int = INPUT_SIZE
) -> tuple[list[PseudoFake], list[Degradation]]:
    """Draw pairs of one kind as a training does, over as many epochs as needed.

    Args:
        kind: name in `KINDS`.
        faces: the real faces.
        count: number of pairs.
        seed: seed of the draws, like the seed of a run.
        input_size: height and width in pixels.

    Returns:
        The pairs before degradation, and the degradation of each.
    """
    dataset = PairDataset(faces, PseudoFakesSection(kinds={kind: 1}), input_size=input_size, seed=seed)
    pairs, degradations = [], []
    for index in range(count):
        epoch, row = divmod(index, len(dataset))
        dataset.set_epoch(epoch)
        pair, degradation = dataset.draw(row)
        pairs.append(pair)
        degradations.append(degradation)
    return pairs, degradations


def audit_kind(kind: str, faces: RealFaces, *, num_pairs: int, seed: int = 0) -> LeakReport:
    """Run the leak audit on the pairs of one kind, with the degradations of a training."""
    pairs, degradations = draw_pairs(kind, faces, num_pairs, seed=seed)
    return audit_pairs(kind, pairs, degradations, seed=seed)


def available_kinds(*, with_stored: bool = False) -> list[str]:
    """Return the kinds that can be made without stored images; `with_stored` adds the kinds that read them."""
    return [name for name, entry in KINDS.items() if with_stored or entry.partner != "stored"]


def contact_sheet(pairs: Sequence[PseudoFake], *, columns: int = 2) -> Picture:
    """Draw pairs as real, fake, mask and amplified difference, with the parameters of each.

    Args:
        pairs: at least one.
        columns: number of pairs side by side.
    """
    strips = [_strip(pair) for pair in pairs]
    width = strips[0].shape[1]
    title = line(f"{pairs[0].kind}: {KINDS[pairs[0].kind].summary}", width=width * columns, size=18)
    heads = beside([line(name, width=CELL, size=14) for name in COLUMNS * columns], gap=0)
    rows = [beside(strips[start : start + columns]) for start in range(0, len(strips), columns)]
    return framed(stacked([title, heads, *rows]))


def _strip(pair: PseudoFake) -> Picture:
    mask = np.repeat(np.round(pair.mask * 255).astype(np.uint8)[..., None], 3, axis=2)
    difference = np.abs(pair.image.astype(np.int16) - pair.real) * AMPLIFICATION
    shown = (pair.real, pair.image, mask, np.clip(difference, 0, 255).astype(np.uint8))
    images = beside([resized(image, height=CELL, width=CELL) for image in shown], gap=0)
    return stacked([images, line(_described(pair.parameters), width=images.shape[1], size=12)], gap=2)


def _described(parameters: Mapping[str, object]) -> str:
    shown = {name: f"{value:.3g}" if type(value) is float else value for name, value in parameters.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())
