r"""DeepfakeBench's LMDB: the frames, masks and landmarks of one set in one file, each under a key of its own.

A key is the set's name, a back slash and the path below the set's folder, in UTF-8; what was made on Linux has slashes
behind the first back slash, what was made on Windows has back slashes throughout:

    FaceForensics++\manipulated_sequences/Deepfakes/c23/frames/071_054/000.png
    FaceForensics++\manipulated_sequences\Deepfakes\c23\frames\071_054\000.png
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from realface.core.errors import ManifestError
from realface.core.files import existing, folder_written_atomically, require_free
from realface.core.progress import progress
from realface.manifest.importers.deepfakebench import read_with_store
from realface.manifest.manifest import Manifest

ABSENT = "not in the LMDB"
_DRIVE = re.compile("[A-Za-z]:")


def read_from_lmdb(path: Path, lmdb: Path, *, unpack: Path, quiet: bool = False) -> Manifest:
    """Read a list whose frames are in an LMDB, and write those frames, and the masks of fakes, as files.

    The folder `unpack` is there whole or not at all. Landmarks are counted and stay where they are. What the LMDB does
    not hold is left out, and counted in the header's `skipped`; the note says how many were found.

    Args:
        path: the list, DeepfakeBench's JSON.
        lmdb: the folder `<set>_lmdb`; only read, so it may lie where nothing can be written.
        unpack: the folder to write, absent or empty.
        quiet: show no progress.

    Raises:
        MissingInputError: no such list, or no such LMDB.
        OutputExistsError: `unpack` has something in it.
        ManifestError: not a list or not an LMDB; one that has none of the frames; a name that leads out of `unpack`; or
            the extra `lmdb` is not installed.
    """
    require_free(unpack)
    with _opened(lmdb) as store:
        listed = read_with_store(path, root=unpack, store=store)
        found = [row for row, place in enumerate(listed.column("path")) if store.has_file(place)]
        if not found:
            raise ManifestError(
                f"{lmdb} has none of the {len(listed)} frames that {path} lists, its keys begin with {store.dataset!r}",
                hint="give the LMDB and the list of one set",
            )
        manifest = listed.take(found)
        files = [place for name in ("path", "mask") for place in manifest.column(name) if place is not None]
        with (
            folder_written_atomically(unpack) as folder,
            progress("unpack", len(files), unit="files", quiet=quiet) as bar,
        ):
            for place in files:
                _refuse_outside(place, where=path)
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                (folder / place).write_bytes(store.content(place))
                bar.advance()
    if len(found) == len(listed):
        return manifest
    skipped = {**listed.header.skipped, ABSENT: len(listed) - len(found)}
    return replace(manifest, header=listed.header.model_copy(update={"skipped": skipped}))


class _Keys:
    """The keys of an LMDB as files and folders.

    Attributes:
        dataset: the set's name, with which the first key begins.
    """

    def __init__(self, transaction: Any, longest: int) -> None:
        self._transaction, self._longest = transaction, longest
        self._cursor = transaction.cursor()
        self.dataset = _text(self._cursor.key()).partition("\\")[0] if self._cursor.first() else ""

    def has_folder(self, folder: str) -> bool:
        """Whether a key begins with it; see `deepfakebench.Store`."""
        return any(
            self._cursor.set_range(key) and bytes(self._cursor.key()).startswith(key)
            for key in self._keys_of(f"{folder}/")
        )

    def has_file(self, file: str) -> bool:
        """Whether it is a key, and not an empty one."""
        return any(self._transaction.get(key) for key in self._keys_of(file))

    def content(self, file: str) -> bytes:
        """What is stored under the name of a file that is there."""
        return next(bytes(value) for key in self._keys_of(file) if (value := self._transaction.get(key)))

    def _keys_of(self, place: str) -> Iterator[bytes]:
        """Under which keys a path below the root can be stored, whether or not it begins with the set's name."""
        head, _, rest = place.partition("/")
        named = (
            [(self.dataset, rest)] if head.lower() == self.dataset.lower() else [(head, rest), (self.dataset, place)]
        )
        for dataset, below in named:
            for inner in (below, below.replace("/", "\\")):
                key = f"{dataset}\\{inner}".encode("utf-8", "surrogatepass")
                if len(key) <= self._longest:
                    yield key


@contextmanager
def _opened(path: Path) -> Iterator[_Keys]:
    try:
        import lmdb
    except ImportError as error:
        raise ManifestError("--lmdb needs the package lmdb", hint='install it: pip install "realface[lmdb]"') from error
    data = existing(path, what="LMDB") / "data.mdb"
    if not data.is_file():
        raise ManifestError(
            f"{path} is no LMDB: it has no data.mdb", hint="give the folder <set>_lmdb that DeepfakeBench made"
        )
    try:
        # neither written nor locked, so that it may lie on a read-only disk, or be read by others too
        with lmdb.open(str(path), readonly=True, lock=False, create=False, readahead=False) as environment:
            _refuse_cut_off(data, num_bytes=(environment.info()["last_pgno"] + 1) * environment.stat()["psize"])
            with environment.begin(buffers=True) as transaction:
                yield _Keys(transaction, environment.max_key_size())
    except lmdb.Error as error:
        raise ManifestError(
            f"{path} is no LMDB that can be read, or is damaged ({error})", hint="copy it again"
        ) from error


def _refuse_cut_off(data: Path, *, num_bytes: int) -> None:
    """Refuse a file that ends early: the system ends a process that reads what is not there."""
    if data.stat().st_size < num_bytes:
        raise ManifestError(
            f"{data} is cut off: it should have {num_bytes:,} bytes and has {data.stat().st_size:,}",
            hint="copy it again",
        )


def _refuse_outside(place: str, *, where: Path) -> None:
    """Refuse a name that leads out of the folder that it is below, on any system."""
    if "\0" in place or any(part in {"", ".", ".."} or _DRIVE.match(part) for part in place.split("/")):
        raise ManifestError(
            f"{where}: {place!r} is no path below the folder to unpack to", hint="do not trust this list and its LMDB"
        )


def _text(key: memoryview) -> str:
    return bytes(key).decode("utf-8", "replace")
