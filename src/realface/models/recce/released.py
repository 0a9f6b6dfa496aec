"""Read RECCE's released checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.provenance import collect_provenance
from realface.core.recipe import check_recipe
from realface.models.checkpoints import LICENCE, Checkpoint
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.weights import load_weights

INPUT_SIZE = 299
"""What the weights were trained with, WildDeepfake's excepted (224). Source: paper, 4.1."""
NUMBERS = ("step", "best_step", "best_metric", "eval_metric")
"""What the release's checkpoints say of the validation."""
UNUSED = "encoder.fc."
"""ImageNet's classifier, which is in the release's checkpoints and which nothing uses."""


def read_recce(file: Path, *, input_size: int = INPUT_SIZE, crop: CropSpec | None = None) -> tuple[Recce, ArtifactCard]:
    """Return the network of RECCE's weights as the authors' code saved them, and the card of its artifact.

    Args:
        file: the release's checkpoint, a bare state dict, or one inside mappings such as {"state_dict": ..}; written by
            torch, or `.safetensors`. Names may share a prefix, such as `module.`.
        input_size: height and width that faces had in training, in pixels.
        crop: how they had been cut out; unknown by default.

    Returns:
        The network in eval mode, and the card.

    Raises:
        MissingInputError: no such file.
        RecipeError: an input size that the network cannot take.
        ArtifactError: the file cannot be read without executing it, or does not hold RECCE's weights as plain, finite
            numbers; all names that are missing, unknown or of a wrong shape are given, long lists cut with their
            counts.
    """
    with torch.device("meta"):  # for its names only
        known = Recce(RecceConfig()).state_dict()
    checkpoint = Checkpoint.read(file).without_prefix(known).without(UNUSED)
    config = check_recipe(
        RecceConfig, {"input_size": input_size, "num_classes": _num_classes(checkpoint)}, where="importing RECCE"
    )
    with torch.random.fork_rng(devices=[]):  # the initial values are thrown away
        network = Recce(config)
    # checkpoints without batch counters are as good: only norms without momentum use them
    counters = {name: count for name, count in network.state_dict().items() if name.endswith("num_batches_tracked")}
    checkpoint.require_numbers()
    load_weights(network, counters | checkpoint.tensors, where=checkpoint.where)
    return network.eval(), _card(checkpoint, config, crop or CropSpec.unknown())


def _card(checkpoint: Checkpoint, config: RecceConfig, crop: CropSpec) -> ArtifactCard:
    return ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=crop,
        threshold=0.5,
        threshold_rule="RECCE's inference: fake from 0.5 up",
        trained_on=[checkpoint.origin("file")],
        metrics=checkpoint.said(NUMBERS),
        licence=LICENCE,
        purpose="research",
        provenance=collect_provenance(),
    )


def _num_classes(checkpoint: Checkpoint) -> int:
    classifier = checkpoint.tensors.get("fc.weight")
    return 2 if classifier is not None and classifier.ndim == 2 and len(classifier) == 2 else 1
