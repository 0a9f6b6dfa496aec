"""The interface that RECCE requires of an encoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Encoder(Protocol):
    """A backbone in four parts: RECCE uses the map after the first part and changes the maps after the next two parts.

    Attributes:
        embedding_width: number of channels E of the embedding and of all maps up to the last part.
        feature_width: number of channels F of the last part's result.
    """

    embedding_width: int
    feature_width: int

    def embed(self, image: Tensor) -> Tensor:
        """Return the embedding (B, E, h, w), h about H / 16, of normalised images (B, 3, H, W)."""

    def to_reasoning(self, embedding: Tensor) -> Tensor:
        """Return the map (B, E, h, w) that gets the result of the graph reasoning, from the embedding (B, E, h, w)."""

    def to_attention(self, reasoned: Tensor) -> Tensor:
        """Return the map (B, E, h, w) that the attention weighs by the reconstruction error, from (B, E, h, w)."""

    def to_features(self, attended: Tensor) -> Tensor:
        """Return the features (B, F, about h / 2, about w / 2) for the classifier, from (B, E, h, w)."""
