"""HDR frames made from SDR images whose white is at 203 cd/m2, the level of ITU-R BT.2408.

Source: IEC 61966-2-1 (sRGB), ITU-R BT.2087 (BT.709 to BT.2020), BT.2100 (PQ, HLG with its OOTF for
1,000 cd/m2, and Y'CbCr in 10 bits).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WHITE = 203.0  # cd/m2
_BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_LUMA = np.array([0.2627, 0.6780, 0.0593])


def hdr_planes(image: NDArray[np.uint8], *, transfer: str) -> NDArray[np.uint16]:
    """Return the planes of an RGB image in yuv420p10le, limited range, joined to one row.

    Args:
        image: (H, W, 3) RGB with even sides.
        transfer: "pq" or "hlg".
    """
    value = image / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = linear @ _BT709_TO_BT2020.T * _WHITE
    signal = _pq(light) if transfer == "pq" else _hlg(light)
    luma = signal @ _LUMA
    blue = (signal[..., 2] - luma) / 1.8814
    red = (signal[..., 0] - luma) / 1.4746
    planes = [64 + 876 * luma, 512 + 896 * _halved(blue), 512 + 896 * _halved(red)]
    return np.concatenate([np.rint(plane).astype("<u2").ravel() for plane in planes])


def _pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (light / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def _hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    shown = light / 1000
    scene_luma = np.maximum(shown @ _LUMA, 1e-9) ** (1 / 1.2)
    scene = shown * scene_luma[..., None] ** (1 - 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
