"""Read face crops in the forms that datasets use: in a tar, in a folder, or as single files.

Archives may be malicious. Their members are never unpacked to disk, a member that could harm a user who unpacks the
archive makes the whole archive invalid, and the memory for archive data is limited, regardless of declared sizes.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as count_up
from pathlib import Path, PurePosixPath
from typing import Self

from realface.core.errors import MediaError
from realface.core.files import existing
from realface.datasets.listing import NOT_FACES, walk_shown
from realface.media.discovery import natural_order
from realface.media.frames import spread_indices
from realface.media.images import is_image_name
from realface.media.input_files import require_file
from realface.prepare.record import legible

MAX_PICTURE_BYTES = 64 * 2**20
MAX_HELD_BYTES = 512 * 2**20  # of the chosen images of all incomplete sequences
MAX_MEMBERS = 250_000
MAX_NAME_LENGTH = 4096
MAX_FRAME = 2**31 - 1  # a manifest's
_BUFFER = 64 * 2**10
_MAX_HEADER_BYTES = 64 * 2**10 + 2 * _BUFFER  # of one member; the buffers cover the data read ahead
_MAX_TAIL_BYTES = 2**20
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class CropPicture:
    """One face crop in the form of its file.

    Attributes:
        frame: the last number in its name; the position in the sequence, from 0, if numbers are missing or repeated.
        name: name of the file, with its suffix.
        data: the file's bytes, unchanged.
    """

    frame: int
    name: str
    data: bytes


@dataclass(frozen=True)
class CropSequence:
    """The chosen face crops of one folder, in the order of their frames, at least one.

    Attributes:
        name: the folder, within the tar or below the folder that was read; empty for that itself.
        frames: no two have one frame number, or one name.
    """

    name: str
    frames: list[CropPicture]


def read_sequences(source: Path, *, count: int) -> Iterator[CropSequence]:
    """Read `count` images, evenly spaced, of each folder of face crops; all images if the folder has fewer.

    Hidden files, files without an image suffix, and folders of masks and landmarks are ignored.

    Args:
        source: a tar, gzipped or not; a folder, with its subfolders; or an image, which is a sequence by itself.
        count: largest number of images per sequence.

    Yields:
        A folder's sequences in natural order; a tar's sequences as they become complete, after all its headers were
        checked.

    Raises:
        MissingInputError: the source does not exist.
        MediaError: "no pictures", "too large", "not a file"; of a tar also "empty file", "not an archive", "truncated",
            "damaged", "one name twice" or "unsafe archive".
        UnreadableFolderError: a folder cannot be listed.
        OSError: a file cannot be read.
    """
    existing(source, what="face crops")
    if source.is_dir():
        yield from _from_folder(source, count)
    elif is_image_name(source):
        ((frame, _),) = _spread([source.name], 1)
        yield CropSequence("", [CropPicture(frame, source.name, _bytes_of(source))])
    else:
        yield from _from_tar(require_file(source, what="archive"), count)


def _from_folder(folder: Path, count: int) -> Iterator[CropSequence]:
    sequences: dict[Path, list[str]] = {}
    for place, folders, names in walk_shown(folder):
        folders[:] = [name for name in folders if _is_face_folder(name)]
        if pictures := [name for name in names if _is_picture(name)]:
            sequences[place.relative_to(folder)] = pictures
    if not sequences:
        raise _no_pictures(folder)
    for below in sorted(sequences, key=natural_order):
        frames: list[CropPicture] = []
        held = 0
        for frame, at in _spread(sequences[below], count):
            name = sequences[below][at]
            data = _bytes_of(folder / below / name)
            held = _checked_held(held + len(data), folder)
            frames.append(CropPicture(frame, legible(name), data))
        yield CropSequence("" if below == Path() else legible(below.as_posix()), frames)


def _from_tar(path: Path, count: int) -> Iterator[CropSequence]:
    """Read a tar in two passes (names, then chosen images), because a gzipped tar can only be read forwards."""
    members = {index: member for index, member, _ in _tar_pictures(path)}
    if not members:
        raise _no_pictures(path)
    if len(set(members.values())) < len(members):
        name = next(name for name, times in Counter(members.values()).items() if times > 1)
        raise MediaError(f"{path} holds {name} more than once", reason="one name twice", hint="remove one of them")
    chosen = _chosen(members, count)
    awaited = Counter(sequence for sequence, _ in chosen.values())
    frames: defaultdict[PurePosixPath, list[CropPicture]] = defaultdict(list)
    held = 0
    for index, member, data in _tar_pictures(path, chosen):
        if index not in chosen:
            continue
        sequence, frame = chosen[index]
        held = _checked_held(held + len(data), path)
        frames[sequence].append(CropPicture(frame, legible(member.name), data))
        # a complete sequence is passed on at once, which limits the bytes in memory
        if len(frames[sequence]) == awaited[sequence]:
            done = sorted(frames.pop(sequence), key=lambda picture: picture.frame)
            held -= sum(len(picture.data) for picture in done)
            del awaited[sequence]
            yield CropSequence("" if sequence == PurePosixPath() else legible(str(sequence)), done)
        if not awaited:
            return


def _chosen(pictures: Mapping[int, PurePosixPath], count: int) -> dict[int, tuple[PurePosixPath, int]]:
    """Return the sequence and the frame number of each image to read, by its number in the tar."""
    sequences: defaultdict[PurePosixPath, list[int]] = defaultdict(list)
    for index, member in pictures.items():
        sequences[member.parent].append(index)
    return {
        indices[at]: (sequence, frame)
        for sequence, indices in sequences.items()
        for frame, at in _spread([pictures[index].name for index in indices], count)
    }


def _spread(names: Sequence[str], count: int) -> list[tuple[int, int]]:
    """Return frame number and position in `names` of the chosen images of one sequence, in order."""
    order = sorted(range(len(names)), key=lambda at: natural_order(Path(names[at])))
    numbers = [_frame_number(name) for name in names]
    known = [number for number in numbers if number is not None]
    if len(set(known)) == len(names):
        order.sort(key=lambda at: numbers[at] or 0)
        frames = sorted(known)
    else:  # two images with the same number would overwrite each other
        frames = list(range(len(names)))
    return [(frames[position], order[position]) for position in spread_indices(len(names), count)]


def _frame_number(name: str) -> int | None:
    numbers = re.findall(r"\d+", Path(name).stem)
    if not numbers or len(numbers[-1]) > 18 or int(numbers[-1]) > MAX_FRAME:
        return None
    return int(numbers[-1])


def _tar_pictures(path: Path, wanted: Collection[int] = ()) -> Iterator[tuple[int, PurePosixPath, bytes]]:
    """Yield number, path and bytes of the wanted images of a tar, in the order of the tar.

    Every member is checked on the way, and the end of the archive is checked for truncation.
    """
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        stream = _Metered(gzip.GzipFile(fileobj=file) if is_gzip else file, path)
        with _explained(path, stream), _opened(path, stream) as archive:
            for index in count_up():
                member = archive.next()
                if member is None:
                    break
                _require_harmless(member, index, path)
                archive.members.clear()  # type: ignore[attr-defined]  # a public list; tarfile would keep them all
                archive.pax_headers = {}  # also removes global headers, which apply to all later members
                stream.left = member.size + _MAX_HEADER_BYTES
                below = PurePosixPath(member.name)
                if not member.isreg() or not _is_picture(below.name) or not all(map(_is_face_folder, below.parts[:-1])):
                    continue
                if member.size > MAX_PICTURE_BYTES:
                    raise _too_large(f"{path}: {member.name}", member.size)
                content = archive.extractfile(member) if index in wanted else None
                yield index, below, b"" if content is None else content.read()
            stream.read_tail()


class _Metered(io.BufferedIOBase):
    """A stream for tarfile, which reads headers of any size into memory, and on and on behind a file's end."""

    def __init__(self, stream: io.BufferedIOBase, path: Path) -> None:
        self._stream = stream
        self._path = path
        self.left = _MAX_HEADER_BYTES
        self.has_ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(-1 if size is None else size)
        self.left -= len(data)
        if self.left < 0:
            raise _unsafe(self._path, "a member has a header of extreme size")
        if not data and self.has_ended:
            raise EOFError
        self.has_ended = not data
        return data

    def read_tail(self) -> None:
        """Read the data after the archive's end, so that gzip compares its checksum."""
        left = _MAX_TAIL_BYTES
        while left > 0 and (data := self._stream.read(_BUFFER)):
            left -= len(data)


