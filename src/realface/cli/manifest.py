"""`realface manifest`: show, check, split, merge and convert manifests of face crops."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from realface.core.labels import Label
    from realface.manifest.checks import Fault
    from realface.manifest.label_balance import ClassCount
    from realface.manifest.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Show, check, split, merge or convert manifests of face crops.")

SHOWN_PER_KIND = 5

FileArgument = Annotated[Path, typer.Argument(dir_okay=False, help="A .parquet, .json, .jsonl or .csv manifest.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
RootOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that the paths are relative to. Default: the root in the file."),
]
LmdbOption = Annotated[
    Path | None, typer.Option(metavar="SET_lmdb", help="The LMDB with the frames of a deepfakebench list.")
]
UnpackOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="With --lmdb: the folder to write the frames to; it must be new or empty."),
]
ConvertedArgument = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        dir_okay=False,
        help="Manifest to write; its suffix chooses the format. NAME.tar or NAME-%06d.tar: the crops themselves, as "
        "WebDataset shards.",
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="Manifest to write, in any of the formats.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an output file that exists.")]


@app.command()
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Show the contents of a manifest: rows by split, label and method, videos, identities, crops."""
    from realface.manifest.manifest import Manifest

    _print(_summary(Manifest.read(file), file), as_json=as_json)


