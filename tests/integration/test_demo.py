import json
import re
import shutil

import pytest

from realface.cli.main import run
from realface.core import shipped
from realface.core.shipped import DEFAULT_NAME, shipped_detectors
from realface.demo.story import MARK, verdict_lines
from realface.models.artifact import read_card


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A quick demo's folder, beside what it printed as JSON."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    assert run(["demo", "--quick", "--out", str(out), "--workers", "1", "--json"]) == 0
    return out


def test_every_stage_leaves_what_the_next_one_needs(told):
    assert (told / "faces" / "manifest.parquet").exists()
    assert (told / "evaluation" / "metrics.json").exists()
    assert (told / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert read_card(told / "run" / "artifact").purpose == "demonstration"


def test_the_outcome_names_stages_videos_and_what_it_does_not_show(told):
    outcome = json.loads((told / MARK).read_text(encoding="utf-8"))
    stages = ["sample study", "prepare", "train", "evaluate", "detect", "report"]
    stages += ["shipped detector"] if DEFAULT_NAME in shipped_detectors() else []
    assert list(outcome["seconds"]) == stages
    assert (outcome["real_videos"], outcome["fake_videos"]) == (2, 6)
    assert "does not predict results on real deepfakes" in outcome["note"]
    assert outcome["skipped"] == {}


def test_the_shipped_detector_gives_verdicts_on_the_demos_videos(told, tmp_path, monkeypatch):
    shutil.copytree(told / "run" / "artifact", tmp_path / DEFAULT_NAME)
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path)
    video = next((told / "study" / "original_sequences").rglob("*.mp4"))
    (line,) = verdict_lines(None, [video])
    assert line.startswith(f"path: {video} | score: ")


def test_an_older_demo_is_replaced_but_nothing_else(told, tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    assert run(["demo", "--quick", "--out", str(tmp_path / "thesis")]) == 2
    assert "contains something other than a demo\nhint: pass another folder with --out" in capsys.readouterr().err
    assert (tmp_path / "thesis" / "chapter1.txt").exists()
    (tmp_path / "file").write_text("")
    assert run(["demo", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert "is a file\nhint: pass a folder with --out" in capsys.readouterr().err


def test_a_verdict_of_the_demos_detector_says_what_it_is_worth(told, capsys):
    video = next((told / "study" / "original_sequences").rglob("*.mp4"))
    assert run(["detect", str(video), "--model", str(told / "run")]) == 0
    line = capsys.readouterr().out.strip()
    assert re.match(rf"path: {re.escape(str(video))} \| score: [01]\.\d{{4}} \|", line)
    assert line.endswith("| demonstration model: says nothing about real videos")
