from __future__ import annotations

import json
from pathlib import Path

import pytest

from realface.cli.main import run
from realface.core.shipped import SHIPPED_RECIPES

FACES = ["--set", "data.manifests=[m.parquet]"]


def test_list_names_each_shipped_recipe_with_what_it_trains(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in SHIPPED_RECIPES.glob("*.yaml"))
    assert all(len(line.split()) > 3 for line in lines)


def test_list_as_json_maps_names_to_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "list", "--json"]) == 0
    titles = json.loads(capsys.readouterr().out)
    assert titles["demo"].startswith("A small RECCE for the sample study")


def test_show_prints_the_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "show", "demo"]) == 0
    assert capsys.readouterr().out == (SHIPPED_RECIPES / "demo.yaml").read_text(encoding="utf-8")


def test_a_recipe_that_does_not_exist_lists_the_shipped_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "show", "dmo"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: recipe dmo does not exist"
    assert hint.startswith("hint: check the path, or use a shipped recipe: baseline-demo, ")


def test_check_reports_all_errors_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((SHIPPED_RECIPES / "demo.yaml").read_text(encoding="utf-8") + "sed: 1\n", encoding="utf-8")
    assert run(["recipe", "check", str(path), "--set", "trainer.stps=1", *FACES]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: {path}: 2 faults"
    assert set(lines[1:]) == {
        "  --set trainer.stps=1: trainer.stps: no such setting; did you mean steps?",
        "  sed: no such setting; did you mean seed?",
    }


def test_check_of_a_sound_recipe_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "check", "demo", "--set", "trainer.steps=1200", *FACES]) == 0
    assert capsys.readouterr().out == "demo: no errors (method recce, 1,200 steps)\n"
