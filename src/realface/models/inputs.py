"""Check the shapes of input images."""

from __future__ import annotations

from torch import Tensor

from realface.core.errors import ModelInputError


def require_square_rgb(image: Tensor, *, method: str, smallest: int) -> None:
    """Check that a tensor is a batch of square RGB images.

    Args:
        image: tensor that should be (B, 3, S, S).
        method: name of the method in the error.
        smallest: smallest allowed S, in pixels.

    Raises:
        ModelInputError: invalid shape.
    """
    shape = tuple(image.shape)
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or shape[2] < smallest:
        raise ModelInputError(
            f"{method} takes square RGB images (B, 3, S, S) with S >= {smallest}, got a batch of shape {shape}",
            hint="crop and resize the faces first",
        )


def require_size(image: Tensor, *, method: str, size: int) -> None:
    """Check that images have the size that a network was built for.

    Args:
        image: (B, 3, S, S).
        method: name of the method in the error.
        size: required S, in pixels.

    Raises:
        ModelInputError: invalid shape.
    """
    require_square_rgb(image, method=method, smallest=1)
    if image.shape[2] != size:
        raise ModelInputError(
            f"this {method} was built for images of {size} x {size}, got {image.shape[2]} x {image.shape[3]}",
            hint=f"resize them to {size}, or train one with another input_size",
        )
