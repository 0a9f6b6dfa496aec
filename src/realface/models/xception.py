"""The paper's Xception, and a light one of the same blocks."""

from __future__ import annotations

from timm.models.xception import Block, SeparableConv2d, Xception
from torch import Tensor, nn


class LegacyXception(Xception):
    """timm's `legacy_xception` without its classifier; the parameters keep their names.

    Source: paper, 4.1; the four parts as in the release.
    """

    embedding_width = 728
    feature_width = 2048

    def __init__(self) -> None:
        super().__init__(num_classes=0)

    def embed(self, image: Tensor) -> Tensor:
        """Return (B, 728, H/16, W/16) from images (B, 3, H, W): both stem convolutions and blocks 1 to 4."""
        x = self.act1(self.bn1(self.conv1(image)))
        x = self.act2(self.bn2(self.conv2(x)))
        embedding: Tensor = self.block4(self.block3(self.block2(self.block1(x))))
        return embedding

    def to_reasoning(self, embedding: Tensor) -> Tensor:
        """Return (B, 728, H/16, W/16), after blocks 5 to 7."""
        feature: Tensor = self.block7(self.block6(self.block5(embedding)))
        return feature

    def to_attention(self, reasoned: Tensor) -> Tensor:
        """Return (B, 728, H/16, W/16), after block 8."""
        feature: Tensor = self.block8(reasoned)
        return feature

    def to_features(self, attended: Tensor) -> Tensor:
        """Return (B, 2048, H/32, W/32), after blocks 9 to 12 and the two last convolutions."""
        x = self.block12(self.block11(self.block10(self.block9(attended))))
        x = self.act3(self.bn3(self.conv3(x)))
        feature: Tensor = self.act4(self.bn4(self.conv4(x)))
        return feature


class LightXception(nn.Module):
    """Xception's blocks, narrower and fewer, with the same strides.

    A small Xception spends most of its time in its first blocks, where the maps are large. So this network has one stem
    convolution instead of two, few channels before the embedding, and more channels after it.
    """

    embedding_width = 192
    feature_width = 512

    def __init__(self) -> None:
        super().__init__()
        width = self.embedding_width
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        self.entry = nn.Sequential(
            Block(16, 32, 2, 2, start_with_relu=False),
            Block(32, 64, 2, 2),
            Block(64, width, 2, 2),
            Block(width, width, 2),
        )
        self.before_reasoning = nn.Sequential(Block(width, width, 2), Block(width, width, 2))
        self.before_attention = Block(width, width, 2)
        self.exit = nn.Sequential(
            Block(width, width, 2),
            Block(width, 256, 2, 2, grow_first=False),
            SeparableConv2d(256, self.feature_width, 3, 1, 1),
            nn.BatchNorm2d(self.feature_width),
            nn.ReLU(inplace=True),
        )

    def embed(self, image: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16) from images (B, 3, H, W): the stem and four blocks, three with stride 2."""
        embedding: Tensor = self.entry(self.stem(image))
        return embedding

    def to_reasoning(self, embedding: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16), after two blocks."""
        feature: Tensor = self.before_reasoning(embedding)
        return feature

    def to_attention(self, reasoned: Tensor) -> Tensor:
        """Return (B, C, H/16, W/16), after one block."""
        feature: Tensor = self.before_attention(reasoned)
        return feature

    def to_features(self, attended: Tensor) -> Tensor:
        """Return (B, C, H/32, W/32), after two blocks, the second with stride 2, and a last convolution."""
        feature: Tensor = self.exit(attended)
        return feature
