"""RFFR against what the authors' code computes: same images, and the same weights, imported as a user would."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

import realface
from realface.cli.main import run
from realface.models.rffr import mae as mae_module
from realface.models.rffr.branches import branch_feature, released_feature
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import RffrOutput

REFERENCE = json.loads((Path(__file__).parent / "rffr.json").read_text())
CASE = REFERENCE["cases"][0]
SIZE = 224
WIDTH = 768
PROBED_PIXELS = [(8, 8), (20, 20), (100, 100), (150, 60), (207, 207), (215, 215)]
PROBED_PATCHES = [45, 46, 61, 75]
TABLES = ["pos_embed", "decoder_pos_embed"]
"""Left out of the file: the reference's are the fixed tables of sines and cosines, which the import fills in."""


@dataclass(frozen=True)
class Computed:
    """What the imported network computes.

    Attributes:
        network: it.
        image: (B, 3, S, S), in its type.
        output: of the image.
        block5: (B, 196, 768), what the MAE predicts of every patch where block 5 alone is hidden.
        rel: the relative tolerance.
    """

    network: Rffr
    image: Tensor
    output: RffrOutput
    block5: Tensor
    rel: float


@pytest.fixture(scope="module")
def imported(reference_weights, tmp_path_factory):
    """What `realface import` makes of files such as the authors' code writes."""
    folder = tmp_path_factory.mktemp("released")
    for name, beside in (("mae", {"adam_dict": {}}), ("detector", {"aucs": [0.9], "best_aucs": [0.95]})):
        exact = reference_weights(REFERENCE["shapes"][name], CASE["seed"])
        weights = {f"module.{key}": tensor.float() for key, tensor in exact.items() if key not in TABLES}
        torch.save({"epoch": 3, "state_dict": weights, **beside}, folder / f"{name}.pth.tar")
    files = ["--mae", str(folder / "mae.pth.tar"), "--detector", str(folder / "detector.pth.tar")]
    assert run(["import", "rffr", *files, str(folder / "artifact")]) == 0
    network = realface.load_network(folder / "artifact")
    shutil.rmtree(folder)  # more than two gigabytes
    return network


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["float64", "float32"])
def computed(request, imported, reference_image):
    network = imported.to(request.param)
    image = reference_image(CASE["batch"], SIZE, CASE["seed"]).to(request.param)
    with torch.inference_mode():
        output = network(image)
        block5 = predictions_of_all(network, image, block=5)
    return Computed(network, image, output, block5, 1e-7 if request.param is torch.float64 else 1e-4)


def predictions_of_all(network, image, *, block):
    """What the MAE predicts of visible patches too, (B, N, P), which it does not compute otherwise."""
    mae = network.mae
    hidden = torch.tensor(network.grid.blocks[block].hidden)
    visible = torch.tensor([patch for patch in range(mae.num_patches) if patch not in hidden])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mae_module, "last_tokens", lambda last, tokens, *, count: last(tokens))
        order = [part.expand(len(image), -1) for part in (visible, hidden)]
        tokens = mae.predict(mae.embed(image), *order)[:, 1:]  # the class token stands first
    return tokens[:, torch.cat([visible, hidden]).argsort()]


def assert_near(value, reference, rel, *, atol=0.0):
    torch.testing.assert_close(
        torch.as_tensor(value, dtype=torch.float64), torch.tensor(reference, dtype=torch.float64), rtol=rel, atol=atol
    )


def largest_difference(value, other):
    return (value - other).abs().max().item()


def test_residual(computed):
    residual, expected = computed.output.residual.double(), CASE["residual"]
    assert_near(residual.mean(), expected["mean"], computed.rel)
    assert_near(residual.std(), expected["std"], computed.rel)
    assert_near(residual.abs().sum(dim=(1, 2, 3)), expected["abs_sum_per_image"], computed.rel)
    rows, columns = zip(*PROBED_PIXELS, strict=True)
    assert_near(residual[:, :, rows, columns].flatten(), expected["probe"], computed.rel)


def test_prediction_of_a_block(computed):
    assert_near(computed.block5[:, PROBED_PATCHES, ::111], CASE["block5"]["pred_probe"], computed.rel)


def test_loss_of_a_block(computed):
    mae, hidden = computed.network.mae, list(computed.network.grid.blocks[5].hidden)
    error = (computed.block5 - mae.to_patches(computed.image))[:, hidden].square()
    assert [len(hidden)] * CASE["batch"] == CASE["block5"]["mask_sum"]
    assert_near(error.double().mean(), CASE["block5"]["loss"], computed.rel)


def test_residual_has_what_is_predicted_of_a_block(computed):
    mae, hidden = computed.network.mae, list(computed.network.grid.blocks[5].hidden)
    image, residual = (mae.to_patches(part)[:, hidden] for part in (computed.image, computed.output.residual))
    expected = (4 * (computed.block5[:, hidden] - image)).clamp(-1, 1)
    torch.testing.assert_close(residual, expected, rtol=computed.rel, atol=computed.rel)


def test_feature(computed):
    assert_near(computed.output.feature[:, ::97], CASE["feature_probe"], computed.rel)


def test_logits(computed):
    assert_near(computed.output.logits, CASE["logits"], computed.rel)
    assert_near(computed.output.logit, [fake - real for real, fake in CASE["logits"]], computed.rel)


@pytest.fixture(scope="module")
def without_quirks(computed):
    """What a network with the same weights computes that was built without `released_indexing`."""
    network = computed.network
    network.config = network.config.model_copy(update={"released_indexing": False})
    with torch.inference_mode():
        output = network(computed.image, residual=computed.output.residual)
    network.config = network.config.model_copy(update={"released_indexing": True})
    return output


def halves(feature):
    """Of the RGB branch and of the residual branch."""
    return feature[:, :WIDTH], feature[:, WIDTH:]


def test_without_released_indexing_both_features_and_the_logits_are_others(computed, without_quirks):
    for half, other in zip(halves(computed.output.feature), halves(without_quirks.feature), strict=True):
        assert largest_difference(half, other) > 1
    assert largest_difference(computed.output.logits, without_quirks.logits) > 0.1


def test_index_that_grows_changes_the_residual_branch_alone(computed):
    network = computed.network
    patches = torch.tensor(network.grid.patches()).expand(CASE["batch"], -1)
    with torch.inference_mode():
        not_shifted = released_feature(network.backbone_2, computed.output.residual, patches, offset=1)
        next_patch = released_feature(network.backbone_2, computed.output.residual, patches + 1, offset=1)
    _, released = halves(computed.output.feature)
    assert largest_difference(not_shifted, released) > 1
    torch.testing.assert_close(next_patch, released, rtol=computed.rel, atol=computed.rel)


def test_class_token_changes_both_branches_whatever_the_index(computed, without_quirks):
    network = computed.network
    patches = torch.tensor(network.grid.patches()).expand(CASE["batch"], -1)
    with torch.inference_mode():
        shifted = branch_feature(network.backbone_2, computed.output.residual, patches + 1)
    rgb, released = halves(computed.output.feature)
    assert largest_difference(shifted, released) > 1
    assert largest_difference(rgb, halves(without_quirks.feature)[0]) > 1
