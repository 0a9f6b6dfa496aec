"""Crops as WebDataset shards: plain tars, read front to back, in which the files of one sample share a key.

A sample is `KEY.png` or `KEY.jpg` (the unchanged bytes of the crop), `KEY.json` (the row, without null values),
`KEY.cls` (the label, 0 or 1, as text) and, for a crop with a mask, `KEY.mask.png`. The key is the row number in the
manifest, from 0. The same manifest gives the same bytes.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from realface.core.errors import ManifestError, MissingInputError
from realface.core.progress import Progress, progress
from realface.manifest.manifest import Manifest

SHARD_SIZE = 10_000
SHOWN = 3

_NUMBER = re.compile(r"%(0[1-9])?d")
_ROWS_AT_ONCE = 1_000


def write_webdataset(
    manifest: Manifest,
    out: Path,
    *,
    shard_size: int = SHARD_SIZE,
    generator: np.random.Generator | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Write all crops as shards; they appear under their names when the last shard is finished.

    Args:
        manifest: the crops.
        out: `NAME.tar`, or `NAME-%06d.tar` for several shards, numbered from 0. Older shards are replaced, including
            shards with higher numbers.
        shard_size: rows of a numbered shard; the last may have fewer. A single `NAME.tar` has all rows.
        generator: shuffles the rows; None keeps the order of the manifest.
        quiet: show no progress.

    Returns:
        The shards.

    Raises:
        ManifestError: an invalid name, no rows, or a crop whose name has no suffix.
        MissingInputError: missing crops or masks; the text gives their number.
    """
    require_shard_name(out)
    if len(manifest) == 0:
        raise ManifestError("the manifest is empty")
    _require_files(manifest)
    order = np.arange(len(manifest)) if generator is None else generator.permutation(len(manifest))
    step = shard_size if _NUMBER.search(out.name) else len(order)
    names = []
    with _published(out) as folder, progress("write shards", len(order), unit="crops", quiet=quiet) as shown:
        for number, start in enumerate(range(0, len(order), step)):
            names.append(out.name % number if _NUMBER.search(out.name) else out.name)
            _write_shard(manifest, order[start : start + step].tolist(), folder / names[-1], shown)
    return [out.with_name(name) for name in names]


def require_shard_name(out: Path) -> None:
    """Raise an error if a path is not a valid name for shards.

    Raises:
        ManifestError: the name is invalid; the text gives the valid forms.
    """
    if out.suffix != ".tar" or "%" in _NUMBER.sub("", out.name, count=1):
        raise ManifestError(f"{out}: shards must be called NAME.tar, or NAME-%06d.tar for several shards")


def shards_there(out: Path) -> list[Path]:
    """Return the existing files with names that `write_webdataset` could give to shards of `out`."""
    name = re.compile(r"\d+".join(re.escape(part) for part in _NUMBER.sub("\0", out.name, count=1).split("\0")))
    files = out.parent.iterdir() if out.parent.is_dir() else []
    return sorted(file for file in files if name.fullmatch(file.name))


def _require_files(manifest: Manifest) -> None:
    names = [*manifest.column("path"), *(name for name in manifest.column("mask") if name is not None)]
    absent = [name for name in dict.fromkeys(names) if not (manifest.root / name).is_file()]
    if absent:
        more = f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
        raise MissingInputError(
            f"{len(absent):,} of {len(set(names)):,} crops and masks are not in {manifest.root}: "
            f"{', '.join(absent[:SHOWN])}{more}; nothing was written",
            hint="give their folder with --root",
        )
    bare = next((name for name in names if not PurePosixPath(name).suffix), None)
    if bare is not None:
        raise ManifestError(
            f"{bare} has no suffix, which readers of shards need to recognise an image", hint="rename it"
        )


@contextmanager
def _published(out: Path) -> Iterator[Path]:
    """Yield a folder next to `out`; its files replace the older shards at the end, or are removed on an error."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.stem[:80]}.{uuid.uuid4().hex[:8]}.partial")
    new, old = folder / "new", folder / "old"
    new.mkdir(parents=True)
    old.mkdir()
    try:
        yield new
        placed: list[Path] = []
        try:
            for shard in shards_there(out):
                shard.rename(old / shard.name)
            for shard in sorted(new.iterdir()):
                placed.append(out.with_name(shard.name))
                shard.rename(placed[-1])
        except BaseException:  # Ctrl-C too must leave all of the older shards or all of the new
            for shard in placed:
                shard.unlink(missing_ok=True)
            for shard in old.iterdir():
                shard.rename(out.with_name(shard.name))
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_shard(manifest: Manifest, rows: Sequence[int], path: Path, shown: Progress) -> None:
    with path.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                part = rows[start : start + _ROWS_AT_ONCE]
                for row, values in zip(part, manifest.take(part).table.to_pylist(), strict=True):
                    for name, content in _sample(manifest.root, values):
                        member = tarfile.TarInfo(f"{row:09d}.{name}")  # of no owner and no time
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
                shown.advance(len(part))
        file.flush()
        os.fsync(file.fileno())


def _sample(root: Path, values: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a sample: the part of the name after the key and a dot, and the bytes."""
    known = {name: value for name, value in values.items() if value is not None}
    yield _suffix(known["path"]), (root / known["path"]).read_bytes()
    yield "json", json.dumps(known, ensure_ascii=False).encode()
    yield "cls", str(known["label"]).encode()
    if "mask" in known:
        yield f"mask.{_suffix(known['mask'])}", (root / known["mask"]).read_bytes()


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower().removeprefix(".")
    return "jpg" if suffix in {"jpeg", "jfif"} else suffix