class _StrictHeader(tarfile.TarInfo):
    """A header that raises an error if damaged; tarfile would treat it as the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the archive's proper end
            raise tarfile.ReadError(str(error)) from error


def _opened(path: Path, stream: _Metered) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER, tarinfo=_StrictHeader, encoding="utf-8")
    except tarfile.ReadError as error:
        raise MediaError(
            f"{path} is not a tar, gzipped or not ({error})",
            reason="not an archive",
            hint="copy or download it again, or leave it out",
        ) from error


@contextmanager
def _explained(path: Path, stream: _Metered) -> Iterator[None]:
    try:
        yield
    except MediaError:
        raise
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error, ValueError, RecursionError) as error:
        if isinstance(error, EOFError) or stream.has_ended:
            raise MediaError(
                f"{path} is cut off: its end is missing", reason="truncated", hint="copy or download it again"
            ) from error
        raise MediaError(f"{path} is damaged ({error})", reason="damaged", hint="copy or download it again") from error


def _require_harmless(member: tarfile.TarInfo, index: int, path: Path) -> None:
    if index == MAX_MEMBERS:
        raise _unsafe(path, f"it has more than {MAX_MEMBERS:,} members")
    name = member.name
    shown = repr(name[:80])
    if len(name) > MAX_NAME_LENGTH:
        raise _unsafe(path, f"the name of a member, {shown}..., is longer than {MAX_NAME_LENGTH:,} letters")
    if name.startswith("/") or any(re.match("[A-Za-z]:", part) for part in name.split("/")):
        raise _unsafe(path, f"member {shown} has an absolute path")
    if ".." in name.split("/"):
        raise _unsafe(path, f"member {shown} leads out of it")
    if "\\" in name or "\0" in name:
        raise _unsafe(path, f"member {shown} has a back slash or a null in its name")
    if member.issym() or member.islnk():
        raise _unsafe(path, f"member {shown} is a link")
    if not (member.isreg() or member.isdir()) or member.issparse() or member.size < 0:
        raise _unsafe(path, f"member {shown} is neither a file nor a folder")


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and is_image_name(Path(name))


def _is_face_folder(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in NOT_FACES


def _bytes_of(path: Path) -> bytes:
    if not existing(path, what="picture").is_file():
        raise MediaError(f"{path} is not a file", reason="not a file", hint="give the path of one picture")
    with path.open("rb") as file:
        data = file.read(MAX_PICTURE_BYTES + 1)
    if len(data) > MAX_PICTURE_BYTES:
        raise _too_large(str(path), path.stat().st_size)
    return data


def _checked_held(held: int, path: Path) -> int:
    if held > MAX_HELD_BYTES:
        raise MediaError(
            f"{path}: the chosen pictures of its unfinished sequences take more than {MAX_HELD_BYTES:,} bytes",
            reason="too large",
            hint="choose fewer frames",
        )
    return held


def _too_large(name: str, num_bytes: int) -> MediaError:
    return MediaError(
        f"{name} is too large for a face crop: {num_bytes:,} bytes, and the limit is {MAX_PICTURE_BYTES:,}",
        reason="too large",
    )


def _unsafe(path: Path, why: str) -> MediaError:
    return MediaError(
        f"{path} is not safe: {why}",
        reason="unsafe archive",
        hint="download it again from its owner; nothing of it was used",
    )


def _no_pictures(path: Path) -> MediaError:
    return MediaError(
        f"{path} has no pictures", reason="no pictures", hint="copy or download it again, or leave it out"
    )
