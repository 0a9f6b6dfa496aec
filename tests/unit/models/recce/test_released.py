import numpy as np
import pytest
import safetensors.torch
import torch

from realface.cli import import_ as cli
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, MissingInputError, OutputExistsError, RecipeError
from realface.core.files import sha256_of
from realface.models.artifact import load_network, read_card, save_artifact
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.recce.released import read_recce

with torch.device("meta"):
    SHAPES = {name: tensor.shape for name, tensor in Recce(RecceConfig()).state_dict().items()}
COUNTERS = [name for name in SHAPES if name.endswith("num_batches_tracked")]


def zeros(**changes):
    """RECCE's weights in a few bytes: every tensor is one zero that is seen many times."""
    weights = {name: torch.zeros(()).expand(shape) for name, shape in SHAPES.items()}
    return weights | {name.replace("__", "."): tensor for name, tensor in changes.items()}


def saved(folder, content):
    torch.save(content, folder / "recce.bin")
    return folder / "recce.bin"


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    """(the weights that the authors' code saved, the file, the artifact's folder, its card)."""
    folder = tmp_path_factory.mktemp("genuine")
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.rand(shape, generator=generator) for name, shape in SHAPES.items()}
    unused = {"encoder.fc.weight": torch.zeros(1000, 2048), "encoder.fc.bias": torch.zeros(1000)}
    file = saved(
        folder,
        {
            "step": 90000,
            "best_step": 88500,
            "best_metric": np.float64(0.9875),
            "eval_metric": "AUC",
            "model": weights | unused,
            "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": []},
            "scheduler": {"last_epoch": 4, "milestones": None},
        },
    )
    save_artifact(folder / "artifact", *read_recce(file))
    return weights, file, folder / "artifact", read_card(folder / "artifact")


def test_every_weight_of_the_authors_file_is_in_the_network(genuine):
    weights, _, folder, _ = genuine
    loaded = load_network(folder).state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], tensor.to(loaded[name].dtype)) for name, tensor in weights.items())


def test_the_card_says_where_the_weights_came_from_and_what_is_known_of_them(genuine):
    _, file, folder, card = genuine
    assert card == read_card(folder)
    assert (card.method, card.input_size, card.threshold, card.purpose) == ("recce", 299, 0.5, "research")
    assert card.threshold_rule == "RECCE's inference: fake from 0.5 up"
    assert card.crop == CropSpec.unknown()
    assert card.metrics == {"step": 90000, "best_step": 88500, "best_metric": 0.9875, "eval_metric": "AUC"}
    (source,) = card.trained_on
    assert (source["name"], source["sha256"]) == ("recce.bin", sha256_of(file))
    assert card.licence == "as of the released weights"
    assert "realface" in card.provenance["packages"]


@pytest.fixture
def imported(tmp_path):
    """(content of a file, settings) -> (network, card) of the import."""

    def run(content, **settings):
        return read_recce(saved(tmp_path, content), **settings)

    return run


def test_two_classes_another_size_and_known_crops(imported):
    two = {"fc.weight": torch.zeros(2, 2048), "fc.bias": torch.tensor([0.0, 1.5])}
    network, card = imported(zeros() | two, input_size=224, crop=CropSpec(margin=0.5))
    assert (card.config["num_classes"], card.config["input_size"], card.input_size) == (2, 224, 224)
    assert card.crop == CropSpec(margin=0.5)
    assert card.metrics == {}
    with torch.no_grad():
        output = network(torch.rand(1, 3, 64, 64))
    assert output.logit.item() == 1.5  # of the fake class less that of the real one


def wrapped(content, *names):
    for name in names:
        content = {name: content, "epoch": 3, "optimizer": {}}
    return content


@pytest.mark.parametrize(
    ("prefix", "wrappers"),
    [
        ("module.", ()),
        ("backbone.", ("state_dict",)),
        ("module.model.", ("model_state_dict",)),
        ("", ("state_dict", "model")),
        ("", ("network", "net")),
    ],
)
def test_prefixes_and_wrappers_are_taken_off(imported, prefix, wrappers):
    weights = zeros(fc__bias=torch.tensor([2.5]))
    network, _ = imported(wrapped({f"{prefix}{name}": tensor for name, tensor in weights.items()}, *wrappers))
    assert network.fc.bias.item() == 2.5
    assert network.encoder.conv1.weight.abs().sum() == 0


def test_batch_counters_may_be_missing(imported):
    network, _ = imported({name: tensor for name, tensor in zeros().items() if name not in COUNTERS})
    assert network.encoder.bn1.num_batches_tracked == 0


