import pytest
import safetensors.torch
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, MissingInputError, ModelInputError, RecipeError
from realface.core.files import sha256_of
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.released import read_rffr

SMALLEST = {"size": "tiny", "input_size": 40, "patch_size": 8}


def mae_shapes(**settings):
    with torch.device("meta"):
        mae = MaskedAutoencoder(MaeConfig(**(SMALLEST | settings)))
    return {name: tensor.shape for name, tensor in mae.state_dict().items()}


def detector_shapes(branch="vit_tiny_patch16_224", **settings):
    """With the 1000-class heads that the authors' files have."""
    with torch.device("meta"):
        network = Rffr(RffrConfig(mae=MaeConfig(**(SMALLEST | settings)), branch=branch))
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items() if not name.startswith("mae.")}
    width = shapes["backbone_1.cls_token"][2]
    heads = {"head.weight": (1000, width), "head.bias": (1000,)}
    return shapes | {f"backbone_{number}.{name}": shape for number in (1, 2) for name, shape in heads.items()}


def zeros(shapes, **changes):
    """Weights in a few bytes: every tensor is one zero that is seen many times."""
    weights = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    return weights | {name.replace("__", "."): tensor for name, tensor in changes.items()}


def noise(shapes):
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def saved(path, content):
    torch.save(content, path)
    return path


@pytest.fixture
def mae_file(tmp_path):
    """(weights) -> a file as the authors' code writes it."""
    return lambda weights: saved(tmp_path / "mae.pth.tar", {"epoch": 9, "state_dict": weights, "adam_dict": {}})


@pytest.fixture
def detector_file(tmp_path):
    def write(weights):
        content = {"epoch": 4, "state_dict": weights, "aucs": [0.9, 0.8], "best_aucs": {"NT": 0.95}}
        return saved(tmp_path / "detector.pth.tar", content)

    return write


@pytest.fixture
def smallest_mae(mae_file):
    return mae_file(zeros(mae_shapes()))


def test_every_weight_of_the_mae_is_in_the_network(mae_file):
    weights = noise(mae_shapes())
    network, _ = read_rffr(mae_file({f"module.{name}": tensor for name, tensor in weights.items()}))
    loaded = network.mae.state_dict()
    assert isinstance(network, RffrMae)
    assert not network.training
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())


def test_card_of_an_mae_says_that_it_has_no_score(mae_file):
    file = mae_file(zeros(mae_shapes()))
    network, card = read_rffr(file)
    assert (card.method, card.input_size, card.purpose) == ("rffr-mae", 40, "research")
    assert card.config == network.config.model_dump(mode="json")
    assert card.threshold_rule == "none: it has no score, because it was not fitted on real faces; it inpaints only"
    assert card.crop == CropSpec.unknown()
    assert card.metrics == {"epoch": 9}
    assert [(each["name"], each["sha256"]) for each in card.trained_on] == [("mae.pth.tar", sha256_of(file))]
    assert card.licence == "as of the released weights"
    assert network.statistics.num_faces == 0


@pytest.mark.parametrize(
    ("size", "input_size", "patch_size"), [("tiny", 64, 8), ("small", 80, 16), ("base", 224, 16), ("large", 224, 14)]
)
def test_size_patches_and_input_size_follow_from_the_shapes(monkeypatch, tmp_path, size, input_size, patch_size):
    settings = {"size": size, "input_size": input_size, "patch_size": patch_size}
    monkeypatch.setattr("realface.models.rffr.released.RffrMae", built := Built())
    file = saved(tmp_path / "mae.pth", {"model": zeros(mae_shapes(**settings))})
    with pytest.raises(Built.Stop):
        read_rffr(file)
    assert built.config == MaeConfig(**settings)


class Built:
    """Stands in for a network too large to be built here."""

    class Stop(Exception):  # noqa: N818 (no error)
        pass

    def __call__(self, config):
        self.config = config
        raise self.Stop


def test_public_weights_on_normalised_images(tmp_path):
    file = saved(tmp_path / "mae.pth", {"model": zeros(mae_shapes())})
    network, _ = read_rffr(file, pixels="imagenet", norm_pix=True, crop=CropSpec(margin=0.5))
    assert network.config.pixel_mean == (0.485, 0.456, 0.406)
    assert network.config.pixel_std == (0.229, 0.224, 0.225)
    assert network.config.norm_pix


def test_safetensors_are_read(tmp_path):
    weights = noise(mae_shapes())
    safetensors.torch.save_file(weights, tmp_path / "mae.safetensors")
    network, card = read_rffr(tmp_path / "mae.safetensors")
    assert torch.equal(network.mae.mask_token, weights["mask_token"])
    assert card.metrics == {}


def test_weights_of_our_own_mae_come_without_their_score(tmp_path):
    mae = RffrMae(MaeConfig(**SMALLEST))
    mae.statistics.num_faces.fill_(50)
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(mae.state_dict(), file)
    network, _ = read_rffr(file)
    torch.testing.assert_close(network.mae.state_dict(), mae.mae.state_dict(), rtol=0, atol=0)
    assert network.statistics.num_faces == 0


