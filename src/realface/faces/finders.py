"""Which face finders there are, and the crop spec of the default one."""

from __future__ import annotations

from typing import Any

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError
from realface.faces.finder import FaceFinder
from realface.faces.mtcnn import MtcnnFinder

FINDERS = {MtcnnFinder.name: MtcnnFinder}


def build_finder(name: str, *, device: str = "cpu") -> FaceFinder:
    """The finder that a crop spec names.

    Raises:
        CropSpecError: no finder of that name.
    """
    if name not in FINDERS:
        raise CropSpecError(f"no face finder is called {name!r}; known: {', '.join(sorted(FINDERS))}")
    return FINDERS[name](device=device)


def finder_for(spec: CropSpec, *, device: str = "cpu") -> FaceFinder:
    """The finder that made the crops of `spec`, in the same version.

    Raises:
        CropSpecError: the spec names no finder that is known here, or one of another version.
    """
    finder = build_finder(spec.finder, device=device)
    if spec.finder_version and spec.finder_version != finder.version:
        raise CropSpecError(
            f"the crops were made with {spec.finder} [{spec.finder_version}] but here it is [{finder.version}]; "
            "install that version, or prepare and train again"
        )
    return finder


def default_crop_spec(**changes: Any) -> CropSpec:
    """The spec of crops made here with the default finder, with `changes` to single fields."""
    return CropSpec(finder=MtcnnFinder.name, finder_version=MtcnnFinder().version, **changes)