def test_weights_of_half_precision_become_float32(imported):
    network, _ = imported({name: tensor.half() for name, tensor in zeros().items()})
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_metric_that_json_cannot_hold_is_left_out(imported):
    content = {"step": torch.tensor(7), "best_metric": float("-inf"), "eval_metric": None, "model": zeros()}
    _, card = imported(content)
    assert card.metrics == {"step": 7}


def test_safetensors_are_read(tmp_path):
    file = tmp_path / "recce.safetensors"
    safetensors.torch.save_file({"fc.bias": torch.zeros(1), "x": torch.zeros(1)}, file)
    with pytest.raises(ArtifactError, match=r"recce.safetensors does not fit Recce: missing encoder.*; unexpected x$"):
        read_recce(file)


def test_all_names_and_shapes_that_do_not_fit_are_named_at_once(tmp_path):
    weights = {f"module.{name}": tensor for name, tensor in zeros().items()}
    del weights["module.attention.gated.0.weight"], weights["module.encoder.bn1.bias"]
    weights |= {
        "module.loss.centre": torch.zeros(1),
        "fc.bias": torch.zeros(1),
        "module.fc.weight": torch.zeros(3, 2048),
    }
    with pytest.raises(ArtifactError) as caught:
        read_recce(saved(tmp_path, {"state_dict": weights}))
    assert str(caught.value) == (
        f"{tmp_path / 'recce.bin'} (names without 'module.') does not fit Recce: missing encoder.bn1.bias; "
        "missing attention.gated.0.weight; unexpected loss.centre; unexpected fc.bias (outside 'module.'); "
        "fc.weight must have shape (1, 2048), got (3, 2048)"
    )
    assert not (tmp_path / "out").exists()


def test_of_hundreds_that_do_not_fit_the_first_are_named_and_the_others_counted(tmp_path):
    foreign = {f"layer{number}.weight": torch.zeros(1) for number in range(130)}
    with pytest.raises(ArtifactError) as caught:
        read_recce(saved(tmp_path, foreign))
    text = str(caught.value)
    assert "missing encoder.conv1.weight; " in text
    assert f"; {len(SHAPES) - text.count('missing ') - len(COUNTERS)} more missing; unexpected layer0.weight; " in text
    assert text.endswith("unexpected layer19.weight; 110 more unexpected")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ([torch.zeros(1)], "a list"),
        ({}, "an empty state dict"),
        ({"step": 3, "model": {}}, "an empty state dict"),
        ({"epoch": 3, "weights": {"a": torch.zeros(1)}}, "the keys epoch, weights"),
        ({"model": {"a": "b"}}, "the keys a"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, content, got):
    expected = (
        rf"recce.bin must hold tensors by name, alone or under model, .*, got {got}; save the network's state dict"
    )
    with pytest.raises(ArtifactError, match=expected):
        read_recce(saved(tmp_path, content))


def test_a_checkpoint_that_holds_itself_is_refused(tmp_path):
    content = {"step": 1}
    content["model"] = content
    with pytest.raises(ArtifactError, match="got the keys model, step"):
        read_recce(saved(tmp_path, content))


@pytest.mark.parametrize(
    "bias",
    [
        torch.tensor([float("nan")]),
        torch.zeros(1).to_sparse(),
        torch.zeros(1, device="meta"),
        torch.zeros(1, dtype=torch.complex64),
    ],
    ids=["not a number", "sparse", "without values", "complex"],
)
def test_weights_that_are_no_plain_numbers_are_refused(tmp_path, bias):
    expected = r"recce.bin has tensors without plain, finite numbers, 1 in all, the first is fc.bias; take"
    with pytest.raises(ArtifactError, match=expected):
        read_recce(saved(tmp_path, zeros(fc__bias=bias)))


def test_a_size_that_the_network_cannot_take_is_refused(tmp_path):
    with pytest.raises(
        RecipeError, match="importing RECCE: 1 fault\n  input_size: must be greater than or equal to 64"
    ):
        read_recce(saved(tmp_path, zeros()), input_size=32)


def test_a_folder_with_something_in_it_is_refused_before_the_file_is_read(tmp_path):
    saved(tmp_path, {})
    with pytest.raises(OutputExistsError, match="exists and is not empty"):
        cli.recce(tmp_path / "gone.bin", tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"checkpoint .*gone.bin does not exist"):
        read_recce(tmp_path / "gone.bin")


def test_importing_draws_no_random_numbers(tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(ArtifactError, match="unexpected x"):
        read_recce(saved(tmp_path, zeros(x=torch.zeros(1))))
    assert torch.equal(torch.rand(3), expected)
