"""The kinds of pseudo-fakes by name."""

from __future__ import annotations

from dataclasses import dataclass

from realface.data.pseudo_fakes.contract import Kind, PartnerUse
from realface.data.pseudo_fakes.mouth import mouth
from realface.data.pseudo_fakes.parts import parts
from realface.data.pseudo_fakes.resynthesis import resynthesis
from realface.data.pseudo_fakes.self_blend import self_blend
from realface.data.pseudo_fakes.smoothing import smooth_beauty, smooth_bilateral, smooth_denoise, smooth_resample
from realface.data.pseudo_fakes.swap import swap
from realface.data.pseudo_fakes.video_blend import video_blend


@dataclass(frozen=True)
class KindEntry:
    """Entry of a kind in `KINDS`, for recipes and reports.

    Attributes:
        make: function that makes a pseudo-fake of this kind.
        partner: partner that the kind needs.
        summary: description of the kind in one sentence.
    """

    make: Kind
    partner: PartnerUse
    summary: str


KINDS: dict[str, KindEntry] = {
    "self_blend": KindEntry(self_blend, "none", "two altered copies of one face, blended inside a landmark mask"),
    "swap": KindEntry(swap, "face", "a similar face, aligned, recoloured and blended in"),
    "video_blend": KindEntry(video_blend, "none", "one blend for a clip with a slightly different warp per frame"),
    "parts": KindEntry(parts, "optional", "eyes, brows, nose, mouth or one half from another face or an altered copy"),
    "mouth": KindEntry(mouth, "none", "the mouth opened or closed by a warp and rendered at low resolution"),
    "smooth_bilateral": KindEntry(smooth_bilateral, "none", "the face smoothed by a bilateral filter"),
    "smooth_denoise": KindEntry(smooth_denoise, "none", "the face with small detail removed at two scales"),
    "smooth_resample": KindEntry(smooth_resample, "none", "the face shrunk and enlarged as a decoder does"),
    "smooth_beauty": KindEntry(smooth_beauty, "none", "the skin evened out, with eyes and lips kept"),
    "resynthesis": KindEntry(resynthesis, "stored", "a stored re-synthesis of the crop, blended over the face"),
}
