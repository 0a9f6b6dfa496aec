"""The families of timm networks that RECCE supports, and the parts of each family.

RECCE supports a family if its networks are a chain of convolutional blocks with several blocks of one width at stride
16, followed by a stage at stride 32. It does not support transformers and hybrids, which mix all positions before the
embedding; HRNet, which has no single map at stride 16 before its last fusion; and DenseNet, where every layer makes the
maps wider, so that reasoning and attention have no map of the same width to change.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import timm


@dataclass(frozen=True)
class Family:
    """One architecture of timm.

    Attributes:
        title: common name of the family.
        example: name of a small member.
        module: timm's module that registers the members.
        stem: submodules before the first stage, in order.
        stages: the submodules that are the stages, or the submodule that contains the stages as children.
        tail: submodules after the last stage that work on the whole map.
        left_out: name patterns of unsupported members.
    """

    title: str
    example: str
    module: str
    stem: tuple[str, ...]
    stages: tuple[str, ...]
    tail: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


FAMILIES = (
    Family(
        title="ResNet, ResNeXt, SE-ResNet",
        example="resnet18",
        module="resnet",
        stem=("conv1", "bn1", "act1", "maxpool"),
        stages=("layer1", "layer2", "layer3", "layer4"),
        left_out=("*resnetaa*", "*resnextaa*"),  # their pooling does not meet the shortcut on maps of odd size
    ),
    Family(
        title="RegNet",
        example="regnety_002",
        module="regnet",
        stem=("stem",),
        stages=("s1", "s2", "s3", "s4"),
        tail=("final_conv",),
    ),
    Family(
        title="EfficientNet, MobileNet-V1, -V2",
        example="efficientnet_b0",
        module="efficientnet",
        stem=("conv_stem", "bn1"),
        stages=("blocks",),
        tail=("conv_head", "bn2"),
    ),
    Family(
        title="MobileNet-V3, -V4",
        example="mobilenetv4_conv_small",
        module="mobilenetv3",
        stem=("conv_stem", "bn1"),
        stages=("blocks",),
        left_out=("*_hybrid_*",),  # with attention
    ),
    # the norm of the head is before its pooling here, as in object detectors with ConvNeXt
    Family(
        title="ConvNeXt, ConvNeXt-V2",
        example="convnextv2_atto",
        module="convnext",
        stem=("stem",),
        stages=("stages",),
        tail=("norm_pre", "head.norm"),
        left_out=("convnext_tiny_hnf",),  # has no norm in its head
    ),
    Family(
        title="InceptionNeXt",
        example="inception_next_atto",
        module="inception_next",
        stem=("stem",),
        stages=("stages",),
    ),
    Family(
        title="NFNet and other networks without norms",
        example="nf_regnet_b1",
        module="nfnet",
        stem=("stem",),
        stages=("stages",),
        tail=("final_conv", "final_act"),
    ),
)


@functools.cache
def timm_encoders() -> Mapping[str, Family]:
    """Return every supported network of the installed timm, by name without tag."""
    return {
        name: family
        for family in FAMILIES
        for name in timm.list_models(module=family.module, exclude_filters=list(family.left_out))
    }
