"""What a prior is, in one hash: the same wherever the prior stands, in its own artifact or inside a detector's."""

from __future__ import annotations

import hashlib

from torch import nn


def fingerprint(mae: nn.Module) -> str:
    """SHA-256 of the names, types, shapes and bytes of all parameters and buffers, by name.

    The mean and spread of the images that the prior works on are among the buffers.
    """
    digest = hashlib.sha256()
    tensors = {**dict(mae.named_parameters()), **dict(mae.named_buffers())}
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
