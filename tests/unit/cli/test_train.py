import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from realface.cli import train
from realface.core.errors import MissingInputError, RecipeError, TrainingError
from realface.training import run as training_run
from realface.training.run import TrainResult

app = Typer()
app.command()(train.command)

RECIPE = """
method: {name: recce, encoder: light_xception}
data: {manifests: [faces.parquet]}
optim: {name: adam}
trainer: {steps: 10}
"""


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What the command starts training with, in place of training."""
    calls = []

    def note(recipe, out, *, resume=False, quiet=False):
        calls.append((recipe, out, quiet))
        return TrainResult(out / "artifact", "video_auc", 0.875, 5, 10, is_first_process=not resume)

    monkeypatch.setattr(training_run, "train", note)
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(RECIPE, encoding="utf-8")
    return calls


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_recipe_is_read_with_its_overrides(started):
    assert run("mine.yaml", "--out", "run", "--set", "optim.lr=1e-4", "--set", "seed=7").exit_code == 0
    [(recipe, out, _)] = started
    assert (recipe.optim.lr, recipe.seed, out) == (1e-4, 7, Path("run"))


def test_shipped_recipe_is_named_without_a_path(started):
    assert run("demo", "--out", "run", "--set", "data.manifests=[faces.parquet]").exit_code == 0
    assert started[0][0].artifact.purpose == "demonstration"


def test_result_is_printed(started):
    result = run("mine.yaml", "--out", "run")
    assert result.stdout == "best of 10 steps: 5, validation video_auc 0.8750\ndetector: run/artifact\n"


def test_error_of_a_run_on_reals_alone_says_which_way_is_better(started, monkeypatch):
    result = TrainResult(Path("run/artifact"), "inpainting_error", 0.00312449, 5, 10)
    monkeypatch.setattr(training_run, "train", lambda *_, **__: result)
    first = run("mine.yaml", "--out", "run").stdout.splitlines()[0]
    assert first == "best of 10 steps: 5, validation inpainting error 0.003124 (lower is better)"


def test_json_result_can_be_read_by_a_program(started):
    result = run("mine.yaml", "--out", "run", "--json")
    assert json.loads(result.stdout) == {
        "artifact": "run/artifact",
        "metric": "video_auc",
        "best_metric": 0.875,
        "best_step": 5,
        "steps": 10,
    }
    assert started[0][2], "nothing but the result is shown"


def test_faults_of_a_recipe_are_all_named(started):
    error = run("mine.yaml", "--out", "run", "--set", "optim.lr=0", "--set", "trainer.step=5").exception
    assert isinstance(error, RecipeError)
    assert str(error).startswith("--set: 2 faults")
    assert "--set trainer.step=5: trainer.step: no such setting; did you mean steps?" in error.faults
    assert not started


def test_unknown_recipe_lists_the_shipped_ones(started):
    error = run("gone.yaml", "--out", "run").exception
    assert isinstance(error, MissingInputError)
    assert "recipe gone.yaml does not exist; check the path, or use a shipped recipe: baseline-demo, " in str(error)


def test_without_a_recipe_there_must_be_a_run_to_take_up(started):
    assert isinstance(run("--out", "run").exception, RecipeError)
    with pytest.raises(TrainingError, match="run holds no run that could be taken up; name the recipe too"):
        raise run("--out", "run", "--resume").exception
    assert started == []


def test_resume_takes_the_recipe_of_the_run(started):
    Path("run").mkdir()
    Path("run/recipe.yaml").write_text(RECIPE, encoding="utf-8")
    Path("run/provenance.json").write_text("{}", encoding="utf-8")
    result = run("--out", "run", "--resume", "--set", "trainer.log_every=5")
    [(recipe, _, _)] = started
    assert recipe.trainer.log_every == 5
    assert result.stdout == ""  # as the stub says, another process tells
