"""What RECCE asks of an encoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Encoder(Protocol):
    """A backbone in four parts, because RECCE branches off after the first and steps in after the next two.

    Attributes:
        embedding_width: channels E of the embedding and of what follows, up to the last part.
        feature_width: channels F of the last part's result.
    """

    embedding_width: int
    feature_width: int

    def embed(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), as `encoder_mean` and `encoder_std` make it -> the embedding (B, E, h, w), h about H / 16."""

    def to_reasoning(self, embedding: Tensor) -> Tensor:
        """(B, E, h, w) -> (B, E, h, w), to which the graph reasoning's result is added."""

    def to_attention(self, reasoned: Tensor) -> Tensor:
        """(B, E, h, w) -> (B, E, h, w), which the reconstruction's error then weighs."""

    def to_features(self, attended: Tensor) -> Tensor:
        """(B, E, h, w) -> (B, F, about h / 2, about w / 2), from which the face is classified."""
