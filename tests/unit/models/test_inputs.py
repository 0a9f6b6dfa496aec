import pytest
import torch

from realface.core.errors import ModelInputError
from realface.models.inputs import require_size, require_square_rgb


def test_batches_of_square_rgb_images_are_accepted():
    require_square_rgb(torch.zeros(1, 3, 64, 64), method="recce", smallest=64)
    require_size(torch.zeros(0, 3, 65, 65), method="recce", size=65)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 65), (1, 3, 63, 63), (1, 1, 3, 64, 64)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ModelInputError) as refusal:
        require_square_rgb(torch.zeros(shape), method="recce", smallest=64)
    assert str(refusal.value) == (
        f"recce takes square RGB images (B, 3, S, S) with S >= 64, got a batch of shape {shape}; crop and resize the "
        "faces first"
    )


def test_another_size_than_the_one_a_network_was_built_for_is_refused():
    expected = (
        "^this rffr was built for images of 64 x 64, got 96 x 96; resize them to 64, or train one with another "
        "input_size$"
    )
    with pytest.raises(ModelInputError, match=expected):
        require_size(torch.zeros(2, 3, 96, 96), method="rffr", size=64)


def test_one_size_too_is_asked_of_square_rgb_images_only():
    with pytest.raises(
        ModelInputError, match=r"rffr takes square RGB images \(B, 3, S, S\) with S >= 1, got a batch of"
    ):
        require_size(torch.zeros(2, 3, 64, 63), method="rffr", size=64)