@app.command()
def check(
    file: FileArgument,
    root: RootOption = None,
    files: Annotated[bool, typer.Option(help="Check the files of crops and masks too.")] = True,
    similar: Annotated[
        bool, typer.Option(help="Read every crop, and find crops in different splits that look the same.")
    ] = True,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Number of reading processes. Default: one per core.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find missing or unfit files, contradictions, and videos, identities or images that appear in two splits.

    The exit code is 1 if there is a fault.
    """
    from realface.manifest.checks import check_manifest, manifest_notes
    from realface.manifest.label_balance import count_classes
    from realface.manifest.manifest import Manifest

    manifest = Manifest.read(file, root=root)
    faults = check_manifest(manifest, files=files, similar=similar, workers=workers, quiet=as_json)
    notes, counts = manifest_notes(manifest), count_classes(manifest)
    if as_json:
        splits = {
            split or "none": {label.word: asdict(count) for label, count in classes.items()}
            for split, classes in counts.items()
        }
        found = [{"kind": fault.kind, "text": fault.text, "rows": list(fault.rows)} for fault in faults]
        _print(
            {"file": str(file), "rows": len(manifest), "splits": splits, "faults": found, "notes": notes}, as_json=True
        )
    else:
        for line in [*_split_lines(counts), *_fault_lines(faults), *(f"note: {note}" for note in notes)]:
            print(line)
        result = _plural(len(faults), "fault") if faults else "sound"
        print(f"{file}: {_plural(len(manifest), 'row')}, {result}")
    if faults:
        raise typer.Exit(1)


FRACTIONS = "train=0.8,val=0.1,test=0.1"


class Apart(StrEnum):
    """Choices of `--by`."""

    IDENTITY = "identity"
    VIDEO = "video"


@app.command()
def split(
    file: FileArgument,
    out: OutOption,
    fractions: Annotated[
        str | None,
        typer.Option(metavar="NAME=SHARE,...", help=f"Share of the videos in each split. Default: {FRACTIONS}."),
    ] = None,
    of: Annotated[str | None, typer.Option(metavar="SPLIT", help="Re-split only the rows of this split.")] = None,
    by: Annotated[
        Apart, typer.Option(help="`identity`: no identity appears in two splits. `video`: identities may.")
    ] = (Apart.IDENTITY),
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another split.")] = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Assign splits so that connected videos and identities stay in the same split."""
    from realface.manifest.manifest import Manifest
    from realface.manifest.splits import split_again, split_by_identity

    _require_free(out, force=force)
    manifest, identity_disjoint = Manifest.read(file), by is Apart.IDENTITY
    shares = _fractions(fractions or FRACTIONS)
    if of is None:
        manifest = split_by_identity(manifest, shares, seed=seed, identity_disjoint=identity_disjoint)
    elif fractions is None:
        raise typer.BadParameter(f"--of {of} needs --fractions, such as {of}=0.9,val=0.1")
    else:
        manifest = split_again(manifest, of, shares, seed=seed, identity_disjoint=identity_disjoint)
    _write(manifest, out, as_json=as_json)


@app.command()
def merge(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", dir_okay=False, help="Manifests to merge, in this order.")
    ],
    out: OutOption,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Concatenate manifests. Their crops must have been made with the same settings."""
    from realface.manifest.manifest import Manifest

    _require_free(out, force=force)
    manifests = [Manifest.read(file) for file in files]
    merged = Manifest.concatenate(manifests)
    unknown = [str(file) for file, one in zip(files, manifests, strict=True) if one.header.crop.is_unknown]
    if 0 < len(unknown) < len(files):
        print(
            f"realface: warning: the crop settings of {', '.join(unknown)} are unknown, so the crop settings of the "
            "result are `unknown`",
            file=sys.stderr,
        )
    _write(merged, out, as_json=as_json)


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(metavar="LIST", dir_okay=False, help="A manifest, or a list of another project.")
    ],
    out: ConvertedArgument,
    form: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NAME", help="Format of the list: rffr, recce, fsfm or deepfakebench. Default: detected."
        ),
    ] = None,
    root: RootOption = None,
    lmdb: LmdbOption = None,
    unpack: UnpackOption = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset for rows without one in the list.")] = None,
    split: Annotated[str | None, typer.Option(help="Split for rows without one in the list.")] = None,
    only: Annotated[str | None, typer.Option(metavar="SPLIT", help="Write only the rows of this split.")] = None,
    to_rffr: Annotated[bool, typer.Option("--rffr", help="Write only paths and labels, for RFFR's own code.")] = False,
    absolute: Annotated[bool, typer.Option(help="With --rffr: write absolute paths, as in RFFR's test lists.")] = False,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="With NAME-%06d.tar: number of crops per shard. Default: 10,000.")
    ] = None,
    shuffle: Annotated[
        int | None,
        typer.Option(metavar="SEED", min=0, help="With a .tar: shuffle the crops with this seed."),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a manifest or another project's list in another format or place, or its crops as WebDataset shards."""
    from realface.manifest.importers.rffr import write_rffr_list

    if absolute and not to_rffr:
        raise typer.BadParameter("--absolute requires --rffr; a manifest already stores its root folder")
    if to_rffr and out.suffix.lower() != ".json":
        raise typer.BadParameter(f"RFFR's lists end in .json, got {out}")
    is_tar = out.suffix.lower() == ".tar"
    if shuffle is not None and not is_tar:
        raise typer.BadParameter("--shuffle requires OUT.tar or OUT-%06d.tar; rows of a manifest keep their order")
    if shard_size is not None and not (is_tar and "%" in out.name):
        raise typer.BadParameter("--shard-size requires several shards: OUT-%06d.tar")
    _require_new(out, force=force)
    manifest = _listed(file, out, form=form, root=root, lmdb=lmdb, unpack=unpack).filled(dataset=dataset, split=split)
    manifest = _only(manifest, only, file)
    if is_tar:
        _write_shards(manifest, out, shard_size=shard_size, seed=shuffle, as_json=as_json)
        return
    _warn_of_absent(manifest)
    if to_rffr:
        write_rffr_list(manifest, out, absolute=absolute)
        _print(_rffr_summary(manifest, out, absolute=absolute), as_json=as_json)
    else:
        _write(manifest, out, as_json=as_json)


def _only(manifest: Manifest, split: str | None, file: Path) -> Manifest:
    """Return the rows of one split, or all rows if `split` is None."""
    from realface.core.errors import ManifestError

    if split is None:
        return manifest
    rows = manifest.filter(split=split)
    if not len(rows):
        there = ", ".join(sorted(str(name) for name in manifest.distinct("split") if name is not None)) or "none"
        raise ManifestError(f"{file} has no row of the split {split!r}; its splits: {there}")
    return rows


def _rffr_summary(manifest: Manifest, out: Path, *, absolute: bool) -> dict[str, Any]:
    """Summarise a list for RFFR, which contains only paths and labels."""
    num_fakes = int(manifest.labels.sum())
    whole = {"file": str(out), "rows": len(manifest), "labels": {"real": len(manifest) - num_fakes, "fake": num_fakes}}
    return whole if absolute else whole | {"relative to": str(manifest.root)}


def _write_shards(manifest: Manifest, out: Path, *, shard_size: int | None, seed: int | None, as_json: bool) -> None:
    import numpy as np

    from realface.manifest.webdataset import SHARD_SIZE, write_webdataset

    generator = None if seed is None else np.random.default_rng(seed)
    shards = write_webdataset(manifest, out, shard_size=shard_size or SHARD_SIZE, generator=generator, quiet=as_json)
    _print(
        {**_summary(manifest, out), "shards": len(shards), "first": str(shards[0]), "last": str(shards[-1])},
        as_json=as_json,
    )


def _listed(
    file: Path, out: Path, *, form: str | None, root: Path | None, lmdb: Path | None, unpack: Path | None
) -> Manifest:
    """Read a manifest or a list; frames in an LMDB are unpacked."""
    from realface.manifest.formats import FORMATS
    from realface.manifest.importers.deepfakebench_lmdb import read_from_lmdb
    from realface.manifest.importers.registry import import_list

    if lmdb is None and unpack is None:
        return import_list(file, name=form, root=root)
    if lmdb is None or unpack is None:
        raise typer.BadParameter("--lmdb requires --unpack, the folder for the frames, and --unpack requires --lmdb")
    if form not in {None, "deepfakebench"}:
        raise typer.BadParameter(f"--lmdb requires a list of DeepfakeBench, got --from {form}")
    if root is not None:
        raise typer.BadParameter("--root cannot be combined with --lmdb; the frames will be in the folder of --unpack")
    if out.suffix.lower() not in {*FORMATS, ".tar"}:  # checked before a million files are written
        raise typer.BadParameter(f"a manifest ends in {', '.join(FORMATS)}, got {out}")
    return read_from_lmdb(file, lmdb, unpack=unpack)


def _warn_of_absent(manifest: Manifest) -> None:
    """Warn if crops of an imported list are missing; crops made by `prepare` are checked by `check`."""
    if not manifest.header.crop.is_unknown:
        return
    absent = sum(not manifest.file_of(row).is_file() for row in range(len(manifest)))
    if absent:
        print(
            f"realface: warning: {absent} of {len(manifest)} crops are not below {manifest.root}; "
            "use --root to set the folder that contains them",
            file=sys.stderr,
        )


def _split_lines(counts: Mapping[str | None, Mapping[Label, ClassCount]]) -> list[str]:
    """Return one line per split: the numbers of reals and fakes, and of their videos."""
    width = max((len(split or "no split") for split in counts), default=0) + 1
    lines = []
    for split, classes in counts.items():
        texts = [f"{count.crops:,} {label.word} ({_plural(count.videos, 'video')})" for label, count in classes.items()]
        lines.append(f"{(split or 'no split') + ':':<{width}} {', '.join(texts)}")
    return lines


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _fault_lines(faults: Sequence[Fault]) -> list[str]:
    """Return one line per fault, at most `SHOWN_PER_KIND` of each kind."""
    lines = []
    for kind in dict.fromkeys(fault.kind for fault in faults):
        texts = [fault.text for fault in faults if fault.kind == kind]
        lines += [f"fault: {kind}: {text}" for text in texts[:SHOWN_PER_KIND]]
        if len(texts) > SHOWN_PER_KIND:
            lines.append(f"fault: {kind}: and {len(texts) - SHOWN_PER_KIND} more; --json lists all")
    return lines


def _summary(manifest: Manifest, file: Path) -> dict[str, Any]:
    from realface.manifest.label_balance import count_classes
    from realface.manifest.leaks import identity_names

    identities = identity_names(manifest.columns)
    return {
        "file": str(file),
        "root": str(manifest.root),
        "rows": len(manifest),
        "videos": len(manifest.video_key_column().unique()),
        "identities": len(identities.group_by(["dataset", "name"]).aggregate([])),
        "splits": {
            split or "none": {label.word: count.crops for label, count in classes.items()}
            for split, classes in count_classes(manifest).items()
        },
        **{name + "s": _counts(manifest, name) for name in ("dataset", "method", "compression")},
        "crops": manifest.header.crop.describe(),
        "skipped": manifest.header.skipped,
        "sha256": manifest.sha256(),
        "note": manifest.header.note,
    }


def _counts(manifest: Manifest, column: str) -> dict[str, int]:
    counts = {pair["values"]: pair["counts"] for pair in manifest.columns[column].value_counts().to_pylist()}
    return {"none" if value is None else value: count for value, count in counts.items()}


def _write(manifest: Manifest, out: Path, *, as_json: bool) -> None:
    manifest.write(out)
    _print(_summary(manifest, out), as_json=as_json)


def _print(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for name, value in document.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
        if shown != "":
            print(f"{name + ':':<14}{shown}")


def _words(count: int | Mapping[str, int]) -> str:
    if isinstance(count, int):
        return str(count)
    return f"({', '.join(f'{number} {label}' for label, number in count.items())})"


def _require_new(out: Path, *, force: bool) -> None:
    """Refuse an existing manifest or set of shards, and an invalid name."""
    from realface.core.errors import OutputExistsError
    from realface.manifest.webdataset import require_shard_name, shards_there

    if out.suffix.lower() != ".tar":
        _require_free(out, force=force)
        return
    require_shard_name(out)
    there = shards_there(out)
    if there and not force:
        more = f" and {_plural(len(there) - 1, 'more shard')} exist" if len(there) > 1 else " exists"
        raise OutputExistsError(f"{there[0]}{more}", hint="choose another name, or pass --force to replace the shards")


def _require_free(out: Path, *, force: bool) -> None:
    from realface.core.errors import OutputExistsError

    if out.exists() and not force:
        raise OutputExistsError(f"{out} exists", hint="choose another name, or pass --force to replace it")


def _fractions(text: str) -> dict[str, float]:
    from realface.core.errors import ManifestError

    fractions: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            value = float(share)
        except ValueError as error:
            raise ManifestError(
                f"--fractions: expected NAME=SHARE,... such as train=0.8,test=0.2, got {text!r}"
            ) from error
        if not name.strip() or name.strip() in fractions:
            raise ManifestError(f"--fractions: missing or repeated name of a split, got {text!r}")
        fractions[name.strip()] = value
    return fractions
