import json

import pytest
import safetensors.torch
import torch

from realface.core.artifact import ArtifactCard
from realface.core.calibration import Band, Calibration, SourceCounts, TableHash, ValidatedRange
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, MissingInputError, OutputExistsError
from realface.core.files import sha256_of, write_json
from realface.models.artifact import copy_artifact, load_network, read_card, save_artifact
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce

CONFIG = RecceConfig(encoder="light_xception", input_size=64)


def card(**changes):
    fields = {
        "method": "recce",
        "config": CONFIG.model_dump(mode="json"),
        "input_size": 64,
        "crop": CropSpec(face_detector_version="1", margin=0.4),
        "threshold": 0.37,
        "purpose": "demonstration",
    }
    return ArtifactCard(**(fields | changes))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Recce(CONFIG).eval()


@pytest.fixture
def artifact(tmp_path, network):
    save_artifact(tmp_path / "artifact", network, card())
    return tmp_path / "artifact"


def change_card(artifact, **changes):
    document = json.loads((artifact / "model.json").read_text())
    write_json(artifact / "model.json", document | changes)


def exchange_weights(artifact, content: bytes):
    """Put other weights in, with the hash that belongs to them."""
    (artifact / "model.safetensors").write_bytes(content)
    change_card(artifact, weights_sha256=sha256_of(artifact / "model.safetensors"))


def test_round_trip_keeps_every_bit(artifact, network):
    loaded = load_network(artifact)
    expected = network.state_dict()
    assert list(loaded.state_dict()) == list(expected)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(image).logit, network(image).logit)
    assert loaded.config == CONFIG
    assert not loaded.training


def test_the_card_comes_back_with_the_hash_of_the_weights(artifact):
    assert read_card(artifact) == card(weights_sha256=sha256_of(artifact / "model.safetensors"))


def test_the_same_network_is_saved_as_the_same_bytes(artifact, network, tmp_path):
    save_artifact(tmp_path / "again", network, card())
    for name in ["model.json", "model.safetensors"]:
        assert (artifact / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_saving_replaces_an_older_artifact_and_leaves_nothing_else(artifact, network):
    save_artifact(artifact, network, card(threshold=0.9))
    assert read_card(artifact).threshold == 0.9
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_whoever_may_read_the_card_may_read_the_weights(artifact):
    card_mode, weights_mode = ((artifact / name).stat().st_mode for name in ("model.json", "model.safetensors"))
    assert weights_mode == card_mode


def test_loading_draws_no_random_numbers(artifact):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_network(artifact)
    assert torch.equal(torch.rand(3), expected)


def test_saving_refuses_a_card_of_another_network(tmp_path, network):
    other = card(config={"encoder": "light_xception", "input_size": 96})
    with pytest.raises(ArtifactError, match=r"the card's config is not the network's: .*96.* against .*64"):
        save_artifact(tmp_path / "artifact", network, other)
    assert not (tmp_path / "artifact").exists()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"artifact .*gone does not exist"):
        load_network(tmp_path / "gone")


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"has no model.json; give the folder that `realface train` wrote as RUN"):
        load_network(tmp_path)


def test_a_folder_without_weights_is_refused(artifact):
    (artifact / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"artifact has no model.safetensors; copy the artifact again"):
        load_network(artifact)


@pytest.mark.parametrize(
    ("content", "text"),
    [("{", r"model.json is not JSON \(.*\); copy"), ("[]", r"model.json: expected a mapping, got list; copy")],
)
def test_a_damaged_card_is_refused(artifact, content, text):
    (artifact / "model.json").write_text(content)
    with pytest.raises(ArtifactError, match=text):
        read_card(artifact)


@pytest.mark.parametrize(
    ("format_version", "advice"),
    [
        (1, "train or import the detector again"),
        (3, "use the version that wrote it"),
        (None, "use the version that wrote"),
    ],
)
def test_another_format_is_refused(artifact, format_version, advice):
    change_card(artifact, format=format_version)
    with pytest.raises(ArtifactError, match=f"realface reads format 2, got format {format_version}; {advice}"):
        read_card(artifact)


