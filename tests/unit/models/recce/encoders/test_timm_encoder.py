import copy

import pytest
import timm
import torch

from realface.models.recce.encoders.families import FAMILIES, timm_encoders
from realface.models.recce.encoders.timm_encoder import TimmEncoder, cut

EXAMPLES = [family.example for family in FAMILIES]


def encoder(name):
    torch.manual_seed(0)
    return TimmEncoder(name).eval()


def images(size, batch=1):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def parts_of(model, image):
    """The results of the encoder's four parts."""
    embedding = model.embed(image)
    reasoned = model.to_reasoning(embedding)
    attended = model.to_attention(reasoned)
    return embedding, reasoned, attended, model.to_features(attended)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_four_parts_compute_what_timm_does(name):
    model = encoder(name)
    reference = timm.create_model(name, num_classes=0).eval()
    head = {key: value for key, value in reference.state_dict().items() if key not in model.state_dict()}
    reference.load_state_dict({**model.state_dict(), **head})
    image = images(96)
    with torch.no_grad():
        feature = parts_of(model, image)[-1]
        expected = reference.forward_features(image)
        if "head.norm" in {key.rpartition(".")[0] for key in model.state_dict()}:
            expected = reference.head.norm(expected)
    assert torch.equal(feature, expected)


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_is_left_out_but_what_stands_behind_the_pooling(name):
    whole, used = timm.create_model(name).state_dict(), encoder(name).state_dict()
    assert set(used) <= set(whole)
    assert {key.partition(".")[0] for key in set(whole) - set(used)} <= {
        "fc",
        "head",
        "classifier",
        "conv_head",
        "norm_head",
    }


def test_a_network_is_cut_in_the_papers_proportions():
    # 2 of 9 blocks to the embedding, 5 to the reasoning, 6 to the attention: of 18 blocks 4, 10 and 12
    blocks = [f"s3.{n}" for n in range(18)]
    parts = cut(["stem", "s2.0", "s3.downsample", *blocks, "s4.0", "norm"], stage="s3")
    assert parts == (
        ["stem", "s2.0", "s3.downsample", *blocks[:4]],
        blocks[4:10],
        blocks[10:12],
        [*blocks[12:], "s4.0", "norm"],
    )


@pytest.mark.parametrize(("count", "lengths"), [(1, [2, 0, 0, 1]), (2, [2, 0, 0, 2]), (3, [2, 1, 0, 2])])
def test_of_few_blocks_one_makes_the_embedding_and_parts_may_be_empty(count, lengths):
    parts = cut(["s2.0", *(f"s3.{n}" for n in range(count)), "s4.0"], stage="s3")
    assert [len(part) for part in parts] == lengths


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_later_part_leaves_the_embedding_as_it_was(name):
    with torch.no_grad():
        model = encoder(name)
        embedding = model.embed(images(64))
        before = embedding.clone()
        model.to_features(model.to_attention(model.to_reasoning(embedding)))
    assert torch.equal(embedding, before)


def test_a_replaced_norm_is_the_one_that_works():
    model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(encoder("resnet18"))
    used = []
    model.bn1.register_forward_hook(lambda module, arguments, result: used.append(module))
    with torch.no_grad():
        parts_of(model, images(64))
    assert used == [model.bn1]


def test_a_copy_works_with_its_own_parameters():
    model = encoder("resnet18")
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        assert parts_of(twin, images(64))[-1].any()


def survey(name):
    """Check the cut of a network at an even and an odd size, without memory: on the meta device."""
    with torch.device("meta"):
        model = TimmEncoder(name).train()
        for size, embedding_sizes, feature_sizes in [(64, {4}, {2}), (299, {18, 19}, {9, 10})]:
            embedding, reasoned, attended, feature = parts_of(model, torch.zeros(1, 3, size, size))
            assert embedding.shape == reasoned.shape == attended.shape
            assert embedding.shape[1] == model.embedding_width
            assert embedding.shape[2] in embedding_sizes
            assert feature.shape[1] == model.feature_width
            assert feature.shape[2] in feature_sizes


@pytest.mark.parametrize("name", ["resnet10t", "efficientnetv2_rw_t", "mobilenetv3_small_050", "convnext_large_mlp"])
def test_unusual_members_are_cut_as_well(name):
    survey(name)


@pytest.mark.long
@pytest.mark.parametrize("name", timm_encoders())
def test_every_supported_network_is_cut_at_stride_16_and_trains_on_a_single_image(name):
    survey(name)
