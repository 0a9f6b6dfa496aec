"""Real faces and their pseudo-fakes side by side, for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from realface.data.degradations.draw import Degradation, draw_degradations
from realface.data.pseudo_fakes.contract import Image, Landmarks, Partner, PseudoFake
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakeMixture, PseudoFakesSection
from realface.data.pseudo_fakes.partners import PartnerPool

REAL_FAKE = "real_fake"
"""Kind of a pair whose fake comes from the manifest."""

FALLBACK_KIND = "self_blend"
"""Kind to make if a drawn kind needs a partner and the face has no partner."""

RENDERED_SHARE = 0.4
"""Share of swaps that paste the partner's stored re-synthesis, if it exists, instead of its crop. Ours."""

MAX_SHIFT = 0.075
"""Largest distance of a window's center from the crop's, as a share of the crop's side: the face stays in view."""

_PAIRS, _RESIZE = 1, 1  # spawn keys: pairs draw other numbers than the crops of a `CropDataset` with the same seed


class PairItem(TypedDict):
    """A real face and a fake made from it.

    Keys:
        real: (3, S, S) float32 in [0, 1].
        fake: (3, S, S) float32 in [0, 1], with the same window, mirroring and degradations as `real`.
        mask: (1, S, S) float32 in [0, 1], the share of pasted content in `fake` before degradation; -1 everywhere: not
            known.
        kind: name of the kind of fake.
        row: number of the real face, from 0.
    """

    real: Tensor
    fake: Tensor
    mask: Tensor
    kind: str
    row: int


@dataclass(frozen=True)
class RealFaces:
    """Sources of pairs: real faces, and images made from them.

    Attributes:
        num_faces: number of real faces.
        image: row -> (H, W, 3) RGB, a square crop.
        landmarks: row -> (5, 2) or (468, 2 or 3) in pixels of that crop.
        partners: index of similar faces for swaps; None disables partners.
        stored: row and (height, width, ...) of its crop -> a re-synthesis of the crop in that size, or None; for the
            kind `resynthesis`, and for some partners of swaps. None without a store.
        fake: row and generator -> (H, W, 3) RGB, the crop of a real fake that was made from the same video, or None.
            None without real fakes.
    """

    num_faces: int
    image: Callable[[int], Image]
    landmarks: Callable[[int], Landmarks]
    partners: PartnerPool | None = None
    stored: Callable[[int, tuple[int, ...]], Partner | None] | None = None
    fake: Callable[[int, np.random.Generator], Image | None] | None = None


@dataclass(frozen=True)
class _Window:
    """Square window of a crop: left and upper pixel, side in pixels, and the method of shrinking."""

    x: int
    y: int
    side: int
    averages: bool = True

    def cut(self, image: Image, size: int) -> Image:
        """Return the square, resized to `size`."""
        interpolation = cv2.INTER_AREA if self.averages and self.side > size else cv2.INTER_LINEAR
        part = image[self.y : self.y + self.side, self.x : self.x + self.side]
        return np.asarray(cv2.resize(part, (size, size), interpolation=interpolation), dtype=np.uint8)

    def partner(self, stored: Partner, size: int) -> Partner:
        """Return the square of a stored re-synthesis, resized to `size`."""
        share = stored.share
        if share is not None:
            part = share[self.y : self.y + self.side, self.x : self.x + self.side]
            share = np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        return Partner(self.cut(stored.image, size), share=share)

    def place(self, landmarks: Landmarks, size: int) -> NDArray[np.float32]:
        """Return the landmarks in pixels of the resized square."""
        scale = size / self.side
        points = np.asarray(landmarks, dtype=np.float32)[:, :2]
        return np.asarray((points - (self.x, self.y) + 0.5) * scale - 0.5, dtype=np.float32)


