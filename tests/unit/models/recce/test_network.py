import pytest
import safetensors.torch
import timm
import torch

from realface.core.errors import ArtifactError, ModelInputError
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import (
    Recce,
    download_encoder_weights,
    from_network_range,
    load_encoder_weights,
    to_network_range,
)

LIGHT = RecceConfig(encoder="light_xception")


def network(**changes):
    torch.manual_seed(0)
    return Recce(LIGHT.model_copy(update=changes)).eval()


def images(batch=2, size=64, seed=0):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def encoder_input(monkeypatch):
    """(network) -> a list that fills with what its encoder is given."""

    def watch(model):
        seen = []
        embed = model.encoder.embed
        monkeypatch.setattr(model.encoder, "embed", lambda image: seen.append(image.clone()) or embed(image))
        return seen

    return watch


def test_the_light_network_has_at_most_three_million_parameters():
    assert sum(parameter.numel() for parameter in network().parameters()) <= 3_000_000


def test_the_paper_network_has_the_published_size():
    # 25.83 M in the checkpoint, of which encoder.fc, 2048 x 1000 + 1000, is left out here
    count = sum(parameter.numel() for parameter in Recce(RecceConfig()).parameters())
    assert (count + 2048 * 1000 + 1000) / 1e6 == pytest.approx(25.83, abs=0.005)


@pytest.mark.parametrize("size", [64, 127, 128, 160, 224, 256, 299, 320])
def test_every_square_size_works(size):
    with torch.no_grad():
        output = network()(images(1, size))
    assert output.reconstruction.shape == (1, 3, size, size)
    assert output.error_map.shape == (1, 1, size, size)


def test_the_paper_network_works_on_an_odd_size():
    with torch.no_grad():
        output = Recce(RecceConfig()).eval()(images(1, 101))
    assert output.logit.shape == (1,)
    assert output.reconstruction.shape == (1, 3, 101, 101)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 80), (1, 3, 32, 32)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(
        ModelInputError, match=r"square RGB images \(B, 3, S, S\) with S >= 64, got a batch of shape \("
    ) as e:
        network()(torch.zeros(shape))
    assert str(shape) in str(e.value)


def test_error_map_is_the_mean_difference_of_image_and_reconstruction():
    image = images().double()
    with torch.no_grad():
        output = network().double()(image)
    expected = (image - output.reconstruction).abs().mean(dim=1, keepdim=True)
    torch.testing.assert_close(output.error_map, expected, rtol=0, atol=1e-9)


def test_a_faces_result_does_not_depend_on_its_neighbours():
    image = images(3)
    model = network().double()
    with torch.no_grad():
        together, alone = model(image.double()), model(image[1:2].double())
    torch.testing.assert_close(together.logit[1:2], alone.logit, rtol=0, atol=1e-9)
    torch.testing.assert_close(together.error_map[1:2], alone.error_map, rtol=0, atol=1e-9)


def test_two_classes_give_the_difference_of_their_logits():
    model = network(num_classes=2)
    raw = []
    model.fc.register_forward_hook(lambda module, arguments, logits: raw.append(logits))
    with torch.no_grad():
        output = model(images())
    assert torch.equal(output.logit, raw[0][:, 1] - raw[0][:, 0])
    torch.testing.assert_close(output.score, raw[0].softmax(dim=1)[:, 1])


def test_outputs_are_float32_under_half_precision():
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = network()(images())
    tensors = [output.logit, output.reconstruction, output.error_map, output.attention, *output.embeddings]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


def test_the_same_seed_gives_the_same_parameters():
    first, second = network().state_dict(), network().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_noise_meets_about_half_of_the_images_and_only_the_encoder(encoder_input):
    model = network(noise_std=0.1).train()
    seen = encoder_input(model)
    image = torch.full((64, 3, 64, 64), 0.5)  # 0 in the network's range, so that nothing is clipped
    model(image)
    noise = seen[0].flatten(1)
    is_noisy = noise.any(dim=1)
    assert 16 < is_noisy.sum() < 48  # 4 standard deviations around 32
    assert noise[is_noisy].std().item() == pytest.approx(0.1, rel=0.01)


def test_training_noise_stays_in_range(encoder_input):
    model = network(noise_std=0.5, noise_probability=1.0).train()
    seen = encoder_input(model)
    model(images())
    assert seen[0].abs().max() <= 1


def test_there_is_no_noise_outside_training(encoder_input):
    model = network(noise_std=0.5, noise_probability=1.0)
    seen = encoder_input(model)
    image = images()
    with torch.no_grad():
        model(image)
    assert torch.equal(seen[0], to_network_range(image))


def test_an_encoder_gets_images_as_its_weights_expect_them(encoder_input):
    torch.manual_seed(0)
    model = Recce(RecceConfig(encoder="resnet18")).eval()
    seen = encoder_input(model)
    image = images()
    with torch.no_grad():
        model(image)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(seen[0], (image - mean.view(3, 1, 1)) / std.view(3, 1, 1))


