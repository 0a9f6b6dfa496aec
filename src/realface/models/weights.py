"""Read files of weights and load them into modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from realface.core.errors import ArtifactError
from realface.core.files import existing
from realface.models.pickles import DAMAGE, read_pickle

NAMED_PER_KIND = 20
"""Number of missing, unexpected or misshapen parameters that a message names; it only counts further parameters."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a file, without executing its content.

    Args:
        path: `.safetensors` file, or a state dict saved by `torch.save`.

    Raises:
        MissingInputError: no such file.
        ArtifactError: the file cannot be read (see `read_pickle`), is a damaged `.safetensors` file, or contains other
            values than named tensors.
    """
    content = _read(existing(path, what="weights file"))
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        inner = f"the keys {', '.join(map(str, content))}" if isinstance(content, Mapping) else type(content).__name__
        raise ArtifactError(
            f"{path} must hold tensors by name, a bare state dict, got {inner}", hint="save only the state dict"
        )
    return dict(content)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Set all parameters and buffers of a module.

    Raises:
        ArtifactError: names or shapes differ; all differences are named, after `where`, and of more than
            `NAMED_PER_KIND` of a kind the first and the number. The module is unchanged.
    """
    expected = module.state_dict()
    missing = [f"missing {name}" for name in expected if name not in weights]
    unexpected = [f"unexpected {name}" for name in weights if name not in expected]
    misshapen = [
        f"{name} must have shape {tuple(expected[name].shape)}, got {tuple(weights[name].shape)}"
        for name in expected
        if name in weights and expected[name].shape != weights[name].shape
    ]
    faults = [*_cut(missing, "missing"), *_cut(unexpected, "unexpected"), *_cut(misshapen, "of another shape")]
    if faults:
        raise ArtifactError(f"{where} does not fit {type(module).__name__}: {'; '.join(faults)}")
    module.load_state_dict(weights)


def start_encoder(
    encoder: nn.Module, weights: Mapping[str, Tensor], *, is_classifier: Callable[[str], bool], where: str
) -> None:
    """Set an encoder to pretrained weights, except for its classifier.

    Args:
        encoder: encoder to change in place.
        weights: tensors of the whole pretrained network.
        is_classifier: (name) -> whether a parameter belongs to a classifier: ignored in the weights, and kept in the
            encoder.
        where: name of the weights in errors.

    Raises:
        ArtifactError: the weights do not fit, see `load_weights`.
    """
    # old files have no batch counters; the counters only matter for norms without momentum
    kept = {
        name: value
        for name, value in encoder.state_dict().items()
        if is_classifier(name) or name.endswith("num_batches_tracked")
    }
    used = {name: value for name, value in weights.items() if not is_classifier(name)}
    load_weights(encoder, {**kept, **used}, where=where)


def _cut(faults: Sequence[str], kind: str) -> list[str]:
    """Return the first faults, and one text with the number of further faults."""
    rest = len(faults) - NAMED_PER_KIND
    return [*faults[:NAMED_PER_KIND], *([f"{rest} more {kind}"] if rest > 0 else [])]


def _read(path: Path) -> Any:
    if path.suffix != ".safetensors":
        return read_pickle(path)
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, *DAMAGE) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(
            f"{path} is damaged or no safetensors file ({reason})", hint="copy or download it again"
        ) from error
