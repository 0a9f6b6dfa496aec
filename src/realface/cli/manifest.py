"""`realface manifest`: look at lists of face crops, check, split, merge and convert them."""

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

app = typer.Typer(no_args_is_help=True, help="Show, check, split, merge or convert lists of face crops.")

SHOWN_PER_KIND = 5

FileArgument = Annotated[Path, typer.Argument(dir_okay=False, help="A .parquet, .json, .jsonl or .csv manifest.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
RootOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="What the paths are relative to; by default what the file says.")
]
LmdbOption = Annotated[
    Path | None, typer.Option(metavar="SET_lmdb", help="Of a deepfakebench list: the LMDB with its frames.")
]
UnpackOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="With --lmdb: the folder to write them to, absent or empty.")
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="Manifest to write, in any of the formats.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an output file that exists.")]


@app.command()
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Say what a manifest holds: rows by split, label and method, videos, identities, crops."""
    from realface.manifest.manifest import Manifest

    _print(_summary(Manifest.read(file), file), as_json=as_json)


@app.command()
def check(
    file: FileArgument,
    root: RootOption = None,
    files: Annotated[bool, typer.Option(help="Look at the crops and masks on the disk too.")] = True,
    similar: Annotated[
        bool, typer.Option(help="Read every crop, and look for those of different splits that look the same.")
    ] = True,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read; one per core when left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for files that are gone or do not fit, contradictions, and videos, identities or images in two splits.

    With any of them the exit code is 1.
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
        typer.Option(metavar="NAME=SHARE,...", help=f"Share of the videos that each gets; {FRACTIONS} if left out."),
    ] = None,
    of: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Deal out the rows of this split alone; others keep theirs.")
    ] = None,
    by: Annotated[Apart, typer.Option(help="What no two splits share; video: people may stand in several.")] = (
        Apart.IDENTITY
    ),
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
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", dir_okay=False, help="The manifests, in order.")],
    out: OutOption,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put manifests one after the other. Their crops must have been made in the same way."""
    from realface.manifest.manifest import Manifest

    _require_free(out, force=force)
    manifests = [Manifest.read(file) for file in files]
    merged = Manifest.concatenate(manifests)
    unknown = [str(file) for file, one in zip(files, manifests, strict=True) if one.header.crop.is_external]
    if 0 < len(unknown) < len(files):
        print(
            f"realface: warning: how the crops of {', '.join(unknown)} were made is not known, so the crops of the "
            "whole are `external`",
            file=sys.stderr,
        )
    _write(merged, out, as_json=as_json)


