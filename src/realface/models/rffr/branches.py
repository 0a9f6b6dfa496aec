"""The two vision transformers of the detector: each reads some patches of its image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor

from realface.core.errors import ArtifactError
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae import MLP_RATIO, SIZES, MaskedAutoencoder
from realface.models.weights import start_encoder

# timm's errors for weights with a transformer's names and other shapes, or with only some of the names
NO_TRANSFORMER = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def build_branch(name: str, *, input_size: int, patch_size: int) -> VisionTransformer:
    """Return a transformer by name, with random weights and no classifier.

    Args:
        name: network name that `require_branch` accepts.
        input_size: height and width of the images, in pixels.
        patch_size: height and width of a patch, in pixels.
    """
    branch: Any = timm.create_model(name, num_classes=0, img_size=input_size, patch_size=patch_size)
    assert isinstance(branch, VisionTransformer)
    return branch


def build_mae_branch(config: MaeConfig) -> VisionTransformer:
    """Return a transformer with the structure of an MAE's encoder, random weights and no classifier."""
    size = SIZES[config.size]
    return VisionTransformer(
        img_size=config.input_size,
        patch_size=config.patch_size,
        num_classes=0,
        embed_dim=size.width,
        depth=size.depth,
        num_heads=size.num_heads,
        mlp_ratio=MLP_RATIO,
    )


def start_as_mae(branch: VisionTransformer, mae: MaskedAutoencoder) -> None:
    """Set a branch from `build_mae_branch` to the weights of the MAE's encoder, in place."""
    weights = mae.state_dict()
    branch.load_state_dict({name: weights[name] for name in branch.state_dict()})


def branch_feature(branch: VisionTransformer, image: Tensor, patches: Tensor) -> Tensor:
    """Return the class token (B, W) of a transformer that sees some patches (B, K) of images (B, 3, S, S)."""
    tokens = placed_tokens(branch, image)
    num_prefix = branch.num_prefix_tokens
    kept = torch.cat([tokens[:, :num_prefix], chosen(tokens, patches + num_prefix)], dim=1)
    return _transformed(branch, kept)[:, 0]


def released_feature(branch: VisionTransformer, image: Tensor, patches: Tensor, *, offset: int) -> Tensor:
    """Return the feature (B, W) as the release computes it: the first kept token, without the class token.

    Args:
        branch: transformer with the class token as its only token before the patches.
        image: (B, 3, S, S).
        patches: numbers of the patches to keep, (B, K).
        offset: added to the patch numbers to get token numbers; the release's numbers grow by 1 with each branch.
    """
    return _transformed(branch, chosen(placed_tokens(branch, image), patches + offset))[:, 0]


def placed_tokens(branch: VisionTransformer, image: Tensor) -> Tensor:
    """Return the class token and all patch tokens, with positions: (B, 3, S, S) -> (B, prefix + N, W)."""
    tokens: Tensor = branch.norm_pre(branch._pos_embed(branch.patch_embed(image)))
    return tokens


def chosen(tokens: Tensor, numbers: Tensor) -> Tensor:
    """Select each image's tokens by number: (B, T, W), (B, K) -> (B, K, W)."""
    return tokens.gather(1, numbers[..., None].expand(-1, -1, tokens.shape[2]))


def load_branch(branch: VisionTransformer, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Start a branch from a timm transformer's weights, such as ImageNet's; positions and patches are resized to fit.

    Raises:
        ArtifactError: names or shapes differ.
    """
    try:
        fitted: dict[str, Tensor] = checkpoint_filter_fn(dict(weights), branch)
    except NO_TRANSFORMER as error:
        raise ArtifactError(f"{where} holds no vision transformer's weights ({error})") from error
    start_encoder(branch, fitted, is_classifier=lambda name: name.startswith(("head.", "head_dist.")), where=where)


def _transformed(branch: VisionTransformer, tokens: Tensor) -> Tensor:
    for block in branch.blocks:
        tokens = block(tokens)
    normed: Tensor = branch.norm(tokens)
    return normed
