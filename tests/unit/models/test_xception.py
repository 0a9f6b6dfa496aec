import pytest
import timm
import torch

from realface.models.xception import LegacyXception, LightXception


def test_legacy_xception_computes_what_timm_does():
    torch.manual_seed(0)
    encoder = LegacyXception().eval()
    reference = timm.create_model("legacy_xception", pretrained=False, num_classes=0).eval()
    reference.load_state_dict(encoder.state_dict())
    image = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        feature = encoder.to_features(encoder.to_attention(encoder.to_reasoning(encoder.embed(image))))
        assert torch.equal(feature, reference.forward_features(image))


@pytest.mark.parametrize("encoder_type", [LegacyXception, LightXception])
def test_embedding_keeps_its_shape_until_the_last_part(encoder_type):
    encoder = encoder_type().eval()
    with torch.no_grad():
        embedding = encoder.embed(torch.rand(1, 3, 128, 128))
        attended = encoder.to_attention(encoder.to_reasoning(embedding))
        feature = encoder.to_features(attended)
    assert embedding.shape == attended.shape == (1, encoder.embedding_width, 8, 8)
    assert feature.shape == (1, encoder.feature_width, 4, 4)
