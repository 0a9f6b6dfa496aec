"""The model card of the shipped detector says what the files of the checkout say."""

import shutil
from pathlib import Path

from realface.cli.main import run

CHECKOUT = Path(__file__).parents[2]
COMMAND = (
    "card",
    "src/realface/shipped/real-faces-only",
    "--results",
    "docs/model-card/pseudo-fakes.json",
    "--results",
    "docs/model-card/verdicts.json",
    "--data",
    "docs/model-card/data.json",
    "--failures",
)


def test_the_card_is_made_by_its_command_with_the_same_bytes(tmp_path: Path, monkeypatch) -> None:
    images, out = tmp_path / "docs/images/model-card", tmp_path / "docs/model-card.md"
    shutil.copytree(CHECKOUT / "docs/images/model-card", images)
    monkeypatch.chdir(CHECKOUT)
    assert run([*COMMAND, str(images), "--out", str(out)]) == 0
    assert out.read_bytes() == (CHECKOUT / "docs/model-card.md").read_bytes()


def test_make_card_runs_the_command() -> None:
    assert " ".join(["realface", *COMMAND]) in (CHECKOUT / "Makefile").read_text().replace("\\\n\t  ", "")
