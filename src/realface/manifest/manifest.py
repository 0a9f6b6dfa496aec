"""The manifest: a table of face crops with labels, sources and crop settings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, ManifestError, RecipeError
from realface.core.recipe import Section, check_recipe
from realface.core.split_names import canonical_split
from realface.manifest.columns import Columns, bytes_of
from realface.manifest.formats import read_file, write_file
from realface.manifest.schema import (
    COLUMNS,
    NOT_CONVERTIBLE,
    SCHEMA,
    canonical_splits,
    no_such_column,
    table_from_rows,
    typed_array,
)

FORMAT = 2


class ManifestHeader(Section):
    """Facts that apply to all rows of a manifest."""

    format: int = Field(FORMAT, description="version of the file format")
    root: str = Field(".", description="folder of `path` and `mask`, itself relative to the manifest's folder")
    crop: CropSpec = Field(default_factory=CropSpec.unknown, description="how the crops were made")
    sources: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each file named in `source`")
    skipped: dict[str, int] = Field(default_factory=dict, description="number of skipped files, by reason")
    note: str = Field("", description="free text")


@dataclass(frozen=True, eq=False)
class Manifest:
    """A table of face crops with a header.

    A manifest is never changed in place: every method returns a new one, which shares memory with the old one.

    Attributes:
        columns: one row per crop, with exactly the columns of `schema.SCHEMA`, as Arrow arrays. Columns of a Parquet
            file are read on first use: `columns["split"]`. Only `path` and `label` are never null. `path` and `mask`
            are relative to `root`, with slashes, or absolute.
        header: facts that apply to all rows; `write` sets its `root` again.
        root: the folder that paths are relative to, absolute.

    Example:
        >>> rows = [{"path": "a.png", "label": 0, "split": "train"}, {"path": "b.png", "label": 1, "split": "test"}]
        >>> manifest = Manifest.from_rows(rows, root=Path("faces"))
        >>> manifest.filter(split="test").column("path")
        ['b.png']
    """

    columns: Columns
    header: ManifestHeader
    root: Path

    @classmethod
    def read(cls, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a `.parquet`, `.json`, `.jsonl` or `.csv` manifest; `formats` describes them.

        Args:
            path: the file.
            root: the folder that its paths are relative to. Default: the root in the header.

        Raises:
            MissingInputError: no such file.
            ManifestError: not a manifest, with the place and kind of the fault. A fault in a column of a Parquet file
                other than `path` and `label` comes when that column is read.
        """
        path = Path(path)
        columns, document = read_file(path)
        header = _checked_header(document or {}, where=str(path))
        root = path.resolve().parent / header.root if root is None else Path(root)
        return cls(columns, header, _absolute(root))

    def write(self, path: Path) -> None:
        """Write the manifest atomically, in the format that the suffix names.

        The root is written relative to the file's folder, so the manifest can be moved together with its crops, and
        one written elsewhere still finds them.

        Raises:
            ManifestError: an unknown suffix.
        """
        path = Path(path)
        root = Path(os.path.relpath(self.root.resolve(), path.resolve().parent)).as_posix()
        header = self.header.model_copy(update={"root": root})
        write_file(self.table, header.model_dump(mode="json"), path)

    @classmethod
    def from_rows(
        cls, rows: Iterable[Mapping[str, Any]], *, root: Path, header: ManifestHeader | None = None
    ) -> Manifest:
        """Make a manifest of mappings from column to value.

        Args:
            rows: absent columns are null; a `Path` is taken as text with slashes.
            root: the folder that `path` and `mask` are relative to.
            header: by default that of crops made elsewhere.

        Raises:
            ManifestError: an unknown or missing column, or an invalid value; the text gives the row, from 1.
        """
        table = table_from_rows(list(rows), where="rows", place=lambda row: f"row {row + 1}")
        return cls(Columns.of(table), header or ManifestHeader(), _absolute(root))

    @classmethod
    def concatenate(cls, manifests: Sequence[Manifest]) -> Manifest:
        """Concatenate manifests.

        Their roots may differ: the root of the result is the common parent folder, and `path`, `mask` and `source`
        become relative to the new root. Counts of skipped files are added up. If some of the manifests have a known
        crop spec and some an unknown spec, the result has the spec `unknown`.

        Raises:
            ManifestError: no manifests, or two source files of one name and different content.
            CropSpecError: crops made in two ways.
        """
        if not manifests:
            raise ManifestError("no manifests to put together", hint="give at least one")
        root = Path(os.path.commonpath([manifest.root for manifest in manifests]))
        moved = [manifest._seen_from(root) for manifest in manifests]
        columns = Columns.joined([one.columns for one in moved])
        return cls(columns, _joint_header([one.header for one in moved]), root)

    def __len__(self) -> int:
        return self.columns.num_rows

    @property
    def table(self) -> pa.Table:
        """Return all columns in one table; columns of a Parquet file that were not read before are read now."""
        return self.columns.table()

    @property
    def labels(self) -> NDArray[np.int64]:
        """(rows,), 1 = fake."""
        labels: NDArray[np.int64] = self.columns["label"].to_numpy().astype(np.int64)
        return labels

    def column(self, name: str) -> list[Any]:
        """Return the values of one column, None for null.

        Raises:
            ManifestError: no such column.
        """
        values: list[Any] = self.columns[_known(name)].to_pylist()
        return values

    def distinct(self, name: str) -> list[Any]:
        """Return the distinct values of one column in order of first appearance, None for null.

        Raises:
            ManifestError: no such column.
        """
        values: list[Any] = pc.unique(self.columns[_known(name)]).to_pylist()
        return values

    def file_of(self, row: int) -> Path:
        """Return the path of a row's crop file."""
        return self.root / str(self.columns["path"][row])

    def filter(self, **wanted: Any) -> Manifest:
        """Return the rows that match a value, or one of a sequence of values, in every given column.

        `manifest.filter(split="train", method=["Deepfakes", None])`: None means null. An empty result is not an error.
        Every spelling of train, val and test is accepted.

        Raises:
            ManifestError: no such column, a column of lists, or a value of another type than the column's.
        """
        mask = None
        for name, value in wanted.items():
            kind = SCHEMA.field(_known(name)).type
            if pa.types.is_list(kind):
                raise ManifestError(
                    f"filter: column {name!r} contains lists", hint="filter by a column of single values"
                )
            values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
            if name == "split":
                values = [canonical_split(each) if isinstance(each, str) else each for each in values]
            try:
                value_set = typed_array(values, kind)
            except NOT_CONVERTIBLE as error:
                raise ManifestError(f"filter: column {name!r} holds {kind}, got {value!r}") from error
            is_wanted = pc.is_in(self.columns[name], value_set=value_set)
            mask = is_wanted if mask is None else pc.and_(mask, is_wanted)
        columns = self.columns if mask is None else self.columns.filter(mask)
        return Manifest(columns, self.header, self.root)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> Manifest:
        """Return the given rows in the given order; (n,) row numbers from 0."""
        return Manifest(self.columns.take(pa.array(rows, pa.int64())), self.header, self.root)

    def with_column(self, name: str, values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> Manifest:
        """Return a manifest with one column replaced; every spelling of a split becomes `train`, `val` or `test`.

        Raises:
            ManifestError: no such column.
        """
        kind = SCHEMA.field(_known(name)).type
        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)
        column = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
        assert len(column) == len(self)
        assert column.type == kind
        if name == "split":
            column = canonical_splits(column)
        return Manifest(self.columns.replaced(name, lambda: column), self.header, self.root)

    def filled(self, **values: str | None) -> Manifest:
        """Return a manifest in which nulls of the given columns are replaced by these texts; None keeps the nulls.

        Raises:
            ManifestError: no such column.
        """
        manifest = self
        for name, value in values.items():
            if value is not None:
                manifest = manifest.with_column(name, manifest.columns[_known(name)].fill_null(value))
        return manifest

    def video_keys(self) -> list[str]:
        """Return for each row the unique name of its video: `dataset/method/compression/video`.

        A bare video name repeats across methods and compressions. If `video` is null, the row's path is used instead.
        """
        keys: list[str] = self.video_key_column().to_pylist()
        return keys

    def video_key_column(self) -> pa.ChunkedArray:
        """Return `video_keys` as an Arrow column, which needs a fraction of the memory and time."""
        parts = [self.columns[name].fill_null("") for name in ("dataset", "method", "compression")]
        video = self.columns["video"]
        if video.null_count:
            video = pc.coalesce(video, self.columns["path"])
        return pc.binary_join_element_wise(*parts, video, "/")

    def sha256(self) -> str:
        """Return the hash of the rows, in order, and of the crop spec; independent of file format and location."""
        digest = hashlib.sha256(self.header.crop.model_dump_json().encode())
        for name in COLUMNS:
            digest.update(name.encode())
            column = self.columns.look(name)
            if column.null_count < len(column):
                _hash_column(digest, column)
        return digest.hexdigest()

    def _seen_from(self, root: Path) -> Manifest:
        """The same files with paths relative to `root`, a folder above."""
        way = self.root.relative_to(root).as_posix()
        if way == ".":
            return self
        columns = self.columns
        for name in ("path", "mask", "source"):
            columns = columns.replaced(name, partial(_with_way, self.columns, name, way))
        sources = {
            name if name.startswith("/") else f"{way}/{name}": digest for name, digest in self.header.sources.items()
        }
        return Manifest(columns, self.header.model_copy(update={"sources": sources}), root)