@app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(metavar="LIST", dir_okay=False, help="A manifest, or a list of another project.")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            dir_okay=False,
            help="Manifest to write; its suffix chooses the format. NAME.tar or NAME-%06d.tar: the crops themselves, "
            "as WebDataset shards.",
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="rffr, recce, fsfm or deepfakebench; by default what the file is."),
    ] = None,
    root: RootOption = None,
    lmdb: LmdbOption = None,
    unpack: UnpackOption = None,
    dataset: Annotated[str | None, typer.Option(help="Data set of the rows for which the list names none.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the rows for which the list names none.")] = None,
    only: Annotated[str | None, typer.Option(metavar="SPLIT", help="Write the rows of this split alone.")] = None,
    to_rffr: Annotated[bool, typer.Option("--rffr", help="Write paths and labels alone, for RFFR's own code.")] = False,
    absolute: Annotated[bool, typer.Option(help="With --rffr: whole paths, as in RFFR's test lists.")] = False,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="With NAME-%06d.tar: crops of each shard; 10,000 when left out.")
    ] = None,
    shuffle: Annotated[
        int | None,
        typer.Option(metavar="SEED", min=0, help="With a .tar: shuffle the crops; another seed, another order."),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a manifest or another project's list in another format or place, or its crops as WebDataset shards."""
    from realface.manifest.importers.rffr import write_rffr_list

    if absolute and not to_rffr:
        raise typer.BadParameter("--absolute goes with --rffr; manifests find their crops from wherever they are")
    if to_rffr and out.suffix.lower() != ".json":
        raise typer.BadParameter(f"RFFR's lists end in .json, got {out}")
    is_tar = out.suffix.lower() == ".tar"
    if shuffle is not None and not is_tar:
        raise typer.BadParameter("--shuffle goes with OUT.tar or OUT-%06d.tar; in manifests rows keep their order")
    if shard_size is not None and not (is_tar and "%" in out.name):
        raise typer.BadParameter("--shard-size goes with several shards: OUT-%06d.tar")
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
    """The rows of one split, or all of them."""
    from realface.core.errors import ManifestError

    if split is None:
        return manifest
    rows = manifest.filter(split=split)
    if not len(rows):
        there = ", ".join(sorted(str(name) for name in manifest.distinct("split") if name is not None)) or "none"
        raise ManifestError(f"{file} has no row of the split {split!r}; its splits: {there}")
    return rows


def _rffr_summary(manifest: Manifest, out: Path, *, absolute: bool) -> dict[str, Any]:
    """What is in such a list, which holds nothing but paths and labels."""
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
    """Read a manifest or a list; frames that are in an LMDB are unpacked."""
    from realface.manifest.formats import FORMATS
    from realface.manifest.importers.deepfakebench_lmdb import read_from_lmdb
    from realface.manifest.importers.registry import import_list

    if lmdb is None and unpack is None:
        return import_list(file, name=form, root=root)
    if lmdb is None or unpack is None:
        raise typer.BadParameter("--lmdb and --unpack go together: what holds the frames, and the folder for them")
    if form not in {None, "deepfakebench"}:
        raise typer.BadParameter(f"--lmdb goes with lists of DeepfakeBench, not with --from {form}")
    if root is not None:
        raise typer.BadParameter("--root does not go with --lmdb; the frames will be in the folder of --unpack")
    if out.suffix.lower() not in {*FORMATS, ".tar"}:  # said before a million files are written
        raise typer.BadParameter(f"a manifest ends in {', '.join(FORMATS)}, got {out}")
    return read_from_lmdb(file, lmdb, unpack=unpack)


def _warn_of_absent(manifest: Manifest) -> None:
    """Say how many crops made elsewhere are not where the list says; ours are `check`'s affair."""
    if not manifest.header.crop.is_external:
        return
    absent = sum(not manifest.file_of(row).is_file() for row in range(len(manifest)))
    if absent:
        print(
            f"realface: warning: {absent} of {len(manifest)} crops are not below {manifest.root}; "
            "with --root another folder is looked in",
            file=sys.stderr,
        )


def _split_lines(counts: Mapping[str | None, Mapping[Label, ClassCount]]) -> list[str]:
    """A line for each split: how many reals and fakes, of how many videos."""
    width = max((len(split or "no split") for split in counts), default=0) + 1
    lines = []
    for split, classes in counts.items():
        texts = [f"{count.crops:,} {label.word} ({_plural(count.videos, 'video')})" for label, count in classes.items()]
        lines.append(f"{(split or 'no split') + ':':<{width}} {', '.join(texts)}")
    return lines


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _fault_lines(faults: Sequence[Fault]) -> list[str]:
    """A line for each fault, but of one kind only so many that they do not hide the next."""
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
    """Refuse a manifest or a set of shards that is there, and a name that cannot be one."""
    from realface.core.errors import OutputExistsError
    from realface.manifest.webdataset import require_shard_name, shards_there

    if out.suffix.lower() != ".tar":
        _require_free(out, force=force)
        return
    require_shard_name(out)
    there = shards_there(out)
    if there and not force:
        more = f" and {_plural(len(there) - 1, 'more shard')} exist" if len(there) > 1 else " exists"
        raise OutputExistsError(f"{there[0]}{more}", hint="give another name, or --force to replace what is there")


def _require_free(out: Path, *, force: bool) -> None:
    from realface.core.errors import OutputExistsError

    if out.exists() and not force:
        raise OutputExistsError(f"{out} exists", hint="give another name, or --force to replace it")


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
            raise ManifestError(f"--fractions: every split needs a name of its own, got {text!r}")
        fractions[name.strip()] = value
    return fractions
