"""RECCE's lists: pickles that torch saved, read without executing anything.

- FaceForensics++: `{train,val,test}_{c0,c23,c40}.pickle`, a list of (relative path, label).
- WildDeepfake: `{train,test}/{real,fake}.pickle`, a list of relative paths.
"""

from __future__ import annotations

import operator
import pickle
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realface.core.errors import ManifestError
from realface.core.files import existing
from realface.core.labels import Label
from realface.core.split_names import usual_split
from realface.manifest.importers.face_paths import (
    LEVELS,
    forensics_columns,
    frame_of,
    refuse_turned_labels,
    with_slashes,
)
from realface.manifest.manifest import Manifest

SUFFIXES = (".pickle", ".pkl")
LABEL_OF_STEM = {"real": Label.REAL, "fake": Label.FAKE}
# what torch's reader raises over files that are damaged or something else
DAMAGE = (
    AttributeError,
    ImportError,
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    AssertionError,
    struct.error,
)


class RecceImporter:
    """Import RECCE's lists. Split and compression come from the file's name, identities and method from the paths."""

    name = "recce"

    def list_missing(self, path: Path) -> list[str]:
        """Return what is missing: the suffix; the content is for reading only."""
        return [] if path.suffix.lower() in SUFFIXES else [f"suffix {' or '.join(SUFFIXES)}"]

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a list; see `Importer`."""
        items = _read_pickle(existing(path, what="list"))
        if not isinstance(items, list | tuple):
            raise ManifestError(f"{path}: expected a list of paths or of (path, label), got {type(items).__name__}")
        manifest = Manifest.from_rows(list(_rows(path, items)), root=root or path.parent)
        refuse_turned_labels(manifest, where=str(path))
        return manifest


def _rows(path: Path, items: list[Any] | tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    split, level = _split_and_level(path)
    label_of_all = LABEL_OF_STEM.get(path.stem.lower())
    for number, item in enumerate(items, 1):
        where = f"{path}: row {number}"
        if isinstance(item, str):
            if label_of_all is None:
                raise ManifestError(
                    f"{where}: a path without a label, in a list that is not called real.pickle or fake.pickle",
                    hint="rename the file to real.pickle or fake.pickle, whichever its images are",
                )
            crop, label = with_slashes(item), label_of_all
        else:
            crop, label = _pair(item, where)
        from_path = forensics_columns(crop)
        if level and from_path.get("compression", level) not in (level, None):
            raise ManifestError(f"{where}: {from_path['compression']} in the path, {level} in the list's name: {crop}")
        columns = {"compression": level} | {name: value for name, value in from_path.items() if value is not None}
        yield {"path": crop, "label": int(label), "split": split, "frame": frame_of(crop), **columns}


def _pair(item: Any, where: str) -> tuple[str, Label]:
    if not isinstance(item, list | tuple) or len(item) != 2 or not isinstance(item[0], str):
        raise ManifestError(f"{where}: expected a path or (path, label), got {str(item)[:80]!r}")
    try:
        return with_slashes(item[0]), Label(operator.index(item[1]))
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{where}: label must be 0 (real) or 1 (fake), got {item[1]!r}") from error


def _split_and_level(path: Path) -> tuple[str | None, str | None]:
    """From `train_c40.pickle`, or from the folder of `train/real.pickle`; None where neither says it."""
    name, _, level = path.stem.lower().partition("_")
    if split := usual_split(name):
        return split, LEVELS.get(level)
    return usual_split(path.absolute().parent.name), None


def _read_pickle(path: Path) -> Any:
    """The texts, numbers and lists in the file; whatever would have to be executed is refused."""
    import torch  # slow to import, and needed for this one form of list

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that others wrote before it fails at them
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        # torch wraps what its unpickler found into advice on how to execute the file nevertheless
        found = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
        if wanted := re.search(r"\bGLOBAL (\w[\w.]*\w) ", str(found)):
            raise ManifestError(
                f"{path} was not read, because reading it would execute {wanted[1]}",
                hint="do not trust this file: a list contains only paths and labels",
            ) from error
        raise ManifestError(
            f"{path} is damaged or not what torch.save writes ({type(found).__name__})",
            hint="check that it is the right file, or copy it again",
        ) from error
