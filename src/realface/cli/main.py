"""The command `realface`: registers the commands and turns errors into exit codes.

Exit codes: 0 done; 1 the answer is "no"; 2 the user must change something; 3 our fault; 128 + the number of the signal
that ended it, so 130 after Ctrl-C.
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
    report,
    residuals,
    resynthesise,
    train,
)
from realface.core.allocator import keep_freed_memory
from realface.core.debugging import debugging
from realface.core.errors import RealfaceError, StoppedBySignal
from realface.core.process_number import process_number

USER_MUST_ACT, OUR_FAULT, BROKEN_OFF = 2, 3, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learn what real faces look like, and find forged ones by what does not fit.",
)
app.command("demo")(demo.command)
app.command("prepare")(prepare.command)
app.add_typer(manifest.app, name="manifest")
app.command("pseudo-fakes")(pseudo_fakes.command)
app.command("residuals")(residuals.command)
app.command("resynthesise")(resynthesise.command)
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
        typer.Option(
            "--debug", help="Show the traceback of an error, and messages of the libraries that decode files."
        ),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command; `run` acts on `--debug`, which it accepts anywhere."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    keep_freed_memory()
    # joblib, which scikit-learn imports, warns if /dev/shm is full; nothing here uses joblib's processes
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
    tell = partial(_tell, process=process, debug="--debug" in arguments)
    try:
        app(args=[argument for argument in arguments if argument != "--debug"])
    except SystemExit as end:  # how typer ends, also after a wrong option, which it explains itself
        code = end.code if isinstance(end.code, int) else 0
        if code == BROKEN_OFF:
            print("realface: broken off", file=sys.stderr)
        return code
    except KeyboardInterrupt:
        print("realface: broken off", file=sys.stderr)
        return BROKEN_OFF
    except StoppedBySignal as stop:
        code = 128 + stop.number
        return code if process else tell(str(stop), code)  # which comes to all processes; the first one tells
    except RealfaceError as error:
        return tell(f"error: {error}", USER_MUST_ACT)
    except OSError as error:  # no permission, a full disk, a folder in the place of a file
        return tell(f"error: {_in_words(error)}", USER_MUST_ACT)
    except Exception as error:
        fault = "\n".join([f"internal error: {type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        advice = "This is a fault of realface; please report it with what `realface --debug ...` prints."
        return tell(f"{fault}\n{advice}", OUR_FAULT)
    return 0


def _in_words(error: OSError) -> str:
    """Where and what, without Python's error number; of a rename the place that was meant."""
    name = error.filename2 or error.filename
    if name is None or not error.strerror:
        return str(error)
    return f"{name}: {error.strerror.lower()}; check the path, its permissions and the space on the disk"


def _tell(text: str, code: int, *, process: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"realface{process}: {text}", file=sys.stderr)
    return code


def _process(arguments: list[str]) -> str:
    """Which process of a training on several this is; nothing for the first, and for all other commands."""
    if next((word for word in arguments if not word.startswith("-")), "") != "train":
        return ""
    number = process_number()
    return f" [process {number}]" if number else ""
