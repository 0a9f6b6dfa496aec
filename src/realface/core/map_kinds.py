"""The maps that can be drawn over a face."""

from __future__ import annotations

from enum import StrEnum


class MapKind(StrEnum):
    """A kind of map; the value is its name in files, pages and options."""

    ERROR_MAP = "error_map"
    ATTENTION = "attention"
    MANIPULATION = "manipulation"

    @property
    def meaning(self) -> str:
        """The meaning of strong colours, for a legend."""
        if self is MapKind.ERROR_MAP:
            return "where the face differs from its reconstruction"
        if self is MapKind.MANIPULATION:
            return "where the detector sees manipulation"
        return "where the reconstruction error steers the classifier"
