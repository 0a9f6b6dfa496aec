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
"""Input size that the weights were trained with, in pixels; 224 for WildDeepfake. Source: paper, 4.1."""
NUMBERS = ("step", "best_step", "best_metric", "eval_metric")
"""Keys of the validation results in the release's checkpoints."""
UNUSED = "encoder.fc."
"""Prefix of ImageNet's classifier, which the release's checkpoints contain and do not use."""


def read_recce(file: Path, *, input_size: int = INPUT_SIZE, crop: CropSpec | None = None) -> tuple[Recce, ArtifactCard]:
    """Return the network of RECCE's weights as the authors' code saved them, and the card of its artifact.

    Args:
        file: the release's checkpoint, or a state dict, bare or inside mappings such as {"state_dict": ..}; written by
            torch, or `.safetensors`. Names can have a common prefix, such as `module.`.
        input_size: height and width of the faces in training, in pixels.
        crop: crop settings of the faces in training; unknown by default.

    Returns:
        The network in eval mode, and the card.

    Raises:
        MissingInputError: no such file.
        RecipeError: invalid input size.
        ArtifactError: the file cannot be read without executing it, or does not contain RECCE's weights as plain,
            finite numbers; the message lists missing names, unknown names and wrong shapes, and shortens long lists.
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