class PairDataset(Dataset[PairItem]):
    """One pair per real face and epoch.

    Everything random follows from (seed, epoch, row), so neither from the worker that makes a pair nor from the order.

    Args:
        faces: the real faces.
        section: kinds, window, mirroring and degradations.
        input_size: height and width of the result, in pixels.
        seed: the run's seed, >= 0.
        real_fakes: probability that a face with real fakes is paired with one of them instead of a pseudo-fake.
    """

    def __init__(
        self, faces: RealFaces, section: PseudoFakesSection, *, input_size: int, seed: int, real_fakes: float = 0.0
    ) -> None:
        self._faces = faces
        self._real_fakes = real_fakes
        self._section = section
        self._size = input_size
        self._seed = seed
        self._epoch = 0
        self._mixture = PseudoFakeMixture(section.kinds, min_change=section.min_change)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, >= 0. Workers have copies of the dataset: set it before they start."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._faces.num_faces

    def __getitem__(self, row: int) -> PairItem:
        """Make the pair of one real face."""
        pair, degradation = self.draw(row)
        return PairItem(
            real=_as_tensor(degradation(pair.real)),
            fake=_as_tensor(degradation(pair.image)),
            mask=torch.from_numpy(pair.mask)[None],
            kind=pair.kind,
            row=row,
        )

    def draw(self, row: int) -> tuple[PseudoFake, Degradation]:
        """Return the pair of one real face before degradation, cropped and mirrored, and its degradation."""
        entropy = np.random.SeedSequence((self._seed, self._epoch, row), spawn_key=(_PAIRS,))
        generator = np.random.default_rng(entropy)
        resize = np.random.SeedSequence((self._seed, self._epoch, row), spawn_key=(_PAIRS, _RESIZE))
        # `detect` shrinks crops without averaging: a detector must not learn the resulting aliasing as a trace of fakes
        averages = bool(np.random.default_rng(resize).random() < self._section.averaged)
        pair = self._pair(row, generator, averages)
        if generator.random() < self._section.flip:
            image, real, mask = pair.image[:, ::-1].copy(), pair.real[:, ::-1].copy(), pair.mask[:, ::-1].copy()
            pair = replace(pair, image=image, real=real, mask=mask)
        if self._section.degradations is None:
            return pair, Degradation()
        return pair, draw_degradations(self._section.degradations, generator)

    def _pair(self, row: int, generator: np.random.Generator, averages: bool) -> PseudoFake:
        image = self._faces.image(row)
        window = replace(self._window(image, generator), averages=averages)
        if self._faces.fake is not None and self._real_fakes > 0:
            generator, of_fake = generator.spawn(2)
            if of_fake.random() < self._real_fakes and (fake := self._faces.fake(row, of_fake)) is not None:
                return self._real_pair(image, fake, window)
        kind = self._mixture.draw_kind(generator)
        partner_generator = np.random.default_rng(int(generator.integers(2**63)))
        partner = self._partner(kind, row, window, image.shape, partner_generator)
        if partner is None and KINDS[kind].partner in ("face", "stored"):
            kind = FALLBACK_KIND
        landmarks = window.place(self._faces.landmarks(row), self._size)
        return self._mixture.make(kind, window.cut(image, self._size), landmarks, generator, partner)

    def _real_pair(self, image: Image, fake: Image, window: _Window) -> PseudoFake:
        """Return a real and a fake of the same video with one window; the mask of the fake is unknown."""
        height, width = image.shape[:2]
        if fake.shape != image.shape:
            fake = np.asarray(cv2.resize(fake, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        mask = np.full((self._size, self._size), -1, dtype=np.float32)
        return PseudoFake(window.cut(fake, self._size), window.cut(image, self._size), mask, REAL_FAKE, {})

    def _window(self, image: Image, generator: np.random.Generator) -> _Window:
        height, width = image.shape[:2]
        share, right, down = generator.uniform(*self._section.window), generator.random(), generator.random()
        side = max(1, round(share * min(height, width)))
        x, y = _offset(width, side, right), _offset(height, side, down)
        return _Window(x=x, y=y, side=side)

    def _partner(
        self, kind: str, row: int, window: _Window, shape: tuple[int, ...], generator: np.random.Generator
    ) -> Partner | None:
        use = KINDS[kind].partner
        if use == "stored" and self._faces.stored is not None:
            stored = self._faces.stored(row, shape)
            return None if stored is None else window.partner(stored, self._size)
        if use in ("face", "optional") and self._faces.partners is not None:
            other = self._faces.partners.choose(row, generator)
            return None if other is None else self._other_face(other, generator, may_be_rendered=use == "face")
        return None

    def _other_face(self, other: int, generator: np.random.Generator, *, may_be_rendered: bool) -> Partner:
        """Another face: its crop, or its re-synthesis as a face-swap autoencoder would have rendered it."""
        image, landmarks = self._faces.image(other), self._faces.landmarks(other)
        if may_be_rendered and self._faces.stored is not None and generator.random() < RENDERED_SHARE:
            rendered = self._faces.stored(other, image.shape)
            if rendered is not None:
                return replace(rendered, landmarks=landmarks)
        return Partner(image, landmarks)


def _offset(length: int, side: int, position: float) -> int:
    """Return the first pixel of a window: anywhere in the crop, but a small one stays near the middle."""
    free = min(length - side, 2 * MAX_SHIFT * length)
    return round((length - side - free) / 2 + position * free)


def _as_tensor(image: Image) -> Tensor:
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1))
    return torch.from_numpy(channels_first).to(torch.float32) / 255
