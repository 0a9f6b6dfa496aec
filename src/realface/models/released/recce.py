"""RECCE's released checkpoints into artifacts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError
from realface.core.files import require_free, sha256_of
from realface.core.provenance import collect_provenance
from realface.core.recipe import check_recipe
from realface.models.artifact import ArtifactCard, read_card, save_artifact
from realface.models.pickles import read_pickle
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.weights import load_weights, read_weights

INPUT_SIZE = 299
"""What the weights were trained with, WildDeepfake's excepted (224). Source: paper, 4.1."""
WRAPPERS = ("model", "state_dict", "model_state_dict", "network", "net")
"""Where checkpoints keep the state dict; `model` is the release's."""
NUMBERS = ("step", "best_step", "best_metric", "eval_metric")
"""What the release's checkpoints say of the validation."""
UNUSED = "encoder.fc."
"""ImageNet's classifier, which is in the release's checkpoints and which nothing uses."""


def import_recce(file: Path, out: Path, *, input_size: int = INPUT_SIZE, crop: CropSpec | None = None) -> ArtifactCard:
    """Make an artifact of RECCE's weights as the authors' code saved them.

    Args:
        file: the release's checkpoint, a bare state dict, or one inside mappings such as {"state_dict": ..}; written by
            torch, or `.safetensors`. Names may share a prefix, such as `module.`.
        out: a new or empty folder.
        input_size: height and width that faces had in training, in pixels.
        crop: how they had been cut out; external, which is unknown, by default.

    Returns:
        What the artifact says of itself.

    Raises:
        MissingInputError: no such file.
        OutputExistsError: `out` is taken.
        RecipeError: an input size that the network cannot take.
        ArtifactError: the file cannot be read without executing it, or does not hold RECCE's weights as plain, finite
            numbers; all names that are missing, unknown or of a wrong shape are given, long lists cut with their
            counts.
    """
    require_free(out)
    checkpoint = read_weights(file) if file.suffix == ".safetensors" else read_pickle(file)
    with torch.device("meta"):  # for its names only
        known = Recce(RecceConfig()).state_dict()
    weights, prefix = _without_prefix(_state_dict_in(checkpoint, where=str(file)), known)
    config = check_recipe(
        RecceConfig, {"input_size": input_size, "num_classes": _num_classes(weights)}, where="importing RECCE"
    )
    with torch.random.fork_rng(devices=[]):  # the initial values are thrown away
        network = Recce(config)
    # checkpoints without batch counters are as good: only norms without momentum use them
    counters = {name: count for name, count in network.state_dict().items() if name.endswith("num_batches_tracked")}
    used = {name: tensor for name, tensor in weights.items() if not name.startswith(UNUSED)}
    _require_numbers(used, where=str(file))
    load_weights(network, counters | used, where=f"{file} (names without {prefix!r})" if prefix else str(file))
    save_artifact(out, network, _card(file, config, crop or CropSpec.external(), checkpoint))
    return read_card(out)


def _card(file: Path, config: RecceConfig, crop: CropSpec, checkpoint: Mapping[str, Any]) -> ArtifactCard:
    numbers = {name: _plain(checkpoint[name]) for name in NUMBERS if name in checkpoint}
    return ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=crop,
        threshold=0.5,
        threshold_rule="RECCE's inference: fake from 0.5 up",
        trained_on=[
            {
                "name": file.name,
                "sha256": sha256_of(file),
                "note": "the imported file; it does not say its training set",
            }
        ],
        metrics={name: number for name, number in numbers.items() if number is not None},
        licence="as of the released weights",
        purpose="research",
        provenance=collect_provenance(),
    )


def _state_dict_in(checkpoint: Any, *, where: str) -> dict[str, Tensor]:
    """The checkpoint itself, or what stands in it under a usual name, however often wrapped."""
    content = checkpoint
    seen: list[int] = []  # a pickle can hold itself
    while isinstance(content, Mapping) and id(content) not in seen:
        seen.append(id(content))
        content = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), content)
    holds = isinstance(content, Mapping) and len(content) > 0
    kind = "an empty state dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    if not holds or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        got = f"the keys {', '.join(sorted(map(str, content))[:12])}" if holds else kind
        raise ArtifactError(
            f"{where} must hold tensors by name, alone or under {', '.join(WRAPPERS)}, got {got}; "
            "save the network's state dict"
        )
    return {str(name): tensor for name, tensor in content.items()}


def _without_prefix(weights: Mapping[str, Tensor], known: Container[str]) -> tuple[dict[str, Tensor], str]:
    """The weights without the prefix under which most of the known names stand, and the prefix.

    A name without that prefix says so, so that it is among the unknown ones and hides no other.
    """
    counts = Counter(name.removesuffix(inner) for name in weights for inner in _inner_names(name) if inner in known)
    prefix = counts.most_common(1)[0][0] if counts else ""
    renamed = {
        name.removeprefix(prefix) if name.startswith(prefix) else f"{name} (outside {prefix!r})": tensor
        for name, tensor in weights.items()
    }
    return renamed, prefix


def _inner_names(name: str) -> Iterator[str]:
    """`a.b.c` -> `a.b.c`, `b.c`, `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def _num_classes(weights: Mapping[str, Tensor]) -> int:
    classifier = weights.get("fc.weight")
    return 2 if classifier is not None and classifier.ndim == 2 and len(classifier) == 2 else 1


def _require_numbers(weights: Mapping[str, Tensor], *, where: str) -> None:
    broken = [name for name, tensor in weights.items() if not _holds_numbers(tensor)]
    if broken:
        raise ArtifactError(
            f"{where} has tensors without plain, finite numbers, {len(broken)} in all, the first is {broken[0]}; "
            "take the checkpoint of another step, saved in float32"
        )


def _holds_numbers(tensor: Tensor) -> bool:
    is_plain = tensor.layout is torch.strided and not (tensor.is_meta or tensor.is_complex())
    return is_plain and bool(tensor.isfinite().all())


def _plain(value: Any) -> str | int | float | None:
    """A number or text that JSON can hold; None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int) else None
