from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from realface.cli.main import app, run
from realface.cli.panels import PANELS


def commands_of(command: Any) -> Iterator[Any]:
    if not hasattr(command, "commands"):
        yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands_of(inner)


def options_of(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


COMMANDS = list(commands_of(get_command(app)))


def test_each_option_of_each_command_has_one_panel() -> None:
    listed = [option for options in PANELS.values() for option in options]
    assert len(listed) == len(set(listed))
    used = {name for command in COMMANDS for option in options_of(command) for name in option.opts}
    assert used - set(listed) == set(), "add the option to a panel of realface.cli.panels"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_options_are_sorted_by_panel(command: Any) -> None:
    order = [list(PANELS).index(option.rich_help_panel) for option in options_of(command)]
    assert order == sorted(order)


def test_help_shows_the_panels_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", "--help"]) == 0
    out = capsys.readouterr().out
    places = [out.index(f"─ {panel} ─") for panel in ("Arguments", *PANELS)]
    assert places == sorted(places)


def test_the_shell_completes_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_REALFACE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "realface det")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        run([])
    assert capsys.readouterr().out.split() == ["detect"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    command = f"{sys.executable} -m realface --install-completion; exit $?"  # so that bash stays the parent
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=True)
    assert any("realface" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
