"""The notebooks in `examples/` run from the first to the last cell, and are stored without outputs."""

import ast
import os
import shlex
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.main import get_command

from realface.cli.main import app

CHECKOUT = Path(__file__).parents[2]
NOTEBOOKS = sorted((CHECKOUT / "examples").glob("*.ipynb"))

by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def lines_of(path):
    return [line for cell in code_cells(path) for line in cell.source.splitlines()]


def test_there_are_three_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["detect", "evaluate", "train"]


@by_notebook
def test_a_notebook_is_valid_and_stored_without_outputs(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in code_cells(path)] == [None] * len(code_cells(path))
    assert [cell.outputs for cell in code_cells(path)] == [[]] * len(code_cells(path))


@by_notebook
def test_the_code_of_a_notebook_is_python_and_its_commands_have_their_options(path):
    ast.parse("\n".join(line for line in lines_of(path) if not line.startswith("!")))
    for line in (line[1:] for line in lines_of(path) if line.startswith("!")):
        command, words = get_command(app), [word for word in shlex.split(line)[1:] if word != "{model}"]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        command.make_context("realface", words)


def run(path, folder, monkeypatch):
    """Run a notebook in a folder, with the `realface` of the Python that runs the tests."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "realface"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m realface "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def text_of(notebook):
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def test_the_notebook_on_evaluation_runs(tmp_path, monkeypatch):
    text = text_of(run(CHECKOUT / "examples" / "evaluate.ipynb", tmp_path, monkeypatch))
    assert text.count("AUC 0.") == 11
    assert "Traceback" not in text


@pytest.mark.long
@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("name", ["detect", "train"])
def test_a_notebook_with_a_network_runs(name, tmp_path, monkeypatch):
    notebook = run(CHECKOUT / "examples" / f"{name}.ipynb", tmp_path, monkeypatch)
    assert "Traceback" not in text_of(notebook)
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert any(
        "image/png" in output.get("data", {}) or "image/jpeg" in output.get("data", {}) for output in last.outputs
    )
