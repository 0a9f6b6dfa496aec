import subprocess
import sys

import pytest

from realface.cli import main as command_line
from realface.cli.main import run
from realface.core import shipped
from realface.core.debugging import is_debugging
from realface.core.errors import ManifestError, StoppedBySignal


def failing(monkeypatch, error):
    def app(**_options):
        raise error

    monkeypatch.setattr(command_line, "app", app)


def test_a_user_error_without_a_hint_is_one_line_and_code_2(monkeypatch, capsys):
    failing(monkeypatch, ManifestError("a.csv:3: label must be 0 or 1"))
    assert run(["manifest", "check", "a.csv"]) == 2
    assert capsys.readouterr().err == "error: a.csv:3: label must be 0 or 1\n"


def test_a_hint_is_a_second_line(monkeypatch, capsys):
    failing(monkeypatch, ManifestError("a.csv is a folder", hint="give a file"))
    assert run(["manifest", "check", "a.csv"]) == 2
    assert capsys.readouterr().err == "error: a.csv is a folder\nhint: give a file\n"


def test_a_folder_that_may_not_be_written_is_a_users_fault(monkeypatch, capsys):
    failing(monkeypatch, PermissionError(13, "Permission denied", "/out"))
    assert run(["prepare"]) == 2
    assert capsys.readouterr().err.startswith("error: /out: permission denied\nhint: check the path")


def test_a_folder_in_the_place_of_a_file_is_told_in_words_with_the_place_that_was_meant(monkeypatch, capsys):
    failing(monkeypatch, IsADirectoryError(21, "Is a directory", ".out.1234.partial", None, "out"))
    assert run(["models"]) == 2
    told = capsys.readouterr().err
    expected = "error: out: is a directory\nhint: check the path, its permissions and the free space on the disk\n"
    assert told == expected


def test_our_fault_is_code_3_and_says_how_to_report_it(monkeypatch, capsys):
    error = KeyError("x")
    error.add_note("while preparing a.mp4")
    failing(monkeypatch, error)
    assert run(["train"]) == 3
    message = capsys.readouterr().err
    assert "internal error: KeyError: 'x'\nwhile preparing a.mp4\n" in message
    assert "realface --debug" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("arguments", [["--debug", "train"], ["train", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch, capsys, arguments):
    failing(monkeypatch, KeyError("x"))
    assert run(arguments) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--debug", "detect"], ["detect"]])
def test_debug_lets_libraries_write_to_the_terminal(monkeypatch, arguments):
    asked = []
    monkeypatch.delenv("REALFACE_DEBUG", raising=False)
    monkeypatch.setattr(command_line, "app", lambda **_options: asked.append(is_debugging()))
    assert run(arguments) == 0
    assert asked == ["--debug" in arguments]
    assert not is_debugging()


def test_ctrl_c_is_code_130(monkeypatch, capsys):
    failing(monkeypatch, KeyboardInterrupt())
    assert run(["train"]) == 130
    assert capsys.readouterr().err == "realface: interrupted\n"


def test_an_unknown_option_is_code_2(capsys):
    assert run(["detect", "--modle", "x", "a.jpg"]) == 2
    assert capsys.readouterr().err == "error: no such option: --modle\nhint: use --model\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["detect"], "error: missing argument 'FILE_OR_FOLDER'\nhint: run `realface detect --help`\n"),
        (["train"], "error: missing option '--out'\nhint: run `realface train --help`\n"),
        (["nonsense"], "error: no such command 'nonsense'\nhint: run `realface --help`\n"),
        (
            ["detect", "--frames", "0", "a.mp4"],
            "error: invalid value for '--frames': must be greater than or equal to 1\n"
            "hint: run `realface detect --help`\n",
        ),
    ],
)
def test_a_usage_error_has_the_form_of_all_errors(capsys, arguments, expected):
    assert run(arguments) == 2
    assert capsys.readouterr().err == expected


def test_a_group_without_a_command_prints_its_help_only(capsys):
    assert run(["manifest"]) == 2
    printed = capsys.readouterr()
    assert "Usage: realface manifest" in printed.out
    assert printed.err == ""


MISSING_MODEL = """
import sys
from realface.cli.main import run
codes = [run(["detect", "--model", "gone", "a.jpg"]), run(["evaluate", "gone", "m.csv", "--out", "out"])]
print(codes, "torch" in sys.modules)
"""


def test_a_missing_model_is_reported_before_torch_is_imported():
    found = subprocess.run([sys.executable, "-c", MISSING_MODEL], capture_output=True, text=True, check=True)
    assert found.stdout == "[2, 2] False\n"
    assert found.stderr.count("error: artifact gone does not exist\nhint: check the path, or give a shipped") == 2


def test_the_version_is_printed(capsys):
    from realface import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"realface {__version__}\n"


def test_a_command_without_a_model_names_what_makes_one(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", tmp_path / "shipped")
    assert run(["detect", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "realface demo" in message
    assert "realface train" in message


def test_signal_is_told_with_its_code(monkeypatch, capsys):
    failing(monkeypatch, StoppedBySignal(15, " after step 3"))
    assert run(["train"]) == 143
    assert capsys.readouterr().err == "realface: stopped by SIGTERM after step 3\n"


@pytest.mark.parametrize("arguments", [["train"], ["--debug", "train"]])
def test_fault_of_another_process_names_it(monkeypatch, capsys, arguments):
    monkeypatch.setenv("RANK", "3")
    failing(monkeypatch, ManifestError("bad"))
    assert run(arguments) == 2
    assert capsys.readouterr().err.endswith("[process 3] error: bad\n")


def test_signal_is_told_by_the_first_process_only(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "3")
    failing(monkeypatch, StoppedBySignal(15, " after step 3"))
    assert run(["train"]) == 143
    assert capsys.readouterr().err == ""


def test_number_of_a_process_is_of_no_interest_to_other_commands(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "3")  # left by what started this
    failing(monkeypatch, ManifestError("bad"))
    assert run(["--debug", "manifest", "check", "train"]) == 2
    assert capsys.readouterr().err.endswith("\nerror: bad\n")