def calibration(**changes):
    fields = {
        "rule": "as a test has it",
        "image": Band(real_below=0.2, fake_from=0.8),
        "sources": [SourceCounts(name="lfw", label="real", images=40, videos=0, identities=40)],
        "tables": [TableHash(name="verdicts.json", sha256="0" * 64)],
        "input_size": 64,
        "num_frames": 8,
    }
    return Calibration(**(fields | changes))


def test_a_calibration_and_the_validated_range_come_back(tmp_path, network):
    validated = ValidatedRange(min_face_size=40, min_sharpness=0.1, min_frames=2, share_answered=0.9)
    save_artifact(tmp_path / "artifact", network, card(calibration=calibration(), validated_on=validated))
    found = read_card(tmp_path / "artifact")
    assert (found.calibration, found.validated_on) == (calibration(), validated)
    assert (found.calibration.alpha, found.calibration.video) == (0.05, None)


def test_a_band_whose_scores_are_in_the_wrong_order_is_refused(artifact):
    document = calibration().model_dump(mode="json")
    document["image"] = {"real_below": 0.9, "fake_from": 0.1}
    change_card(artifact, calibration=document)
    with pytest.raises(ArtifactError, match=r"calibration.image: real_below 0.9 must not exceed fake_from 0.1"):
        read_card(artifact)


def test_a_copy_has_the_same_weights_and_the_new_card(artifact, tmp_path, network):
    copy = tmp_path / "copy"
    copy_artifact(artifact, copy, read_card(artifact).model_copy(update={"threshold": 0.75}))
    assert (copy / "model.safetensors").read_bytes() == (artifact / "model.safetensors").read_bytes()
    assert read_card(copy).threshold == 0.75
    assert torch.equal(load_network(copy).state_dict()["fc.bias"], network.state_dict()["fc.bias"])


def test_a_copy_of_damaged_weights_or_onto_something_is_refused(artifact, tmp_path):
    with pytest.raises(OutputExistsError, match=r"artifact exists and is not empty; give another folder"):
        copy_artifact(artifact, artifact, read_card(artifact))
    (artifact / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"model.safetensors is damaged or was exchanged"):
        copy_artifact(artifact, tmp_path / "copy", read_card(artifact))


def test_all_faults_of_a_card_are_named_at_once(artifact):
    change_card(artifact, treshold=1, input_size=-3)
    with pytest.raises(ArtifactError, match="2 faults") as caught:
        read_card(artifact)
    assert "treshold: no such setting; did you mean threshold?" in str(caught.value)
    assert "input_size: must be greater than 0, got -3" in str(caught.value)


def test_a_fault_in_the_methods_config_is_named(artifact):
    change_card(artifact, config={"encoder": "light_xeption"})
    with pytest.raises(ArtifactError, match=r"model.json: config: 1 fault\n.*did you mean light_xception\?"):
        load_network(artifact)


def test_an_unknown_method_is_refused_with_the_likely_one(artifact):
    change_card(artifact, method="reccee")
    with pytest.raises(ArtifactError, match=r"model.json: no method is called 'reccee'; did you mean recce\?"):
        load_network(artifact)


def test_weights_with_one_changed_bit_are_refused(artifact):
    content = bytearray((artifact / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (artifact / "model.safetensors").write_bytes(content)
    with pytest.raises(
        ArtifactError, match=r"model.safetensors is damaged or was exchanged: its SHA-256 is \w{64}, mod"
    ):
        load_network(artifact)


def test_weights_without_a_hash_are_refused(artifact):
    change_card(artifact, weights_sha256="")
    with pytest.raises(ArtifactError, match=r"model.json says nothing; copy the artifact again"):
        load_network(artifact)


def test_weights_that_are_no_safetensors_are_refused(artifact):
    exchange_weights(artifact, b"these are no weights")
    with pytest.raises(ArtifactError, match=r"model.safetensors is not a safetensors file \(.*\); copy"):
        load_network(artifact)


def test_all_parameters_that_do_not_fit_are_named_at_once(artifact, network):
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    del weights["fc.bias"]
    exchange_weights(artifact, safetensors.torch.save(weights | {"extra": torch.zeros(1), "fc.weight": torch.zeros(2)}))
    with pytest.raises(ArtifactError, match=r"missing fc.bias; unexpected extra; fc.weight must have shape \(1, 512\)"):
        load_network(artifact)
