import pytest
import timm
import torch
from torch.nn import functional as F

from realface.models.depthwise import DepthwiseConvolution, Geometry, QuickDepthwiseGradients
from realface.models.pretrained import read_packaged_weights

SLOW = [(3, 2, 1), (5, 1, 2), (5, 2, 2), (5, 2, 0), (7, 1, 3)]
"""(kernel, stride, padding) of which a gradient is slow in bfloat16."""


@pytest.fixture
def applied(monkeypatch):
    """A list that fills with the shapes of the weights whose gradients are computed here."""
    shapes = []
    real = DepthwiseConvolution.apply

    def note(image, weight, bias, geometry):
        shapes.append(tuple(weight.shape))
        return real(image, weight, bias, geometry)

    monkeypatch.setattr(DepthwiseConvolution, "apply", note)
    return shapes


def tensors(kernel, *, channels=4, size=11, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (2, channels, size, size), (channels, 1, kernel, kernel), (channels,)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def gradients(kernel, stride, padding, *, precision, quick=False):
    """Of the image, weight and bias, for a random gradient of the output."""
    inputs = tensors(kernel)
    mode = QuickDepthwiseGradients() if quick else torch.autograd.set_grad_enabled(True)
    with mode, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        output = F.conv2d(*inputs, stride, padding, 1, 4)
    given = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    return output.detach(), torch.autograd.grad(output, inputs, given.to(output.dtype))


def relative(one, other):
    return float((one.double() - other.double()).norm() / other.double().norm())


@pytest.mark.parametrize(("kernel", "stride", "padding"), SLOW)
def test_output_is_bit_for_bit_that_of_autocast(kernel, stride, padding):
    plain, _ = gradients(kernel, stride, padding, precision="bf16")
    quick, _ = gradients(kernel, stride, padding, precision="bf16", quick=True)
    assert quick.dtype is torch.bfloat16
    assert torch.equal(quick, plain)


@pytest.mark.parametrize(("kernel", "stride", "padding"), SLOW)
def test_gradients_are_those_of_float32_within_bfloat16s_rounding(kernel, stride, padding):
    _, exact = gradients(kernel, stride, padding, precision="fp32")
    _, quick = gradients(kernel, stride, padding, precision="bf16", quick=True)
    # three roundings to 8 bits, of image, weight and the output's gradient, each at most 2^-9 relative, and one of the
    # result; 0.0080 was measured where the CPU has no bfloat16
    assert max(relative(*pair) for pair in zip(quick, exact, strict=True)) < 6 * 2**-9


@pytest.mark.parametrize(("kernel", "stride", "padding"), SLOW)
def test_gradients_in_float64_are_those_of_differences(kernel, stride, padding):
    geometry = Geometry((stride, stride), (padding, padding), (1, 1))
    inputs = tensors(kernel, channels=2, size=7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *values: DepthwiseConvolution.apply(*values, geometry), inputs)


def test_gradient_of_the_weights_is_not_rounded_to_bfloat16():
    _, (_, by_weight, by_bias) = gradients(5, 2, 2, precision="bf16", quick=True)
    assert (by_weight.dtype, by_bias.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(by_weight, by_weight.bfloat16().float())


@pytest.mark.parametrize(
    ("kernel", "stride", "groups", "precision"),
    [(3, 1, 4, "bf16"), (5, 1, 1, "bf16"), (5, 2, 2, "bf16"), (5, 2, 4, "fp32")],
    ids=["quick kernel", "dense", "grouped", "float32"],
)
def test_other_convolutions_stay_as_they_are(applied, kernel, stride, groups, precision):
    layer = torch.nn.Conv2d(4, 4, kernel, stride, groups=groups)
    with QuickDepthwiseGradients(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        layer(torch.rand(1, 4, 9, 9))
    assert applied == []


def test_nothing_changes_without_gradients(applied):
    with QuickDepthwiseGradients(), torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        torch.nn.Conv2d(4, 4, 5, groups=4)(torch.rand(1, 4, 9, 9))
    assert applied == []


def test_padding_by_name_is_left_to_torch(applied):
    with QuickDepthwiseGradients(), torch.autocast("cpu", torch.bfloat16):
        torch.nn.Conv2d(4, 4, 5, padding="same", groups=4)(torch.rand(1, 4, 9, 9))
    assert applied == []


def lite0_gradients(*, precision, quick=False):
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=1).eval()  # norms as the pretrained ones
    network.load_state_dict({**network.state_dict(), **pretrained_body()})
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    mode = QuickDepthwiseGradients() if quick else torch.autograd.set_grad_enabled(True)
    with mode, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        logits = network(images)
    logits.float().sum().backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def pretrained_body():
    weights = read_packaged_weights("lite0")
    return {name: value for name, value in weights.items() if not name.startswith("classifier")}


def test_gradients_of_a_whole_network_are_as_good_as_autocasts(applied):
    exact = lite0_gradients(precision="fp32")
    plain, quick = (lite0_gradients(precision="bf16", quick=quick) for quick in (False, True))
    assert len(applied) == 11  # of 16 depthwise convolutions, those of 5 x 5 or stride 2
    assert relative(quick, exact) < 1.25 * relative(plain, exact)
    assert relative(quick, plain) < 0.01
