"""Errors that a user can cause and can correct.

Each class also inherits the matching builtin, so `except ValueError` works for callers who do not know this package.
The text says where, what was expected and what was found; the hint says what to do.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence


class RealfaceError(Exception):
    """The user must change something. The command line prints `error:` and `hint:` and ends with exit code 2.

    `str(error)` gives both in one line: `text; hint`.

    Args:
        text: what is wrong: where, what was expected and what was found. Lower case, no full stop.
        hint: what to do, in the imperative, as a command where possible; empty if there is nothing to advise.

    Attributes:
        text: as given.
        hint: as given.

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
    """The place to write to is taken."""


class MediaError(RealfaceError, ValueError):
    """A picture or video cannot be used.

    Attributes:
        reason: a short fixed phrase such as "empty file", by which skipped files are counted.
    """

    def __init__(self, text: str, *, reason: str, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.reason = reason


class TextFileError(RealfaceError, ValueError):
    """A text file is not in UTF-8."""


class ManifestError(RealfaceError, ValueError):
    """A manifest, or a list that should become one, is not as documented."""


class DatasetError(RealfaceError, ValueError):
    """A folder is not the dataset that was named, or no known dataset, or contradicts itself."""


class LeakError(ManifestError):
    """A video or a person stands in two splits."""


class CropSpecError(RealfaceError, ValueError):
    """Crops were made in one way and are to be used in another."""


class PrepareError(RealfaceError, RuntimeError):
    """Preparing cannot start or end in the way that was asked for."""


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
    """Stored residuals are damaged, incomplete, or of something else."""


class ResynthesisStoreError(RealfaceError, ValueError):
    """A store of re-synthesised faces is damaged, or is something else."""


class MethodError(RealfaceError, ValueError):
    """A method is not known, or an installed add-on that offers one is broken."""


class ModelInputError(RealfaceError, ValueError):
    """A batch of images does not have the shape that a network takes."""


class MetricError(RealfaceError, ValueError):
    """Scores from which the asked number cannot be computed."""


class DeviceError(RealfaceError, RuntimeError):
    """The device that was asked for is not here."""


class BenchmarkError(RealfaceError, RuntimeError):
    """A benchmark cannot run, or one of the programs that it times failed."""


class ReportError(RealfaceError, ValueError):
    """A report cannot be written as requested."""


class PseudoFakeError(RealfaceError, ValueError):
    """A pseudo-fake cannot be made from what was given."""


class LoadingError(RealfaceError, RuntimeError):
    """Worker processes that read crops cannot start, or a batch cannot be read or sent."""


class TrainingError(RealfaceError, RuntimeError):
    """A training run cannot start or go on."""


class StoppedBySignal(RealfaceError, RuntimeError):  # noqa: N818 (a wish, not a fault)
    """A signal ended long work, which can be taken up again.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int, text: str = "", *, hint: str = "") -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}{text}", hint=hint)