def test_what_the_encoder_expects_stands_in_the_config_and_not_among_the_weights():
    assert not [name for name in network().state_dict() if "mean" in name.split(".")[0] or "std" in name]


def test_ranges_are_those_of_mean_and_deviation_one_half():
    assert to_network_range(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]
    assert from_network_range(torch.tensor([-1.0, 0.0, 1.0000001])).tolist() == [0, 0.5, 1]


def test_encoder_weights_are_taken_without_classifier_or_batch_counters(tmp_path):
    torch.manual_seed(1)
    source = Recce(LIGHT).encoder.state_dict()
    weights = {name: value.contiguous() for name, value in source.items() if not name.endswith("num_batches_tracked")}
    safetensors.torch.save_file(weights | {"fc.weight": torch.zeros(2, 2)}, tmp_path / "encoder.safetensors")
    model = network()
    load_encoder_weights(model, tmp_path / "encoder.safetensors")
    assert all(torch.equal(value, source[name]) for name, value in model.encoder.state_dict().items())


def test_encoder_weights_that_do_not_fit_are_refused_by_name(tmp_path):
    weights = {name: value.contiguous() for name, value in network().encoder.state_dict().items()}
    weights["stem.9.weight"] = weights.pop("stem.0.weight")
    safetensors.torch.save_file(weights, tmp_path / "encoder.safetensors")
    expected = r"encoder.safetensors does not fit LightXception: missing stem.0.weight; unexpected stem.9.weight"
    with pytest.raises(ArtifactError, match=expected):
        load_encoder_weights(network(), tmp_path / "encoder.safetensors")


@pytest.fixture
def timm_hub(monkeypatch):
    """(weights by name) -> the names that are then asked of timm's hub, which has these weights, or fails with them."""

    def offer(**weights):
        asked = []
        create = timm.create_model

        def create_model(name, pretrained=False, **settings):
            model = create(name, **settings)
            if pretrained:
                asked.append(name)
                if isinstance(weights[name], Exception):
                    raise weights[name]
                model.load_state_dict(weights[name])
            return model

        monkeypatch.setattr(timm, "create_model", create_model)
        return asked

    return offer


def timm_weights(name):
    torch.manual_seed(1)
    return timm.create_model(name, pretrained=False).state_dict()


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv4_conv_small", "convnextv2_atto", "efficientnet_b0"])
def test_a_file_of_timms_weights_starts_the_encoder(name, tmp_path):
    weights = timm_weights(name)
    torch.save(weights, tmp_path / "imagenet.pth")
    model = Recce(RecceConfig(encoder=name))
    load_encoder_weights(model, tmp_path / "imagenet.pth")
    loaded = model.encoder.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in loaded.items())


def test_weights_of_another_network_are_refused_with_all_names(tmp_path):
    weights = timm_weights("resnet18")
    weights["layer9.weight"] = weights.pop("conv1.weight")
    torch.save(weights, tmp_path / "imagenet.pth")
    with pytest.raises(ArtifactError, match=r"TimmEncoder: missing conv1.weight; unexpected layer9.weight$"):
        load_encoder_weights(Recce(RecceConfig(encoder="resnet18")), tmp_path / "imagenet.pth")


@pytest.mark.parametrize("name", ["resnet18", "legacy_xception"])
def test_timms_hub_starts_the_encoder(name, timm_hub):
    weights = timm_weights(name)
    model = Recce(RecceConfig(encoder=name))
    asked = timm_hub(**{name: weights})
    download_encoder_weights(model)
    assert asked == [name]
    assert all(torch.equal(value, weights[key]) for key, value in model.encoder.state_dict().items())


def test_the_hub_is_asked_for_the_tag_that_the_encoder_names(timm_hub):
    name = "resnet18.a1_in1k"
    asked = timm_hub(**{name: timm_weights("resnet18")})
    model = Recce(RecceConfig(encoder=name))
    assert asked == []  # construction downloads nothing
    download_encoder_weights(model)
    assert asked == [name]


@pytest.mark.parametrize("name", ["light_xception", "nf_regnet_b0"])
def test_an_encoder_without_weights_on_timms_hub_is_named(name):
    expected = f"timm has no pretrained weights for {name}; leave encoder_weights out, or give a file"
    with pytest.raises(ArtifactError, match=expected):
        download_encoder_weights(Recce(RecceConfig(encoder=name)))


@pytest.mark.parametrize("fault", [ConnectionError("no route\nto host"), RuntimeError("no route to host")])
def test_a_hub_that_cannot_be_reached_is_named(fault, timm_hub):
    model = Recce(RecceConfig(encoder="resnet18"))
    timm_hub(resnet18=fault)
    expected = r"timm's weights of resnet18 could not be downloaded \(no route to host\); check the network, or give a"
    with pytest.raises(ArtifactError, match=expected):
        download_encoder_weights(model)
