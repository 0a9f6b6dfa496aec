"""The command `realface`: registers the commands and turns errors into exit codes.

Exit codes: 0 success; 1 the answer is "no"; 2 the user must change something; 3 a bug in realface; 128 + the number of
the signal that ended the command, so 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from functools import partial
from typing import Annotated

import typer

from realface.cli import (
    bench,
    calibrate,
    card,
    demo,
    detect,
    doctor,
    evaluate,
    import_,
    inpaint,
    manifest,
    measure,
    models,
    prepare,
    pseudo_fakes,
    recipe,
    report,
    residuals,
    resynthesise,
    train,
)
from realface.cli.panels import HELP_NAMES, PanelGroup
from realface.core.allocator import keep_freed_memory
from realface.core.debugging import debugging
from realface.core.errors import RealfaceError, StoppedBySignal
from realface.core.process_number import process_number

USER_MUST_ACT, OUR_FAULT, INTERRUPTED = 2, 3, 130
OS_HINT = "check the path, its permissions and the free space on the disk"
BUG_HINT = "this is a bug in realface; report it with the output of `realface --debug ...`"

app = typer.Typer(
    cls=PanelGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_NAMES)},
    help="Detect manipulated faces in images and videos; train, evaluate and calibrate detectors.",
)
app.command("demo")(demo.command)
app.command("prepare")(prepare.command)
app.add_typer(manifest.app, name="manifest")
app.command("pseudo-fakes")(pseudo_fakes.command)
app.command("residuals")(residuals.command)
app.command("resynthesise")(resynthesise.command)
app.add_typer(recipe.app, name="recipe")
app.command("train")(train.command)
app.command("evaluate")(evaluate.command)
app.command("calibrate")(calibrate.command)
app.command("measure")(measure.command)
app.command("detect")(detect.command)
app.command("inpaint")(inpaint.command)
app.add_typer(import_.app, name="import")
app.command("report")(report.command)
app.command("card")(card.command)
app.command("models")(models.command)
app.command("bench")(bench.command)
app.command("doctor")(doctor.command)


def _print_version(asked: bool) -> None:
    if asked:
        from realface import __version__

        print(f"realface {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error, and the messages of the decoding libraries."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Accept the options before a command; `run` handles `--debug`, which is allowed anywhere."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    keep_freed_memory()
    # joblib, which scikit-learn imports, warns if /dev/shm is full; realface does not use joblib's processes
    warnings.filterwarnings("ignore", message=".*joblib will operate in serial mode", category=UserWarning)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    with debugging("--debug" in arguments):
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    process = _process(arguments)
    fail = partial(_fail, process=process, debug="--debug" in arguments)
    try:
        code = app(
            args=[argument for argument in arguments if argument != "--debug"],
            prog_name="realface",
            standalone_mode=False,  # typer then leaves the printing of errors to this function
        )
    except KeyboardInterrupt:
        code = INTERRUPTED
    except StoppedBySignal as stop:
        code = 128 + stop.number
        # every process of a training gets the signal; only the first reports it
        return code if process else fail(f"realface: {stop.text}", code, hint=stop.hint)
    except RealfaceError as error:
        return fail(f"error: {error.text}", USER_MUST_ACT, hint=error.hint)
    except typer.TyperException as error:  # a wrong option or argument
        text, hint = _usage_error(error)
        return fail(f"error: {text}", USER_MUST_ACT, hint=hint) if text else USER_MUST_ACT
    except OSError as error:  # no permission, a full disk, a folder in the place of a file
        return fail(f"error: {_in_words(error)}", USER_MUST_ACT, hint=OS_HINT if error.strerror else "")
    except Exception as error:
        text = "\n".join([f"internal error: {type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        return fail(
            text, OUR_FAULT, hint="this is a bug in realface; report it with the output of `realface --debug ...`"
        )
    if code == INTERRUPTED:  # typer turns Ctrl-C into this code
        print("realface: interrupted", file=sys.stderr)
    return code or 0


def _usage_error(error: typer.TyperException) -> tuple[str, str]:
    """Return typer's text and hint of a wrong option, in the form of all other errors.

    Both are empty if typer has printed the help of a command that was called without arguments.
    """
    message = error.format_message().removeprefix("Invalid value: ").replace("Input should", "must").rstrip(".")
    text, _, hint = message.partition("; ")
    text, _, similar = text.partition(" (Possible options: ")
    context = getattr(error, "ctx", None)
    if similar:
        hint = f"use {similar.removesuffix(')').replace(', ', ' or ')}"
    elif not hint and context is not None:
        hint = f"run `{context.command_path} --help`"
    return text[:1].lower() + text[1:], hint


def _in_words(error: OSError) -> str:
    """Return the file and the problem, without Python's error number; of a rename the new name."""
    name = error.filename2 or error.filename
    if name is None or not error.strerror:
        return str(error)
    return f"{name}: {error.strerror.lower()}"


def _fail(text: str, code: int, *, hint: str, process: str, debug: bool) -> int:
    """Print an error and its hint; return the exit code."""
    if debug:
        traceback.print_exc()
    lines = [text, f"hint: {hint}"] if hint else [text]
    print("\n".join(f"{process}{line}" for line in lines), file=sys.stderr)
    return code


def _process(arguments: list[str]) -> str:
    """Return `[process N] ` in the processes of a training after the first; else an empty string."""
    if next((word for word in arguments if not word.startswith("-")), "") != "train":
        return ""
    number = process_number()
    return f"[process {number}] " if number else ""
