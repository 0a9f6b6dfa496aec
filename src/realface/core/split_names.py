"""The names of splits; `train`, `val` and `test` have several spellings."""

from __future__ import annotations

from collections.abc import Mapping

TRAIN, VAL, TEST = "train", "val", "test"
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("train", "training"),
    VAL: ("val", "valid", "validation", "dev"),
    TEST: ("test", "testing"),
}
"""Every spelling of a split, in lower case; the first is the name that manifests use."""
_NAMES = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}


def canonical_split(name: str) -> str:
    """Return `train`, `val` or `test` for a spelling of that split, in any case; return other names unchanged.

    Example:
        >>> canonical_split("validation")
        'val'
    """
    return _NAMES.get(name.strip().casefold(), name)


def usual_split(name: str) -> str | None:
    """Return `train`, `val` or `test` for a spelling of that split, in any case; None for other names."""
    return _NAMES.get(name.strip().casefold())
