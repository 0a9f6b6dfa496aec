import json

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from realface.bench import face_crops
from realface.cli import pseudo_fakes
from realface.data.leak_audit import LeakReport
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.resynthesis_store import RenderedFace, ResynthesisHeader, write_store
from realface.evaluation import pseudo_fakes as looked_at
from realface.evaluation.pseudo_fakes import FaceSet, available_kinds
from realface.media.images import read_image, write_image

app = Typer()
app.command()(pseudo_fakes.command)
LEAK = LeakReport("parts", 500, 3, {"blocks": 0.5}, 500)
CLEAN = LeakReport("parts", 500, 0, {"blocks": 0.5}, 500)
FEW = LeakReport("parts", 20, 0, {"blocks": 0.5}, 20)


@pytest.fixture
def run(monkeypatch, astronaut, hopper):
    faces = FaceSet([astronaut[0], hopper[0]], [astronaut[1], hopper[1]], ["a", "b"], num_without_face=1)
    monkeypatch.setattr(face_crops, "named_crops", lambda crops: ([np.zeros((8, 8, 3), np.uint8)], ["a"]))
    monkeypatch.setattr(looked_at, "find_faces", lambda images, names, renderings=None: faces)

    def invoke(*options, report=CLEAN):
        asked = []

        def audit_kind(kind, faces, *, num_pairs, seed):
            asked.append((kind, num_pairs, seed))
            return report

        monkeypatch.setattr(looked_at, "audit_kind", audit_kind)
        return CliRunner().invoke(app, list(options)), asked

    return invoke


def test_without_options_the_kinds_are_listed(run):
    result, asked = run()
    assert result.exit_code == 0
    assert result.stdout.split() == available_kinds()
    assert "1 crops without a face are left out" in result.stderr
    assert not asked


def test_a_contact_sheet_is_written_for_each_kind(run, tmp_path):
    result, _ = run("--out", str(tmp_path), "--kind", "parts", "--kind", "mouth", "--examples", "2")
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"parts.jpg", "mouth.jpg"}
    assert read_image(tmp_path / "parts.jpg").shape[1] > 1000
    assert str(tmp_path / "mouth.jpg") in result.stdout


@pytest.mark.parametrize(("report", "code"), [(CLEAN, 0), (LEAK, 1), (FEW, 1)])
def test_an_audit_that_does_not_pass_ends_with_code_1(run, report, code):
    result, asked = run("--audit", "--kind", "parts", "--pairs", "300", "--seed", "4", report=report)
    assert result.exit_code == code
    assert asked == [("parts", 300, 4)]
    assert report.describe() in result.stdout


def test_json_has_reports_and_leaks(run):
    result, _ = run("--audit", "--kind", "parts", "--json", report=LEAK)
    document = json.loads(result.stdout)
    assert document["kinds"] == ["parts"]
    assert document["audit"][0]["num_unequal"] == 3
    assert document["audit"][0]["leaks"] == ["3 of 500 pairs differ outside the mask"]


def error_of(result):
    assert result.exit_code == 2
    return " ".join(result.stderr.replace("│", " ").split())


def test_an_unknown_kind_is_refused_with_the_known_ones(run):
    result, _ = run("--kind", "puppet")
    assert "unknown kind 'puppet'; allowed: self_blend" in error_of(result)


def test_the_kind_resynthesis_is_refused_without_a_store(run):
    result, _ = run("--kind", "resynthesis")
    assert "kind resynthesis needs faces that a network has rendered; run" in error_of(result)


def test_a_store_is_refused_without_the_crops_that_it_shows(run, tmp_path):
    result, _ = run("--resynthesis", str(tmp_path))
    assert "--resynthesis needs the folder or manifest of the crops that were rendered" in error_of(result)


def test_a_store_makes_the_kind_resynthesis_available(run, tmp_path, astronaut):
    write_image(tmp_path / "crops" / "a.png", astronaut[0])
    face = RenderedFace(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), "dense-1")
    write_store(tmp_path / "store", ResynthesisHeader(network="autoencoder", side=8), [("ab" * 32, face)])
    result, _ = run(str(tmp_path / "crops"), "--resynthesis", str(tmp_path / "store"))
    assert result.stdout.split() == list(KINDS)
