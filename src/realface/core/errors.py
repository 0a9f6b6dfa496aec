"""Errors that a user can cause and can correct.

Each class also inherits the matching builtin, so `except ValueError` works for callers who do not know this package.
The text gives the location, the expected value and the value found; the hint gives the remedy.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence


class RealfaceError(Exception):
    """The user must change something. The command line prints `error:` and `hint:` and ends with exit code 2.

    `str(error)` gives both in one line: `text; hint`.

    Args:
        text: description of the error: the location, the expected value and the value found. Lower case, no full stop.
        hint: the remedy, in the imperative, as a command if possible; empty without a remedy.

    Attributes:
        text: description of the error.
        hint: the remedy, or an empty string.

    Example:
        >>> str(RealfaceError("faces.csv is a folder", hint="give a file"))
        'faces.csv is a folder; give a file'
    """

    def __init__(self, text: str, *, hint: str = "") -> None:
        self.text = text
        self.hint = hint
        super().__init__(f"{text}; {hint}" if hint else text)


class MissingInputError(RealfaceError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class UnreadableFolderError(RealfaceError, PermissionError):
    """A folder that was named, or one inside it, cannot be listed."""


class OutputExistsError(RealfaceError, FileExistsError):
    """An output file or folder exists already."""


class MediaError(RealfaceError, ValueError):
    """An image or video cannot be used.

    Attributes:
        reason: a short fixed phrase such as "empty file"; skipped files are counted per reason.
    """

    def __init__(self, text: str, *, reason: str, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.reason = reason


class TextFileError(RealfaceError, ValueError):
    """A text file is not in UTF-8."""


class ManifestError(RealfaceError, ValueError):
    """A manifest, or a list that should become one, is not as documented."""


class DatasetError(RealfaceError, ValueError):
    """A folder is not the requested dataset, is no known dataset, or is inconsistent."""


class LeakError(ManifestError):
    """A video or an identity appears in two splits."""


class CropSpecError(RealfaceError, ValueError):
    """The settings of crops differ from the settings that a model or a manifest expects."""


class PrepareError(RealfaceError, RuntimeError):
    """`prepare` cannot start or finish as requested."""


class FaceDetectorError(RealfaceError, ValueError):
    """A face detector's file cannot be used."""


class RecipeError(RealfaceError, ValueError):
    """A recipe has faults.

    Attributes:
        faults: one line per fault.
    """

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"{where}: {count}", *(f"  {fault}" for fault in self.faults)]))


class ArtifactError(RealfaceError, ValueError):
    """A detector's folder is missing, damaged, or does not fit."""


class CalibrationError(RealfaceError, ValueError):
    """Verdicts of held-out files cannot calibrate a detector."""


class ResidualStoreError(RealfaceError, ValueError):
    """Stored residuals are damaged, incomplete, or belong to other crops or another model."""


class ResynthesisStoreError(RealfaceError, ValueError):
    """A store of re-synthesised faces is damaged, or is something else."""


class MethodError(RealfaceError, ValueError):
    """A method is unknown, or the installed add-on that provides it is broken."""


class ModelInputError(RealfaceError, ValueError):
    """A batch of images does not have the shape that a network takes."""


class MetricError(RealfaceError, ValueError):
    """The requested metric cannot be computed from the scores."""


class DeviceError(RealfaceError, RuntimeError):
    """The requested device is not available."""


class BenchmarkError(RealfaceError, RuntimeError):
    """A benchmark cannot run, or one of the programs that it times failed."""


class ReportError(RealfaceError, ValueError):
    """A report cannot be written as requested."""


class PseudoFakeError(RealfaceError, ValueError):
    """A pseudo-fake cannot be made from the given image or landmarks."""


class LoadingError(RealfaceError, RuntimeError):
    """Worker processes that read crops cannot start, or a batch cannot be read or sent."""


class TrainingError(RealfaceError, RuntimeError):
    """A training run cannot start or continue."""


class StoppedBySignal(RealfaceError, RuntimeError):  # noqa: N818 (a wish, not a fault)
    """A signal ended a long task, which can be resumed.

    Attributes:
        number: number of the signal.
    """

    def __init__(self, number: int, text: str = "", *, hint: str = "") -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}{text}", hint=hint)
