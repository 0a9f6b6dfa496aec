"""The masked autoencoder: sees some patches of a face and predicts the hidden patches.

Parameters have the names of MAE's public release, so the checkpoints of MAE and RFFR fit.

Source: MAE, arXiv 2111.06377; RFFR, arXiv 2303.08439.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2.functional import normalize  # type: ignore[import-untyped]

from realface.models.inputs import require_size
from realface.models.method import InferenceSettings
from realface.models.preparation import prepare_linears
from realface.models.rffr.config import MaeConfig

TOKEN_STD = 0.02
"""Standard deviation of the initial class and mask tokens. Source: MAE."""
LayerNorm = partial(nn.LayerNorm, eps=1e-6)


class MaskedAutoencoder(nn.Module):
    """An encoder for the visible patches, and a decoder for all patches.

    Args:
        config: sizes of the network, the images and the patches.
    """

    pos_embed: Tensor
    decoder_pos_embed: Tensor

    def __init__(self, config: MaeConfig) -> None:
        super().__init__()
        self.config = config
        size, side = SIZES[config.size], config.grid_side
        self.patch_embed = PatchEmbed(config.input_size, config.patch_size, 3, size.width)
        self.cls_token = nn.Parameter(torch.empty(1, 1, size.width))
        self.register_buffer("pos_embed", position_table(size.width, side))
        self.blocks = _blocks(size.width, size.depth, size.num_heads)
        self.norm = LayerNorm(size.width)
        self.decoder_embed = nn.Linear(size.width, size.decoder_width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, size.decoder_width))
        self.register_buffer("decoder_pos_embed", position_table(size.decoder_width, side))
        self.decoder_blocks = _blocks(size.decoder_width, size.decoder_depth, size.decoder_num_heads)
        self.decoder_norm = LayerNorm(size.decoder_width)
        self.decoder_pred = nn.Linear(size.decoder_width, 3 * config.patch_size**2)
        self._initialise()

    @property
    def num_patches(self) -> int:
        """Number of patches of an image."""
        return self.config.grid_side**2

    def embed(self, image: Tensor) -> Tensor:
        """Return the tokens (B, N, W) of all patches, with positions, of images (B, 3, S, S) in [0, 1]."""
        require_size(image, method="MAE of RFFR", size=self.config.input_size)
        tokens: Tensor = self.patch_embed(self.to_range(image))
        return tokens + self.pos_embed[:, 1:]

    def predict(self, tokens: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Predict the hidden patches from the visible patches.

        Args:
            tokens: result of `embed`, (B, N, W).
            visible: patches that the encoder sees, (B, V) int64.
            hidden: patches to predict, (B, M) int64.

        Returns:
            (B, M, P), P = 3 x patch side squared, ordered (row, column, RGB), in the MAE's range of pixels.
        """
        seen = tokens.gather(1, visible[..., None].expand(-1, -1, tokens.shape[2]))
        cls_token = (self.cls_token + self.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        latent = torch.cat([cls_token, seen], dim=1)
        for block in self.blocks:
            latent = block(latent)
        return self._decode(self.decoder_embed(self.norm(latent)), visible, hidden)

    def _decode(self, latent: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Decode with the hidden tokens last: attention does not depend on the order of tokens."""
        places = self.decoder_pos_embed[0]
        shown = latent + torch.cat([places[:1].expand(len(latent), 1, -1), places[1 + visible]], dim=1)
        masked = self.mask_token + places[1 + hidden]
        tokens = torch.cat([shown, masked.to(shown.dtype)], dim=1)
        *earlier, last = cast("Iterable[Block]", self.decoder_blocks)
        for block in earlier:
            tokens = block(tokens)
        tokens = last_tokens(last, tokens, count=hidden.shape[1])
        prediction: Tensor = self.decoder_pred(self.decoder_norm(tokens))
        return prediction

    def to_patches(self, image: Tensor) -> Tensor:
        """Return the pixels of each patch, ordered (row, column, RGB): (B, 3, S, S) -> (B, N, P)."""
        side, patch = self.config.grid_side, self.config.patch_size
        squares = image.reshape(len(image), 3, side, patch, side, patch)
        return squares.permute(0, 2, 4, 3, 5, 1).reshape(len(image), side**2, -1)

    def to_image(self, patches: Tensor) -> Tensor:
        """Return images from patches: (B, N, P) -> (B, 3, S, S), the inverse of `to_patches`."""
        side, patch = self.config.grid_side, self.config.patch_size
        squares = patches.reshape(len(patches), side, side, patch, patch, 3)
        return squares.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), 3, side * patch, side * patch)

    def to_range(self, image: Tensor) -> Tensor:
        """Convert images (B, 3, S, S) in [0, 1] to the MAE's range of pixels."""
        normed: Tensor = normalize(image, list(self.config.pixel_mean), list(self.config.pixel_std))
        return normed

    def pixel_range(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the standard deviation and the mean (P,) that convert predicted patches to the range [0, 1].

        They are not buffers, because a network in float64 would contain rounded values.

        Args:
            like: tensor with the data type and device of the result, any shape.
        """
        count = self.config.patch_size**2
        std, mean = (like.new_tensor(part * count) for part in (self.config.pixel_std, self.config.pixel_mean))
        return std, mean

    def _initialise(self) -> None:
        """Set initial weights: Xavier uniform for linear layers and the patch projection; biases 0. Source: MAE."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.cls_token, std=TOKEN_STD)
        nn.init.normal_(self.mask_token, std=TOKEN_STD)


def last_tokens(block: Block, tokens: Tensor, *, count: int) -> Tensor:
    """Return the output of a timm block for the last tokens (B, count, W) only.

    The last tokens attend to all tokens (B, T, W). The output for earlier tokens is not computed.
    """
    attention: Any = block.attn
    normed = block.norm1(tokens)
    query, key, value = attention.qkv(normed).chunk(3, dim=2)  # the unused queries cost 0.2 %
    query, width = query[:, -count:], tokens.shape[2]
    shape = (len(tokens), -1, attention.num_heads, width // attention.num_heads)
    query, key, value = (part.reshape(shape).transpose(1, 2) for part in (query, key, value))
    attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    kept: Tensor = tokens[:, -count:] + attention.proj(attended)
    result: Tensor = kept + block.mlp(block.norm2(kept))
    return result


def _blocks(width: int, depth: int, num_heads: int) -> nn.ModuleList:
    return nn.ModuleList(
        Block(width, num_heads, mlp_ratio=MLP_RATIO, qkv_bias=True, norm_layer=cast("type[nn.Module]", LayerNorm))
        for _ in range(depth)
    )


PERIOD = 10_000.0
"""Longest wavelength, in patches, over 2 pi."""


def position_table(width: int, grid_side: int) -> Tensor:
    """Return the position table: sines and cosines of column and row, for the class token and each patch.

    Args:
        width: D, a multiple of 4.
        grid_side: number of patches per side.

    Returns:
        (1, 1 + patches, D) float32. The class token's row is 0. In a patch's row the first half describes the column,
        the second half the row; each half contains sines, then cosines, of position x 10,000^(-i / (D/4)).

    Source: MAE's release, whose weights depend on the order.
    """
    frequencies = PERIOD ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid_side, dtype=torch.float64)[:, None] * frequencies
    places = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, D/2)
    columns = places[None].expand(grid_side, -1, -1)
    rows = places[:, None].expand(-1, grid_side, -1)
    table = torch.cat([columns, rows], dim=2).flatten(0, 1)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), table])[None].float()