def test_tables_of_places_that_the_file_lacks_are_the_fixed_ones(mae_file):
    weights = zeros(mae_shapes())
    del weights["pos_embed"], weights["decoder_pos_embed"]
    network, _ = read_rffr(mae_file(weights), input_size=40)
    fresh = MaskedAutoencoder(MaeConfig(**SMALLEST))
    assert torch.equal(network.mae.pos_embed, fresh.pos_embed)
    assert torch.equal(network.mae.decoder_pos_embed, fresh.decoder_pos_embed)


def test_without_tables_and_without_a_size_faces_have_224_pixels(mae_file):
    weights = zeros(mae_shapes())
    del weights["pos_embed"], weights["decoder_pos_embed"]
    _, card = read_rffr(mae_file(weights))
    assert card.input_size == 224


def test_another_size_than_the_tables_is_refused(smallest_mae):
    expected = r"mae.pth.tar is for faces of 40 pixels, as its table of places says, got --size 224; leave --size out$"
    with pytest.raises(ArtifactError, match=expected):
        read_rffr(smallest_mae, input_size=224)


def test_tables_that_are_no_numbers_are_refused(mae_file):
    weights = zeros(mae_shapes(), pos_embed=torch.full((1, 26, 192), float("inf")))
    with pytest.raises(ArtifactError, match="tensors without plain, finite numbers, 1 in all, the first is pos_embed"):
        read_rffr(mae_file(weights))


@pytest.mark.parametrize("shape", [(1, 27, 192), (1, 1, 192), (26, 192)])
def test_a_table_of_no_square_is_refused(mae_file, shape):
    expected = r"mae.pth.tar: pos_embed must have shape \(1, 1 \+ patches, width\) of a square of patches, got \("
    with pytest.raises(ArtifactError, match=expected):
        read_rffr(mae_file(zeros(mae_shapes(), pos_embed=torch.zeros(shape))))


@pytest.mark.parametrize("shape", [(192, 192), (192, 3, 8, 16)])
def test_patches_that_are_no_squares_are_refused(mae_file, shape):
    expected = r"patch_embed.proj.weight must have shape \(width, 3, patch, patch\), got \("
    with pytest.raises(ArtifactError, match=expected):
        read_rffr(mae_file(zeros(mae_shapes(), patch_embed__proj__weight=torch.zeros(shape))))


def test_a_grid_without_a_block_is_refused(mae_file):
    weights = zeros(mae_shapes(), pos_embed=torch.zeros(1, 17, 192))
    with pytest.raises(RecipeError, match="at least 5 patches, got 32 and 8"):
        read_rffr(mae_file(weights))


def test_an_unknown_size_is_refused_and_the_known_are_named(mae_file):
    shapes = mae_shapes(size="small")
    weights = {name: tensor for name, tensor in zeros(shapes).items() if not name.startswith("blocks.11.")}
    with pytest.raises(ArtifactError) as caught:
        read_rffr(mae_file(weights))
    found, known = str(caught.value).split("; known are ")
    assert found.endswith("no size of the MAE has 11 blocks of width 384 and in the decoder 8 of 256")
    assert "; small: 12 blocks of width 384 and in the decoder 8 of 256; base: 12 blocks of width 768" in known


def test_an_encoder_alone_is_refused(mae_file):
    weights = {
        name: tensor for name, tensor in zeros(mae_shapes()).items() if not name.startswith(("decoder_", "mask_"))
    }
    expected = (
        rf"mae.pth.tar holds an encoder alone: none of its {len(weights)} names begins with decoder_, and nothing can "
        "be inpainted without a decoder; give the checkpoint of an RFFR MAE, or a masked autoencoder's pre-training"
    )
    with pytest.raises(ArtifactError, match=expected):
        read_rffr(mae_file(weights))


def test_a_detector_in_the_maes_place_is_refused(mae_file):
    with pytest.raises(ArtifactError, match=r"mae.pth.tar holds RFFR's detector, not its MAE; give it as --detector"):
        read_rffr(mae_file(zeros(detector_shapes())))


def test_weights_of_another_method_are_refused(tmp_path, smallest_mae):
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Recce(RecceConfig()).state_dict().items()}
    recce = saved(tmp_path / "recce.bin", {"model": zeros(shapes)})
    rest = rf"it has encoder.conv1.weight and {len(shapes) - 1} more names and no"
    with pytest.raises(ArtifactError, match=rf"recce.bin holds no masked autoencoder: {rest} patch_embed.proj.weight;"):
        read_rffr(recce)
    with pytest.raises(
        ArtifactError, match=rf"recce.bin holds no detector of RFFR: {rest} backbone_1.patch_embed.proj.weight; give"
    ):
        read_rffr(smallest_mae, detector=recce)


