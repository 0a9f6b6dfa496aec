"""Rectangles in pixel coordinates."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in source pixels; x1 and y1 are exclusive. It may reach beyond the image."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Pixels from left to right, >= 0."""
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        """Pixels from top to bottom, >= 0."""
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        """Square pixels, >= 0."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def intersection(self, other: Box) -> Box:
        """Return the rectangle shared with `other`; its area is 0 if the two do not overlap."""
        return Box(max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1))

    def overlap(self, other: Box) -> float:
        """Return the intersection over union, in [0, 1]; 0 if both boxes are empty.

        Example:
            >>> Box(0, 0, 10, 20).overlap(Box(0, 0, 10, 10))
            0.5
        """
        shared = self.intersection(other).area
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def squared(self, margin: float) -> Box:
        """Return the square with the same center whose side is the longer side times (1 + margin)."""
        half = max(self.width, self.height) * (1 + margin) / 2
        x, y = self.center
        return Box(x - half, y - half, x + half, y + half)

    def scaled(self, factor: float) -> Box:
        """Return the same rectangle in an image enlarged by `factor`."""
        return Box(*(value * factor for value in self))
