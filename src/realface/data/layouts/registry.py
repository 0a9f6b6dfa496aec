"""Which layouts are known, and which one a folder has."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from realface.core.errors import LayoutError, RealfaceError, UnreadableFolderError
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
from realface.data.layouts.layout import Layout, Scan
from realface.data.layouts.left_out import count_left_out
from realface.data.layouts.listing import subfolders
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

ENTRIES_TRIED = 100
"""Of a folder without a layout: how many subfolders are tried, in case the data set is one folder further down."""


def known_layouts() -> dict[str, Layout]:
    """Our own layouts and those of installed packages, by name; ours win.

    Raises:
        LayoutError: a package's layout cannot be loaded.
    """
    return {point.name: _loaded(point) for point in entry_points(group=ENTRY_POINTS)} | dict(LAYOUTS)


def _loaded(point: EntryPoint) -> Layout:
    try:
        layout: Layout = point.load()
    except (ImportError, AttributeError) as error:
        raise LayoutError(
            f"the layout {point.name} of another package, {point.value}, cannot be loaded ({error})",
            hint="update or remove that package",
        ) from error
    return layout


def scan_folder(root: Path, name: str | Layout | None = None, *, without: Path | None = None) -> Scan:
    """Find every file of a data set, and count the files that its layout leaves out.

    Args:
        root: the data set's folder.
        name: the layout, or its name; recognised when None.
        without: a folder below `root` that is not part of the data set, such as the output folder.

    Raises:
        MissingInputError: no such folder.
        LayoutError: as `choose_layout`, or what is there contradicts itself.
        UnreadableFolderError: a folder or a list cannot be read.
    """
    try:
        layout = choose_layout(root, name) if name is None or isinstance(name, str) else name
        scan = layout.scan(root)
        return replace(scan, left_out=count_left_out(scan, without=without))
    except PermissionError as error:
        if isinstance(error, RealfaceError):
            raise
        raise UnreadableFolderError(
            f"cannot read {error.filename} ({error.strerror})", hint="change its permissions, or those of its folder"
        ) from error


def choose_layout(root: Path, name: str | None = None) -> Layout:
    """The layout called `name`, or the one that `root` has.

    Raises:
        MissingInputError: no such folder.
        LayoutError: a file, an unknown name, a folder without that layout, with none, or with several.
    """
    if not existing(root, what="folder").is_dir():
        raise LayoutError(f"{root} is a file", hint="give the data set's folder")
    layouts = LAYOUTS if name in LAYOUTS else known_layouts()
    if name is None:
        return _recognised(root, layouts)
    if name not in layouts:
        close = difflib.get_close_matches(name, layouts, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(layouts)}"
        raise LayoutError(f"no layout is called {name!r}; {hint}")
    if lacks := layouts[name].recognise(root):
        raise LayoutError(f"{root} does not have the layout {name}: it lacks {' and '.join(lacks)}")
    return layouts[name]


def fitting_layouts(root: Path) -> list[str]:
    """Return the names of all known layouts that a folder has.

    Raises:
        LayoutError: a package's layout cannot be loaded.
    """
    return _fitting(root, known_layouts())


def _recognised(root: Path, layouts: Mapping[str, Layout]) -> Layout:
    fitting = _fitting(root, layouts)
    if len(fitting) > 1:
        raise LayoutError(f"{root} fits several layouts: {', '.join(fitting)}", hint="name one with --layout")
    if not fitting:
        lines = [f"{root} has no layout that is known{_near(root, layouts)}:"]
        lines += [f"{name} lacks {' and '.join(layout.recognise(root))}" for name, layout in layouts.items()]
        raise LayoutError("\n  ".join(lines))
    return layouts[fitting[0]]


def _fitting(root: Path, layouts: Mapping[str, Layout]) -> list[str]:
    return [name for name, layout in layouts.items() if not layout.recognise(root)]


def _near(root: Path, layouts: Mapping[str, Layout]) -> str:
    """The folder below or that above which was probably meant; empty where none has a layout."""
    for place in (*subfolders(root)[:ENTRIES_TRIED], root.resolve().parent):
        with suppress(PermissionError):  # it is only a hint
            if os.access(place, os.R_OK | os.X_OK) and (fitting := _fitting(place, layouts)):
                return f", but {place} has that of {' and '.join(fitting)}"
    return ""
