"""The interface of a kind of pseudo-fake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from realface.core.errors import PseudoFakeError

Image = NDArray[np.uint8]
Landmarks = NDArray[np.floating]
Mask = NDArray[np.float32]
Parameter = float | str | bool
PartnerUse = Literal["none", "optional", "face", "stored"]
"""Partner of a kind: no partner, an optional other face, another face, or a stored image of the same face."""

MIN_SHARE = 1 / 255
"""Mask values below this change no pixel by more than rounding and are set to 0."""


@dataclass(frozen=True, eq=False)
class Partner:
    """A second image for a pseudo-fake.

    Attributes:
        image: (H, W, 3) RGB: another face of any size, as its crop or re-synthesised, or a stored version of the same
            crop in its size.
        landmarks: (5, 2) or (468, 2 or 3) in pixels of `image`; None where the partner is the same crop.
        share: (H, W) in [0, 1], how much of a re-synthesis may be used at each pixel; None: all of `image`.
    """

    image: Image
    landmarks: Landmarks | None = None
    share: Mask | None = None


@dataclass(frozen=True, eq=False)
class PseudoFake:
    """A fake, the real image of its pair and the mask of the changed pixels.

    Attributes:
        image: (H, W, 3) RGB, the fake.
        real: (H, W, 3) RGB, the real image of the pair. It equals `image` exactly at every pixel with mask 0. Kinds
            that alter the surroundings alter the real image instead, so that no cue outside the mask separates the
            images of a pair.
        mask: (H, W) float32 in [0, 1], the share of the pasted content; 0 outside.
        kind: name of the kind.
        parameters: random choices by name, for records and contact sheets.
    """

    image: Image
    real: Image
    mask: Mask
    kind: str
    parameters: Mapping[str, Parameter]


class Kind(Protocol):
    """Makes a pseudo-fake. Everything random comes from the generator, in relation to the face's size and place."""

    def __call__(
        self, image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
    ) -> PseudoFake:
        """Make a fake from a real face.

        Args:
            image: (H, W, 3) RGB, a crop with one face; not modified.
            landmarks: (5, 2) as in `Face`, or (468, 2 or 3) of the face mesh, in pixels of `image`.
            generator: source of everything random. The number of draws does not depend on the pixels.
            partner: another face or a stored image; see `PartnerUse`.

        Raises:
            PseudoFakeError: the landmarks have another shape, or a required partner is missing.
        """


def require_partner(partner: Partner | None, kind: str) -> Partner:
    """Return the partner.

    Raises:
        PseudoFakeError: it is None.
    """
    if partner is None:
        raise PseudoFakeError(f"pseudo-fake {kind} needs a partner", hint="give another face or the stored image")
    return partner


def require_partner_landmarks(partner: Partner, kind: str) -> Landmarks:
    """Return the partner's landmarks.

    Raises:
        PseudoFakeError: the partner is without landmarks.
    """
    if partner.landmarks is None:
        raise PseudoFakeError(f"pseudo-fake {kind} needs the landmarks of its partner", hint="give 5 or 468 points")
    return partner.landmarks
