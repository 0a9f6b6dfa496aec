"""Which layouts are known, and which one a folder has."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from realface.core.errors import LayoutError
from realface.core.files import existing
from realface.data.layouts.celeb_df import CelebDfLayout
from realface.data.layouts.deeperforensics import DeeperForensicsLayout
from realface.data.layouts.df40 import Df40Layout
from realface.data.layouts.dfd import DfdLayout
from realface.data.layouts.dfdc import DfdcLayout
from realface.data.layouts.dfdc_preview import DfdcPreviewLayout
from realface.data.layouts.faceforensics import FaceForensicsLayout
from realface.data.layouts.ffiw import FfiwLayout
from realface.data.layouts.forgerynet import ForgeryNetLayout
from realface.data.layouts.layout import Layout
from realface.data.layouts.plain import PlainLayout
from realface.data.layouts.wilddeepfake import WildDeepfakeLayout

_OURS: tuple[Layout, ...] = (
    PlainLayout(),
    FaceForensicsLayout(),
    CelebDfLayout(),
    DfdLayout(),
    DfdcLayout(),
    DfdcPreviewLayout(),
    ForgeryNetLayout(),
    DeeperForensicsLayout(),
    FfiwLayout(),
    WildDeepfakeLayout(),
    Df40Layout(),
)
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _OURS}
ENTRY_POINTS = "realface.layouts"
"""Group under which another package adds layouts: an entry point `name = package.module:layout_object`."""


def known_layouts() -> dict[str, Layout]:
    """Our own layouts and those of installed packages, by name; ours win."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)} | dict(LAYOUTS)


def choose_layout(root: Path, name: str | None = None) -> Layout:
    """The layout called `name`, or the one that `root` has.

    Raises:
        MissingInputError: no such folder.
        LayoutError: a file, an unknown name, a folder without that layout, with none, or with several.
    """
    if not existing(root, what="folder").is_dir():
        raise LayoutError(f"{root} is a file; give the data set's folder")
    layouts = known_layouts()
    if name is None:
        return _recognised(root, layouts)
    if name not in layouts:
        close = difflib.get_close_matches(name, layouts, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(layouts)}"
        raise LayoutError(f"no layout is called {name!r}; {hint}")
    if lacks := layouts[name].recognise(root):
        raise LayoutError(f"{root} does not have the layout {name}: it lacks {' and '.join(lacks)}")
    return layouts[name]


def _recognised(root: Path, layouts: Mapping[str, Layout]) -> Layout:
    lacks = {name: layout.recognise(root) for name, layout in layouts.items()}
    fitting = [name for name, lacking in lacks.items() if not lacking]
    if len(fitting) > 1:
        raise LayoutError(f"{root} fits several layouts: {', '.join(fitting)}; name one with --layout")
    if not fitting:
        reasons = "; ".join(f"{name} lacks {' and '.join(lacking)}" for name, lacking in lacks.items())
        raise LayoutError(f"{root} has no layout that is known: {reasons}")
    return layouts[fitting[0]]