MLP_RATIO = 4
"""Width of a block's hidden layer, as a multiple of the block's width. Source: MAE."""


@dataclass(frozen=True)
class MaeSize:
    """Widths, depths and attention heads of the encoder and the decoder."""

    width: int
    depth: int
    num_heads: int
    decoder_width: int
    decoder_depth: int
    decoder_num_heads: int


SIZES: Mapping[str, MaeSize] = MappingProxyType(
    {
        "tiny": MaeSize(192, 6, 3, 128, 2, 4),  # as wide as ViT-Ti, half as deep: trains on two CPU cores
        "small": MaeSize(384, 12, 6, 256, 8, 8),  # ViT-S
        "base": MaeSize(768, 12, 12, 512, 8, 16),  # source: MAE, and RFFR
        "large": MaeSize(1024, 24, 16, 512, 8, 16),  # source: MAE
    }
)


NORM_EPS = 1e-6
"""Constant added to a patch's variance. Source: MAE."""


def normalised_patches(patches: Tensor) -> Tensor:
    """Return patches (B, M, P), each minus its mean and divided by its standard deviation. Source: MAE, 3.4."""
    mean, variance = patches.mean(2, keepdim=True), patches.var(2, keepdim=True)
    return (patches - mean) / (variance + NORM_EPS).sqrt()


def inpainting_losses(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error (B,) of each image's hidden patches, both (B, M, P). Source: MAE; RFFR."""
    return (prediction - target).square().flatten(1).mean(1)


def fingerprint(mae: MaskedAutoencoder) -> str:
    """Return the SHA-256 of an MAE's range of pixels and its weights: names, types, shapes and bytes."""
    digest = hashlib.sha256(f"{mae.config.pixel_mean} {mae.config.pixel_std}\n".encode())
    for name, tensor in sorted(mae.state_dict().items()):
        values = tensor.cpu().contiguous().numpy()
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def prepare_transformers(network: nn.Module, settings: InferenceSettings) -> None:
    """Prepare the transformers of a network, in place; the classifier stays in float32.

    Args:
        network: network of `rffr` or `rffr-mae`, or a masked autoencoder, in eval mode.
        settings: settings of the inference.
    """
    for part in list(network.modules()):
        if isinstance(part, MaskedAutoencoder | VisionTransformer):
            prepare_linears(part, settings)