def _with_way(columns: Columns, name: str, way: str) -> pa.ChunkedArray:
    """The paths in a column seen from a folder above."""
    paths = columns.look(name)
    return pc.if_else(pc.starts_with(paths, "/"), paths, pc.binary_join_element_wise(way, paths, "/"))


def _absolute(root: Path) -> Path:
    return Path(os.path.abspath(root))  # noqa: PTH100 (Path.absolute keeps `..`)


def _known(name: str) -> str:
    if name not in COLUMNS:
        raise ManifestError(no_such_column(name))
    return name


def _checked_header(document: Mapping[str, Any], *, where: str) -> ManifestHeader:
    version = document.get("format", FORMAT)
    if isinstance(version, int) and version > FORMAT:
        raise ManifestError(
            f"{where}: manifest format {version} is newer than this realface, which reads {FORMAT}",
            hint="update realface",
        )
    if isinstance(version, int) and version < FORMAT:
        raise ManifestError(
            f"{where}: manifest format {version} is too old, expected {FORMAT}",
            hint="run `realface prepare` again, or import the data set again",
        )
    try:
        return check_recipe(ManifestHeader, document, where=f"{where}: header")
    except RecipeError as error:
        raise ManifestError(str(error)) from error


def _joint_header(headers: Sequence[ManifestHeader]) -> ManifestHeader:
    specs = [header.crop for header in headers]
    known = [spec for spec in specs if not spec.is_unknown]
    for other in known[1:]:
        if not other.cuts_like(known[0]):
            raise CropSpecError(
                f"crops made in two ways cannot be put together: [{known[0].describe()}] and [{other.describe()}]",
                hint="prepare the videos again with one spec",
            )
    sources: dict[str, str] = {}
    skipped: dict[str, int] = {}
    for header in headers:
        for name, digest in header.sources.items():
            if sources.setdefault(name, digest) != digest:
                raise ManifestError(
                    f"two source files are called {name} but differ in content", hint="prepare them apart"
                )
        for reason, count in header.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
    notes = dict.fromkeys(header.note for header in headers if header.note)
    crop = max(known, key=lambda spec: spec.frames) if specs and len(known) == len(specs) else CropSpec.unknown()
    return ManifestHeader(crop=crop, sources=sources, skipped=skipped, note="; ".join(notes))


def _hash_column(digest: hashlib._Hash, column: pa.ChunkedArray) -> None:
    """Add a column's values to a hash; the division into chunks and the bytes of null entries do not matter."""
    digest.update(np.packbits(column.is_valid().to_numpy()).tobytes())
    chunks = (column.drop_null() if column.null_count else column).chunks
    if pa.types.is_list(column.type):
        for chunk in chunks:
            digest.update(pc.list_value_length(chunk).to_numpy())
        chunks = [chunk.flatten() for chunk in chunks]
    if chunks and pa.types.is_string(chunks[0].type):
        for chunk in chunks:
            digest.update(pc.binary_length(chunk).to_numpy())
        for chunk in chunks:
            digest.update(bytes_of(chunk).data)
    else:
        for chunk in chunks:
            digest.update(chunk.to_numpy())
