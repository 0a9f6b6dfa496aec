"""Single parts of a face, from another face or from an altered copy: eyes, brows, nose, mouth, one half.

Source: ours. Editing and reenactment change parts only, and a detector that expects whole faces misses them.
"""

from __future__ import annotations

import numpy as np

from realface.data.pseudo_fakes.alterations import SOFTER_SHARES, altered_colour, altered_detail
from realface.data.pseudo_fakes.blending import alpha_blend, poisson_blend, smallest_share, transfer_colour
from realface.data.pseudo_fakes.contract import Image, Landmarks, Mask, Parameter, Partner, PseudoFake
from realface.data.pseudo_fakes.points import Points, dense_points
from realface.data.pseudo_fakes.regions import MaskSettings, draw_mask, draw_region, plain_mask
from realface.data.pseudo_fakes.self_blend import misplaced
from realface.data.pseudo_fakes.swap import aligned_donor

NAME = "parts"
REGION_SHARES = {"eyes": 0.3, "mouth": 0.25, "nose": 0.2, "half": 0.2, "brows": 0.05}
PARTNER_SHARE = 0.65
"""Share of samples with a partner in which the part comes from the partner."""
POISSON_SHARE = 0.15
COLOUR_STRENGTH = 0.5
"""Of an altered copy: a small part in another colour would be seen at once."""
MASK = MaskSettings(vertex=0.004, softness=(0.02, 0.1), hard_share=0.05)


def parts(
    image: Image, landmarks: Landmarks, generator: np.random.Generator, partner: Partner | None = None
) -> PseudoFake:
    """Replace one part of a face; see `Kind`. Without a partner, the part comes from an altered copy."""
    points = dense_points(landmarks)
    from_partner = bool(generator.random() < PARTNER_SHARE) and partner is not None
    donor_seed, copy_seed = (int(seed) for seed in generator.integers(2**32, size=2))
    region = draw_region(generator, REGION_SHARES)
    mask = draw_mask(region, points, image.shape, generator, MASK)
    is_poisson = bool(generator.random() < POISSON_SHARE)
    if from_partner and partner is not None:
        donor = aligned_donor(partner, points, image.shape, np.random.default_rng(donor_seed), kind=NAME)
        source = transfer_colour(donor.image, image, _surroundings(mask, points), 1.0)
        mask = smallest_share(mask, donor.valid)
    else:
        source = _altered_copy(image, points, np.random.default_rng(copy_seed))
    if is_poisson:
        fake, mask = poisson_blend(source, image, mask)
    else:
        fake = alpha_blend(source, image, mask)
    parameters: dict[str, Parameter] = {
        "region": region,
        "from_partner": from_partner,
        "blend": "poisson" if is_poisson else "alpha",
    }
    return PseudoFake(fake, image, mask, NAME, parameters)


def _altered_copy(image: Image, points: Points, generator: np.random.Generator) -> Image:
    copy = altered_colour(image, generator, strength=COLOUR_STRENGTH)
    copy, _ = altered_detail(copy, generator, SOFTER_SHARES)
    return misplaced(copy, points, generator, strength=1.3)


def _surroundings(mask: Mask, points: Points) -> Mask:
    """Return where colours are compared: the part itself and the middle of the face around it."""
    center = points.mean(axis=0)
    middle = (center + (points[list(_MIDDLE)] - center) * np.float32(0.9)).astype(np.float32)
    return np.maximum(plain_mask([middle], mask.shape), mask)


_MIDDLE = (70, 300, 352, 288, 152, 58, 123)  # brows' ends, cheeks, jaw and chin, as a polygon
