import pytest
import safetensors.torch
import timm
import torch

from realface.core.errors import ArtifactError, ModelInputError
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline, download_encoder_weights, load_encoder_weights
from realface.models.outputs import Output, ReconstructionOutput

VIT = {"encoder": "vit_tiny_patch16_224", "input_size": 64}


def network(**settings):
    torch.manual_seed(0)
    return Baseline(BaselineConfig(**{"encoder": "resnet10t", **settings})).eval()


def images(count=2, size=64):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def timm_weights(name, **settings):
    torch.manual_seed(1)
    return timm.create_model(name, pretrained=False, **settings).state_dict()


def test_a_face_gets_a_logit_and_no_error_map():
    output = network()(images())
    assert isinstance(output, Output)
    assert not isinstance(output, ReconstructionOutput)
    assert output.logit.shape == (2,)


def test_the_logit_of_two_classes_is_that_of_fake_less_that_of_real():
    model = network(num_classes=2)
    logits = model.encoder((images() - model.encoder_mean) / model.encoder_std)
    assert torch.equal(model(images()).logit, logits[:, 1] - logits[:, 0])


def test_images_are_normalised_by_mean_and_deviation():
    model = network(encoder_mean=(0.5, 0.25, 0), encoder_std=(0.5, 0.25, 1))
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    model(torch.ones(1, 3, 64, 64))
    assert seen[0][0, :, 0, 0].tolist() == [1, 3, 1]


def test_what_the_encoder_expects_stands_in_the_config_and_not_among_the_weights():
    assert {name.split(".")[0] for name in network().state_dict()} == {"encoder"}


def test_the_logit_is_float32_under_half_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network()(images()).logit.dtype == torch.float32


def test_dropout_stands_before_the_classifier():
    model = network(encoder="light_xception", dropout=0.5)
    assert len({model.eval()(images(1)).logit.item() for _ in range(4)}) == 1
    torch.nn.Module.train(model.encoder.dropout)
    assert len({model(images(1)).logit.item() for _ in range(4)}) > 1


@pytest.mark.parametrize("size", [64, 96, 101])
def test_a_convolutional_network_takes_other_sizes_than_its_own(size):
    assert network()(images(1, size)).logit.isfinite().all()


def test_a_transformer_refuses_other_sizes_than_its_own():
    expected = (
        r"this vit_tiny_patch16_224 was built for images of 64 x 64, got 96 x 96; resize them to 64, or train one "
        "with another input_size"
    )
    with pytest.raises(ModelInputError, match=expected):
        network(**VIT)(images(1, 96))


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 65), (1, 3, 63, 63)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ModelInputError, match=r"square RGB images \(B, 3, S, S\) with S >= 64, got a batch of shape"):
        network()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "heads"),
    [
        ({}, ("fc.",)),
        ({"encoder": "mobilenetv4_conv_small"}, ("classifier.",)),
        ({"encoder": "vit_tiny_patch16_224"}, ("head.",)),
        ({"encoder": "deit_tiny_distilled_patch16_224"}, ("head.", "head_dist.")),
    ],
)
def test_a_file_of_timms_weights_starts_all_but_the_classifier(settings, heads, tmp_path):
    model = network(**settings)
    weights = timm_weights(model.config.encoder)
    torch.save(
        {name: value for name, value in weights.items() if "num_batches_tracked" not in name}, tmp_path / "w.pth"
    )
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    load_encoder_weights(model, tmp_path / "w.pth")
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, (before if name.startswith(heads) else weights)[name]), name


def test_recces_light_encoder_starts_the_baselines(tmp_path):
    source = {
        name.removeprefix("encoder."): value for name, value in network(encoder="light_xception").state_dict().items()
    }
    encoder = {name: value.contiguous() + 1 for name, value in source.items() if not name.startswith("fc.")}
    safetensors.torch.save_file(encoder, tmp_path / "encoder.safetensors")
    model = network(encoder="light_xception")
    load_encoder_weights(model, tmp_path / "encoder.safetensors")
    loaded = model.encoder.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in encoder.items())


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path):
    torch.save(timm_weights("vit_tiny_patch16_224"), tmp_path / "imagenet.pth")
    expected = (
        r"imagenet.pth does not fit VisionTransformer: pos_embed must have shape \(1, 17, 192\), got \(1, 197, 192\)$"
    )
    with pytest.raises(ArtifactError, match=expected):
        load_encoder_weights(network(**VIT), tmp_path / "imagenet.pth")


def test_timms_hub_starts_the_encoder_at_its_input_size(monkeypatch):
    weights = timm_weights("vit_tiny_patch16_224", img_size=64)
    asked = []
    create = timm.create_model

    def create_model(name, pretrained=False, **settings):
        model = create(name, **settings)
        if pretrained:
            asked.append((name, settings))
            model.load_state_dict(weights)
        return model

    model = network(**VIT)
    monkeypatch.setattr(timm, "create_model", create_model)
    download_encoder_weights(model)
    assert asked == [("vit_tiny_patch16_224", {"img_size": 64})]
    loaded = model.encoder.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items() if not name.startswith("head."))


def test_an_encoder_without_weights_on_timms_hub_is_named():
    with pytest.raises(ArtifactError, match="timm has no pretrained weights for light_xception; leave encoder_weights"):
        download_encoder_weights(network(encoder="light_xception"))
