"""A network of timm as RECCE's encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import timm
from torch import Tensor, nn

from realface.models.recce.encoders.families import Family, timm_encoders

# Of Xception's nine blocks of its last width at stride 16 the embedding comes after the second, the reasoning steps in
# after the fifth, the attention after the sixth. Source: release.
XCEPTION_CUTS = (2, 5, 6)
XCEPTION_BLOCKS = 9


class TimmEncoder(nn.Module):
    """A convolutional network of timm, split at the same relative depths as Xception in the paper.

    The blocks of the last width at stride 16 are split. In a network with few such blocks some parts are empty, so that
    reasoning and attention are closer together. Parameters keep timm's names; the classifier and all other modules
    after the pooling are removed.

    Args:
        name: a key of `timm_encoders()`, optionally followed by `.` and the tag of its weights.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        family = timm_encoders()[name.partition(".")[0]]
        backbone: Any = timm.create_model(name, num_classes=0)
        at_stride_16 = next(feature for feature in backbone.feature_info if feature["reduction"] == 16)
        self.embedding_width = int(at_stride_16["num_chs"])
        self.feature_width = int(backbone.num_features)
        # names, not modules: who replaces a norm, as SyncBatchNorm's conversion does, replaces it here too
        self._parts = cut(list(steps_of(backbone, family)), stage=at_stride_16["module"])
        for part in self._parts:
            for step in part:
                _adopt(self, step, backbone.get_submodule(step))

    def embed(self, image: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16) from images (B, 3, H, W), after the first blocks of the last width at stride 16."""
        return self._run(0, image)

    def to_reasoning(self, embedding: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16), after 5/9 of the blocks of the last width at stride 16."""
        return self._run(1, embedding)

    def to_attention(self, reasoned: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16), after 6/9 of the blocks of the last width at stride 16."""
        return self._run(2, reasoned)

    def to_features(self, attended: Tensor) -> Tensor:
        """Return (B, C, H/32, W/32), after the remaining blocks at stride 16 and the stages at stride 32."""
        return self._run(3, attended)

    def _run(self, part: int, feature: Tensor) -> Tensor:
        for step in self._parts[part]:
            feature = self.get_submodule(step)(feature)
        return feature


def steps_of(backbone: nn.Module, family: Family) -> Iterator[str]:
    """Yield the names of the submodules that process the image in sequence, up to the pooling."""
    stages = family.stages
    if len(stages) == 1:
        stages = tuple(f"{stages[0]}.{name}" for name, _ in backbone.get_submodule(stages[0]).named_children())
    yield from family.stem
    for stage in stages:
        for name, child in backbone.get_submodule(stage).named_children():
            if name == "blocks":  # next to the stage's downsampling
                yield from (f"{stage}.blocks.{block}" for block, _ in child.named_children())
            else:
                yield f"{stage}.{name}"
    yield from family.tail


def cut(steps: Sequence[str], *, stage: str) -> tuple[Sequence[str], ...]:
    """Return the steps in four parts: up to the embedding, the reasoning, the attention and the features.

    Args:
        steps: result of `steps_of`.
        stage: name of the stage to split.
    """
    blocks = [
        place for place, step in enumerate(steps) if step.startswith(f"{stage}.") and not step.endswith(".downsample")
    ]
    ends = [blocks[0] + max(1, round(len(blocks) * end / XCEPTION_BLOCKS)) for end in XCEPTION_CUTS]
    return tuple(steps[start:end] for start, end in zip([0, *ends], [*ends, len(steps)], strict=True))


def _adopt(owner: nn.Module, name: str, module: nn.Module) -> None:
    """Set `owner.name`; `name` can contain dots, and missing parent modules are created."""
    *path, last = name.split(".")
    for part in path:
        if not hasattr(owner, part):
            owner.add_module(part, nn.Module())
        owner = owner.get_submodule(part)
    owner.add_module(last, module)
