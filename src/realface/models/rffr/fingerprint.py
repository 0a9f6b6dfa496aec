"""What an MAE is, in one hash: the same wherever the MAE stands, in its own artifact or inside a detector's."""

from __future__ import annotations

import hashlib

from realface.models.rffr.mae import MaskedAutoencoder


def fingerprint(mae: MaskedAutoencoder) -> str:
    """SHA-256 of the range of images that an MAE works on, and of its weights: names, types, shapes and bytes."""
    digest = hashlib.sha256(f"{mae.config.pixel_mean} {mae.config.pixel_std}\n".encode())
    for name, tensor in sorted(mae.state_dict().items()):
        values = tensor.cpu().contiguous().numpy()
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
