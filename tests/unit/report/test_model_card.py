"""The model card of a detector."""

import json
import os

import numpy as np
import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

from realface.cli import card as card_command
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError, MissingInputError, RecipeError
from realface.evaluation.results import Result, write_results
from realface.media.images import write_image
from realface.models.artifact import save_artifact
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.report.model_card import estimate_text, named, write_model_card

app = Typer()
app.command()(card_command.command)

TRAINED_ON = [
    {"name": "faces/split.parquet", "sha256": "ab" * 32, "rows": 1234, "crop": "mtcnn"},
    {
        "role": "pseudo-fakes",
        "name": "made from the real faces of this run; no real fakes were used",
        "shares": {"swap": 0.25, "self_blend": 0.75},
        "held_out": ["mouth"],
        "sources": {"phones": {"crops": 1000, "identities": 70}, "press|news": {"crops": 234, "identities": 9}},
    },
]
RESULTS = [
    Result(name="pseudo-fakes", data="test", metric="auc", value=0.9123, low=0.85, high=0.95, n=96, groups=40),
    Result(name="pseudo-fakes", data="test", metric="auc", value=None, n=0, kind="swap"),
    Result(
        name="real faces",
        data="test",
        metric="false alarms",
        value=0.04,
        low=0.01,
        high=0.12,
        n=96,
        groups=40,
        source="x",
    ),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with an artifact and results."""
    folder = tmp_path_factory.mktemp("run")
    config = BaselineConfig(encoder="light_xception", input_size=64)
    card = ArtifactCard(
        method="baseline",
        config=config.model_dump(mode="json"),
        input_size=64,
        crop=CropSpec(face_detector_version="1", margin=0.4),
        threshold=0.37,
        threshold_rule="at most 5 %",
        trained_on=TRAINED_ON,
        licence="research only",
        provenance={
            "recipe": "real-faces-only",
            "device": "cpu",
            "threads": 2,
            "machine": {"cores": 2},
            "training": {"images": 25600, "seconds": 1800.0},
        },
    )
    torch.manual_seed(0)
    save_artifact(folder / "artifact", Baseline(config), card)
    write_results(folder / "results.json", RESULTS)
    return folder


def text_of(run, tmp_path, **settings):
    write_model_card(run, tmp_path / "card.md", **settings)
    return (tmp_path / "card.md").read_text(encoding="utf-8")


def test_the_card_says_data_method_numbers_and_limits(run, tmp_path):
    text = text_of(run, tmp_path)
    for expected in (
        "# Model card: real-faces-only",
        "Never publish or remove content on the score alone.",
        "Wholly generated images and videos",
        "Voices and sound",
        "| training faces | faces/split.parquet | 1,234 | `abababababab` |",
        "| phones | - | 1,000 | 70 | unstated |",
        "| press\\|news | - | 234 | 9 | unstated |",
        "| self_blend | 75.0 % |",
        "Kinds that training never made, for validation only: mouth.",
        "Training: 25,600 images in 30 min, without validation, on cpu with 2 threads of a machine with 2 cores.",
        "| score from which a face is called fake | 0.3700 |",
        "| auc | pseudo-fakes | all | all | 0.912 [0.850, 0.950] | 96 pairs | 40 identities |",
        "| auc | pseudo-fakes | swap | all | - | 0 pairs | - |",
        "| false alarms | real faces | all | x | 4.0 % [1.0, 12.0] | 96 pairs | 40 identities |",
        "## Licence of the weights\n\nresearch only",
    ):
        assert expected in text


def test_the_same_files_give_the_same_bytes(run, tmp_path):
    first = CliRunner().invoke(app, [str(run), "--out", str(tmp_path / "a.md")])
    assert first.stdout == f"card: {tmp_path / 'a.md'}\n"
    shown = CliRunner().invoke(app, [str(run), "--out", str(tmp_path / "b.md"), "--json"])
    assert json.loads(shown.stdout) == {"card": str(tmp_path / "b.md")}
    assert (tmp_path / "a.md").read_bytes() == (tmp_path / "b.md").read_bytes()


def test_results_of_the_run_and_given_ones_count_once(run, tmp_path):
    assert text_of(run, tmp_path, results=[run / "results.json"]) == text_of(run, tmp_path)


def test_an_artifact_alone_has_no_results(run, tmp_path):
    assert "## Results\n\nNone were given." in text_of(run / "artifact", tmp_path)


def test_given_licences_stand_in_the_table_of_sources(run, tmp_path):
    entries = [{"name": "phones", "content": "photos of staff", "licence": "consent given"}]
    (tmp_path / "data.json").write_text(json.dumps(entries), encoding="utf-8")
    text = text_of(run, tmp_path, data=tmp_path / "data.json")
    assert "| phones | photos of staff | 1,000 | 70 | consent given |" in text


def test_failures_are_shown_by_a_link_from_the_card(run, tmp_path):
    (tmp_path / "failures").mkdir()
    write_image(tmp_path / "failures" / "hat.png", np.zeros((8, 8, 3), np.uint8))
    entries = [{"file": "hat.png", "caption": "a real face with a hat, score 0.91"}]
    (tmp_path / "failures" / "failures.json").write_text(json.dumps(entries), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    write_model_card(run, tmp_path / "docs" / "card.md", failures=tmp_path / "failures")
    text = (tmp_path / "docs" / "card.md").read_text(encoding="utf-8")
    link = os.path.join("..", "failures", "hat.png")  # noqa: PTH118 (a link)
    assert f"![a real face with a hat, score 0.91]({link})" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not JSON"),
        ("{}", "expected a list, got dict"),
        ('[{"file": "a.png"}]', "entry 1: 1 fault\n  caption: required"),
    ],
)
def test_faults_of_the_list_of_failures_are_named(run, tmp_path, text, message):
    (tmp_path / "failures.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        text_of(run, tmp_path, failures=tmp_path)


def test_a_missing_image_of_a_failure_is_named(run, tmp_path):
    (tmp_path / "failures.json").write_text('[{"file": "a.png", "caption": "a face"}]', encoding="utf-8")
    with pytest.raises(MissingInputError, match=r"names a\.png, which does not exist; add the image"):
        text_of(run, tmp_path, failures=tmp_path)


def test_an_artifact_without_weights_is_refused(run, tmp_path):
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "model.json").write_bytes((run / "artifact" / "model.json").read_bytes())
    with pytest.raises(ArtifactError, match=r"has no model\.safetensors; copy the artifact again"):
        text_of(tmp_path / "artifact", tmp_path)


def test_a_demonstration_says_that_it_means_nothing(run, tmp_path):
    document = json.loads((run / "artifact" / "model.json").read_text(encoding="utf-8")) | {"purpose": "demonstration"}
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "model.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "artifact" / "model.safetensors").write_bytes(b"weights")
    assert "This detector means nothing about real videos." in text_of(tmp_path / "artifact", tmp_path)


def test_a_result_in_words_names_its_kind_and_source():
    assert [named(result) for result in RESULTS] == [
        "auc, pseudo-fakes",
        "auc, pseudo-fakes (kind swap)",
        "false alarms, real faces (source x)",
    ]
    assert [estimate_text(result) for result in RESULTS] == ["0.912 [0.850, 0.950]", "-", "4.0 % [1.0, 12.0]"]
