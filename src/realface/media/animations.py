"""Animated images and images with several pages as sequences of frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realface.core.errors import MediaError
from realface.media.frames import Frame, MediaKind, Spans, VideoInfo, require_frames_inside, spread_over_time
from realface.media.library_messages import without_warnings
from realface.media.pillow_files import DECODING_ERRORS, MAX_PIXELS, decoded, one_line, open_image, require_pixels

_ANIMATED = {"GIF", "WEBP", "PNG", "AVIF", "TIFF", "HEIF"}  # an MPO contains versions of one photo
_PAGED = {"TIFF", "HEIF"}  # each frame is decoded by itself and has no duration
_MAX_FRAMES = 50_000
_MAX_PIXELS_IN_ALL = 20_000_000_000  # all frames before the last one that is used are decoded
_TIFF_SUBFILE_TYPE = 254
_TIFF_NOT_SHOWN = 0b101  # bits of the subfile type: a smaller version of another page, a mask
_PAGE_MS = 1000  # how long a page counts as shown
_IGNORED_MS = 10  # browsers show a frame with a duration of 0 or 10 ms for 100 ms
_REPLACED_MS = 100.0


@dataclass(frozen=True)
class _Timing:
    """Frames of a file, measured.

    Attributes:
        numbers: Pillow's number of each frame.
        times: when each frame is shown, in seconds after the first.
        duration_s: seconds from the first frame to the end of the last.
        size: width and height of the first frame as shown, in pixels.
        codec: Pillow's name of the format.
        is_broken: whether the last frame, and with it all that follow, could not be decoded.
    """

    numbers: tuple[int, ...]
    times: tuple[float, ...]
    duration_s: float
    size: tuple[int, int]
    codec: str
    is_broken: bool


def shown_frames(image: Image.Image) -> Sequence[int]:
    """Return Pillow's numbers of the frames that a viewer shows; one number for a still image.

    Smaller versions of a page and masks in a TIFF are excluded, and so is an APNG's image for viewers that cannot
    play it.
    """
    if image.format not in _ANIMATED:
        return [0]
    with without_warnings():
        try:
            if not getattr(image, "is_animated", False):
                return [0]
            if image.format == "TIFF":
                return _tiff_pages(image)
            count: int = image.n_frames  # type: ignore[attr-defined]
            return range(1 if getattr(image, "default_image", False) else 0, count)
        except (*DECODING_ERRORS, Image.DecompressionBombError):
            return [0]  # decoding the image later reports the damage


def decoded_frame(image: Image.Image, number: int, path: Path) -> NDArray[np.uint8]:
    """Return the pixels of one frame, complete and over white; see `decoded`.

    Raises:
        MediaError: "too large", "truncated" or "unsupported".
    """
    _seek(image, number, path)
    return decoded(image, path)


class AnimationReader:
    """An image with several frames, measured once; use `AnimationReader.open`.

    Frames are weighted by their durations. If the decoder fails at a frame, all later frames are unknown: the failing
    frame counts as the last frame and is included in `spread`, so that the damage is reported.

    Args:
        path: file of the animation.
        timing: frames and times, measured by `open`.
    """

    kind: MediaKind = "video"

    def __init__(self, path: Path, timing: _Timing) -> None:
        self.path = path
        self.num_damaged = 0
        self._timing = timing

    @classmethod
    def open(cls, path: Path) -> AnimationReader:
        """Measure the file; all frames of an animation are decoded once.

        Raises:
            MissingInputError, MediaError: as `read_image`.
        """
        with open_image(path) as image:
            return cls(path, _measured(image, path, shown_frames(image)))

    def info(self) -> VideoInfo:
        """Return size, length and format."""
        timing = self._timing
        width, height = timing.size
        num_frames = len(timing.numbers)
        return VideoInfo(
            path=self.path,
            width=width,
            height=height,
            fps=num_frames / timing.duration_s,
            num_frames=num_frames,
            duration_s=timing.duration_s,
            codec=timing.codec,
        )

    def spread(self, count: int, *, spans: Spans = (), num_frames: int | None = None) -> list[int]:
        """Return the numbers of `count` frames, evenly spread over time; see `MediaReader.spread`."""
        times = self._timing.times[:num_frames]
        indices = spread_over_time(times, count, spans=spans)
        last = len(times) - 1
        if self._timing.is_broken and not spans and num_frames is None and count > 1 and last not in indices:
            indices[-1] = last
        return require_frames_inside(self.path, indices, spans, len(self._timing.times))

    def frames_at(self, indices: Collection[int]) -> Iterator[Frame]:
        """Yield the frames with these numbers, one at a time; see `MediaReader.frames_at`."""
        wanted = sorted({index for index in indices if 0 <= index < len(self._timing.numbers)})
        self.num_damaged = 0
        failure: MediaError | None = None
        has_frame = False
        with open_image(self.path) as image:
            for index in wanted:
                try:
                    pixels = decoded_frame(image, self._timing.numbers[index], self.path)
                except MediaError as error:
                    self.num_damaged += 1
                    failure = error
                    continue
                has_frame = True
                yield Frame(index, self._timing.times[index], pixels)
        if not has_frame:
            raise failure or MediaError(f"{self.path} does not have the requested frames", reason="no frames")

    def frames(self, count: int, *, spans: Spans = ()) -> Iterator[Frame]:
        """Yield `count` frames, evenly spread over time."""
        yield from self.frames_at(self.spread(count, spans=spans))


def _measured(image: Image.Image, path: Path, numbers: Sequence[int]) -> _Timing:
    """Return the times of all frames.

    Raises:
        MediaError: "too large", or as `decoded` if not even the first frame can be decoded.
    """
    _require_few(image, path, numbers)
    codec = str(image.format)
    if codec in _PAGED:
        size = _first_size(image, path, numbers)
        times = tuple(_PAGE_MS / 1000 * position for position in range(len(numbers)))
        is_broken = not _can_decode(image, numbers[-1], path)
        return _Timing(tuple(numbers), times, _PAGE_MS / 1000 * len(numbers), size, codec, is_broken=is_broken)
    size = _first_size(image, path, numbers[:1])
    durations = [_duration_ms(image)]
    is_broken = False
    for number in numbers[1:]:
        try:
            _seek(image, number, path)
            with without_warnings():
                image.load()
        except (MediaError, *DECODING_ERRORS):
            is_broken = True
            durations.append(median(durations))
            break
        durations.append(_duration_ms(image))
    ends = [end / 1000 for end in accumulate(durations)]
    return _Timing(tuple(numbers[: len(ends)]), (0.0, *ends[:-1]), ends[-1], size, codec, is_broken=is_broken)


def _first_size(image: Image.Image, path: Path, numbers: Sequence[int]) -> tuple[int, int]:
    """Return width and height of the first frame that can be decoded.

    Raises:
        MediaError: no frame can be decoded; the error is that of the first frame.
    """
    failure: MediaError | None = None
    for number in numbers:
        try:
            height, width = decoded_frame(image, number, path).shape[:2]
        except MediaError as error:
            failure = failure or error
        else:
            return width, height
    assert failure is not None, numbers
    raise failure


def _can_decode(image: Image.Image, number: int, path: Path) -> bool:
    try:
        decoded_frame(image, number, path)
    except MediaError:
        return False
    return True


def _require_few(image: Image.Image, path: Path, numbers: Sequence[int]) -> None:
    """Raise if there are more frames than can be decoded in reasonable time.

    Raises:
        MediaError: "too large".
    """
    width, height = image.size
    most = _MAX_FRAMES
    if image.format not in _PAGED:
        most = min(most, _MAX_PIXELS_IN_ALL // max(1, width * height))
    if len(numbers) > most:
        raise MediaError(
            f"{path} is too large: {len(numbers):,} frames of {width} x {height} pixels, and the limit is {most:,} "
            "frames",
            reason="too large",
            hint="convert it to MP4, or make it shorter",
        )


def _seek(image: Image.Image, number: int, path: Path) -> None:
    """Go to a frame, and check its size before it is decoded.

    Raises:
        MediaError: "too large" or "truncated".
    """
    try:
        with without_warnings():
            image.seek(number)
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path} is too large: {error}", reason="too large", hint="make it smaller") from error
    except DECODING_ERRORS as error:
        raise MediaError(
            f"{path} is cut off or damaged at frame {number} ({one_line(error)})",
            reason="truncated",
            hint="copy or download it again",
        ) from error
    require_pixels(image, path, MAX_PIXELS)


def _duration_ms(image: Image.Image) -> float:
    """Return for how many milliseconds a browser shows the frame at which the image is."""
    duration = image.info.get("duration", 0)
    is_long = isinstance(duration, int | float) and duration > _IGNORED_MS
    return float(duration) if is_long else _REPLACED_MS


def _tiff_pages(image: Image.Image) -> list[int]:
    """Return the numbers of the pages that are shown.

    Each page refers to the next one. If the file is cut off or damaged behind a page, the number of the missing next
    page is the last one, so that it counts as a frame that cannot be decoded.
    """
    pages: list[int] = []
    for page in range(_MAX_FRAMES + 1):
        try:
            if not _is_page(image, page):
                continue
        except EOFError:
            break
        except DECODING_ERRORS:
            pages.append(page)
            break
        pages.append(page)
    return pages or [0]


def _is_page(image: Image.Image, page: int) -> bool:
    """Return whether a page of a TIFF is shown, rather than a smaller version of another page or a mask."""
    image.seek(page)
    subfile = image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0)  # type: ignore[attr-defined]
    return not (isinstance(subfile, int) and subfile & _TIFF_NOT_SHOWN)
