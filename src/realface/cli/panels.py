"""The panels in which `--help` shows the options of every command: Input, Model, Output, Advanced."""

from __future__ import annotations

from typing import Any

from typer import Context
from typer.core import TyperGroup

HELP_NAMES = ("-h", "--help")

PANELS: dict[str, tuple[str, ...]] = {
    "Input": (
        "--crops", "--data", "--dataset", "--face", "--failures", "--files", "--frames", "--from", "--identities",
        "--lmdb", "--only", "--reals", "--results", "--root", "--set", "--shard", "--split", "--verdicts", "--videos",
    ),
    "Model": (
        "--crop", "--detector", "--device", "--face-detector", "--image-size", "--mae", "--model", "--norm-pix",
        "--precision", "--residual", "--size", "--threshold",
    ),
    "Output": (
        "--absolute", "--audit", "--csv", "--examples", "--force", "--json", "--map", "--out", "--overlay", "--rffr",
        "--shard-size", "--unpack",
    ),
    "Advanced": (
        "--against", "--alignment", "--alpha", "--amplify", "--batch-size", "--beta", "--block", "--by",
        "--chunk-size", "--cluster", "--dtype", "--edge", "--faces", "--fractions", "--help",
        "--inpainting-faces", "--jpeg-quality", "--kind", "--landmarks", "--margin", "--merge", "--min-face", "--mode",
        "--of", "--outer-ring", "--pairs", "--pixels", "--quick", "--redo", "--repeats", "--resamples", "--resume",
        "--resynthesis", "--seed", "--shuffle", "--similar", "--steps", "--workers",
    ),
}  # fmt: skip
"""Options by panel, in the order of the panels; a new option of a command needs a place here."""

_PANEL_OF = {option: panel for panel, options in PANELS.items() for option in options}
_ORDER = list(PANELS)


class PanelGroup(TyperGroup):
    """A group that shows the options of its commands, and of the groups within it, in panels."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for command in self.commands.values():
            arrange(command)


def arrange(command: Any) -> None:
    """Set the panel of each option of a command, and sort the options by panel; arguments stay first.

    Args:
        command: command or group of typer, with `params`, and with `commands` if it is a group.
    """
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    arguments = [parameter for parameter in command.params if parameter.param_type_name != "option"]
    help_option = command.get_help_option(Context(command, help_option_names=list(HELP_NAMES)))
    for option in [*options, *filter(None, [help_option])]:
        option.rich_help_panel = panel_of(option.opts)
    command.params = [*arguments, *sorted(options, key=lambda option: _ORDER.index(option.rich_help_panel))]
    for inner in getattr(command, "commands", {}).values():
        arrange(inner)


def panel_of(names: list[str]) -> str:
    """Return the panel of an option.

    Args:
        names: its spellings, such as `-h` and `--help`.

    Returns:
        A key of `PANELS`; `Advanced` for an option that is missing there.
    """
    return next((_PANEL_OF[name] for name in names if name in _PANEL_OF), "Advanced")