def test_names_that_do_not_fit_are_named_at_once(mae_file):
    weights = zeros(mae_shapes(), head__weight=torch.zeros(1))
    del weights["norm.bias"]
    with pytest.raises(
        ArtifactError, match=r"mae.pth.tar does not fit MaskedAutoencoder: missing norm.bias; unexpected head.weight$"
    ):
        read_rffr(mae_file(weights))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"checkpoint .*gone.pth.tar does not exist"):
        read_rffr(tmp_path / "gone.pth.tar")


def test_detector_contains_its_mae_and_both_branches_but_not_their_heads(mae_file, detector_file):
    mae, branches = noise(mae_shapes()), noise(detector_shapes())
    network, _ = read_rffr(
        mae_file(mae),
        detector=detector_file({f"module.{name}": tensor for name, tensor in branches.items()}),
    )
    kept = {name: tensor for name, tensor in branches.items() if ".head." not in name}
    expected = kept | {f"mae.{name}": tensor for name, tensor in mae.items()}
    loaded = network.state_dict()
    assert isinstance(network, Rffr)
    assert not network.training
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.items())


def test_card_of_a_detector_names_both_files_and_reads_tokens_as_released(smallest_mae, detector_file):
    file = detector_file(zeros(detector_shapes()))
    network, card = read_rffr(smallest_mae, detector=file, crop=CropSpec(margin=0.5))
    assert (card.method, card.input_size, card.threshold) == ("rffr", 40, 0.5)
    assert card.threshold_rule == "RFFR's two classes: fake from 0.5 up"
    assert card.config == network.config.model_dump(mode="json")
    assert network.config.released_indexing
    assert network.config.branch == "vit_tiny_patch16_224"
    assert network.config.mae == MaeConfig(**SMALLEST)
    assert card.crop == CropSpec(margin=0.5)
    assert card.metrics == {"epoch": 4, "aucs": [0.9, 0.8], "best_aucs": {"NT": 0.95}}
    assert [(each["name"], each["note"].partition(";")[0]) for each in card.trained_on] == [
        ("mae.pth.tar", "the imported MAE"),
        ("detector.pth.tar", "the imported detector"),
    ]


def test_branches_may_be_of_another_size_than_the_mae(smallest_mae, detector_file):
    network, _ = read_rffr(smallest_mae, detector=detector_file(zeros(detector_shapes("vit_small_patch16_224"))))
    assert network.config.branch == "vit_small_patch16_224"
    assert network.config.mae.size == "tiny"


def test_branches_of_no_known_size_are_refused(smallest_mae, detector_file):
    weights = {name: tensor for name, tensor in zeros(detector_shapes()).items() if ".blocks.11." not in name}
    with pytest.raises(
        ArtifactError, match=r"detector.pth.tar: backbone_1 is 192 wide with 11 blocks; known are 192 wide with 12 blo"
    ):
        read_rffr(smallest_mae, detector=detector_file(weights))


def test_a_detector_of_another_mae_is_refused(smallest_mae, detector_file):
    expected = (
        r"detector.pth.tar sees 8 x 8 patches of 8 pixels, but .*mae.pth.tar 5 x 5 of 8; give the MAE that it was "
    )
    with pytest.raises(ArtifactError, match=expected):
        read_rffr(smallest_mae, detector=detector_file(zeros(detector_shapes(input_size=64))))


def test_an_mae_in_the_detectors_place_is_refused(smallest_mae):
    with pytest.raises(ArtifactError, match=r"mae.pth.tar holds no detector of RFFR: it has cls_token and"):
        read_rffr(smallest_mae, detector=smallest_mae)


def test_a_detector_that_is_not_whole_or_no_number_is_refused(smallest_mae, detector_file):
    weights = zeros(detector_shapes())
    del weights["backbone_2.norm.bias"]
    with pytest.raises(ArtifactError, match=r"detector.pth.tar does not fit Rffr: missing backbone_2.norm.bias$"):
        read_rffr(smallest_mae, detector=detector_file(weights))
    broken = zeros(detector_shapes(), classifier__bias=torch.tensor([0.0, float("nan")]))
    with pytest.raises(ArtifactError, match=r"1 in all, the first is classifier.bias; take"):
        read_rffr(smallest_mae, detector=detector_file(broken))


def test_an_mae_of_normalised_pixels_is_no_source_of_residuals(smallest_mae, detector_file):
    file = detector_file(zeros(detector_shapes()))
    expected = r"detector.pth.tar reads residuals, but .*mae.pth.tar: this MAE was trained with per-patch normalised"
    with pytest.raises(ModelInputError, match=expected):
        read_rffr(smallest_mae, detector=file, norm_pix=True)


def test_reading_draws_no_random_numbers(smallest_mae, detector_file):
    file = detector_file(zeros(detector_shapes()))
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    read_rffr(smallest_mae)
    read_rffr(smallest_mae, detector=file)
    assert torch.equal(torch.rand(3), expected)
