"""HDR video (PQ and HLG, BT.2020) as the SDR image (BT.709) that detectors are trained on."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from realface.media.frames import HdrTransfer

TRANSFERS: dict[int, HdrTransfer] = {16: "pq", 18: "hlg"}
"""By FFmpeg's number of the transfer function (ITU-T H.273, table 3)."""

REFERENCE_WHITE = 203.0
"""Luminance of a white sheet of paper in an HDR image, in cd/m2. Source: ITU-R BT.2408, 2.2."""

_HLG_PEAK = 1000.0  # cd/m2; BT.2100, table 5: the nominal peak of an HLG display, for which its gamma is 1.2
_HLG_GAMMA = 1.2
# Linear light of BT.2020 to BT.709. Source: ITU-R BT.2087, inverse of its matrix M2.
_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)  # BT.2020
_KNEE = 0.8  # linear light, 1 = reference white; darker colours keep their values, brighter colours are compressed
_SDR_STEPS = 4096  # of the table from linear light to SDR values: below half a step of 8 bits from 0.0003 on


def sdr_from_hdr(image: NDArray[np.uint16], transfer: HdrTransfer) -> NDArray[np.uint8]:
    """Convert an HDR image to SDR.

    Reference white becomes SDR white, colours outside BT.709 are clipped, and highlights are compressed smoothly.

    Args:
        image: (H, W, 3) RGB with BT.2020 primaries, non-linear, full range of 16 bits.
        transfer: its transfer function.

    Returns:
        (H, W, 3) uint8 RGB, BT.709 primaries.

    Source: ITU-R BT.2100 (PQ and HLG), BT.2087 (primaries), BT.2408 (reference white).
    """
    light = np.take(_linear_light(transfer), image)
    if transfer == "hlg":
        scene = np.maximum(light @ _LUMINANCE, 1e-6)[..., None]
        light = light * scene ** (_HLG_GAMMA - 1) * (_HLG_PEAK / REFERENCE_WHITE)
    light = np.clip(light @ _TO_BT709.T, 0, None)
    light = np.where(light > _KNEE, _KNEE + (1 - _KNEE) * np.tanh((light - _KNEE) / (1 - _KNEE)), light)
    # the table is uniform in the square root of light, since SDR values change fastest in dark colours
    steps = np.rint(np.sqrt(light) * (_SDR_STEPS - 1)).astype(np.uint16)
    return np.asarray(np.take(_sdr_values(), steps), dtype=np.uint8)


@cache
def _linear_light(transfer: HdrTransfer) -> NDArray[np.float32]:
    """Return (65536,) linear light of each 16-bit value: 1 = reference white for PQ, nominal peak for HLG."""
    value = np.arange(65536) / 65535
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = value ** (1 / m2)
        light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / REFERENCE_WHITE
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _sdr_values() -> NDArray[np.uint8]:
    """Return (_SDR_STEPS,) 8-bit values by the square root of linear light. Source: IEC 61966-2-1 (sRGB)."""
    light = np.linspace(0, 1, _SDR_STEPS) ** 2
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(value * 255), dtype=np.uint8)
