"""Load the samples that a run trains and validates on, and refuse data that cannot be trained on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realface.core.crop_spec import CropSpec, require_same_crops
from realface.core.errors import MissingInputError, TrainingError
from realface.core.labels import Label
from realface.core.process_number import warn_once
from realface.data.dataset import RowInput
from realface.data.sampler import PairedSampler, Sampling
from realface.manifest.leaks import PLURALS, SHARED_BY_PUBLISHED_SPLITS, Kind, Leak, require_no_leaks
from realface.manifest.manifest import Manifest
from realface.metrics.ranking import missing_class
from realface.models.method import Method
from realface.training.recipe import DataSection, SamplesSection

NAMED_FILES = 3
"""Number of missing files that an error lists by name; further files are counted."""


@dataclass(frozen=True)
class TrainingData:
    """Training and validation samples of a run.

    Attributes:
        train: training samples, one row per crop.
        val: validation samples, one row per crop.
        crop: crop settings of all crops; `unknown` if some crops have unknown settings.
        trained_on: the training manifests as the artifact lists them: `name`, `sha256`, `rows` that were used, and
            `crop`, the crop settings.
        sampling: order in which training samples are drawn.
        fakes_left_out: numbers of fakes excluded from `train` and `val` for a method that learns only from real faces;
            else empty.
        train_inputs: precomputed inputs of the training samples, keyed by the task's keyword argument.
        val_inputs: precomputed inputs of the validation samples, keyed by the network's keyword argument.
        origins: for the provenance, everything else that the run uses, by name.
        train_fakes: real fakes that pairs are made with; None: the run uses no real fakes.
        val_fakes: real fakes that validation pairs are made with; None: the run uses no real fakes.
    """

    train: Manifest
    val: Manifest
    crop: CropSpec
    trained_on: list[dict[str, Any]]
    sampling: Sampling
    fakes_left_out: dict[str, int]
    train_inputs: Mapping[str, RowInput] = field(default_factory=dict)
    val_inputs: Mapping[str, RowInput] = field(default_factory=dict)
    origins: Mapping[str, Any] = field(default_factory=dict)
    train_fakes: Manifest | None = None
    val_fakes: Manifest | None = None


def load_data(
    data: DataSection, method: Method, *, on_pairs: bool = False, with_real_fakes: bool = False
) -> TrainingData:
    """Load the samples of a recipe, and check that training on them makes sense.

    For a method that learns only from real faces, fakes are excluded with a warning, and every real is drawn once an
    epoch. The same is true of a run on pairs of real faces and pseudo-fakes.

    Args:
        data: section `data` of the recipe.
        method: method of the recipe.
        on_pairs: whether the run makes its fakes itself.
        with_real_fakes: whether a run on pairs also uses the fakes of the manifests, with the reals of their videos.

    Raises:
        MissingInputError: a manifest is missing, or crops that it lists.
        ManifestError: a file is no manifest, or its rows make no pairs and the run needs pairs.
        CropSpecError: the crops of the manifests have different settings.
        LeakError: a video or an identity is in two splits, or in training and validation.
        TrainingError: no rows, a class that is needed is missing, rows of a test split in validation, or pairs with
            fakes for a method that learns only from real faces.
    """
    paths = dict.fromkeys([*data.manifests_of(data.train), *data.manifests_of(data.val)])
    manifests = {path: Manifest.read(path) for path in paths}
    crop = _common_crop(manifests)
    allowed = SHARED_BY_PUBLISHED_SPLITS if data.allow_identity_overlap else ()
    leaks = require_no_leaks(Manifest.concatenate([*manifests.values()]), where=_names([*manifests]), allowed=allowed)
    chosen = {name: _choose(rows, data, manifests, name) for name, rows in (("train", data.train), ("val", data.val))}
    fakes_left_out: dict[str, int] = {}
    sampling = data.train.sampling
    fakes: dict[str, Manifest] = {}
    used = chosen["train"]
    if method.real_only is not None or on_pairs:
        learner = "a run with pseudo_fakes" if on_pairs else method.name
        _require_no_pairs(sampling, learner)
        sampling = "all"
        chosen, fakes, fakes_left_out = _separate(chosen, learner, keeps_fakes=with_real_fakes)
    train, val = (Manifest.concatenate(list(parts.values())) for parts in chosen.values())
    _require_trainable(train, val, sampling, method, on_pairs=on_pairs)
    used_rows = {"train": train, "val": val}
    if fakes:
        used_rows = {name: Manifest.concatenate([rows, fakes[name]]) for name, rows in used_rows.items()}
    leaks += _require_apart(used_rows["train"], used_rows["val"], allowed)
    for name, rows in used_rows.items():
        _require_files(rows, where=f"data.{name}")
    if sampling == "paired":
        _require_pairs(train)
    trained_on = _describe(manifests, used if with_real_fakes else chosen["train"])
    return TrainingData(
        train,
        val,
        crop,
        trained_on,
        sampling,
        fakes_left_out,
        origins=_shared(leaks),
        train_fakes=fakes.get("train"),
        val_fakes=fakes.get("val"),
    )


def _describe(manifests: Mapping[Path, Manifest], used: Mapping[Path, Manifest]) -> list[dict[str, Any]]:
    """Return the training manifests as the artifact lists them, with the number of rows that are used."""
    return [
        {
            "name": "/".join(path.parts[-2:]),
            "sha256": manifests[path].sha256(),
            "rows": len(part),
            "crop": manifests[path].header.crop.describe(),
        }
        for path, part in used.items()
    ]


def _fakes_of(parts: Mapping[Path, Manifest]) -> Manifest:
    """Return the fake rows of all manifests."""
    return Manifest.concatenate([part.filter(label=int(Label.FAKE)) for part in parts.values()])


def _separate(
    chosen: Mapping[str, dict[Path, Manifest]], learner: str, *, keeps_fakes: bool
) -> tuple[dict[str, dict[Path, Manifest]], dict[str, Manifest], dict[str, int]]:
    """Separate the rows of training and validation into reals and fakes.

    Args:
        chosen: for `train` and `val`, the rows of each manifest.
        learner: name, for errors, of what learns only from real faces.
        keeps_fakes: whether the run uses the fakes as well.

    Returns:
        For `train` and `val` each: the real rows of each manifest, the fakes if they are kept, and the number of
        fakes if they are not.
    """
    fakes = {name: _fakes_of(parts) for name, parts in chosen.items()} if keeps_fakes else {}
    reals, fakes_left_out = {}, {}
    for name, parts in chosen.items():
        reals[name], num_fakes = _reals_of(parts, learner, name, keeps_fakes=keeps_fakes)
        if not keeps_fakes:
            fakes_left_out[name] = num_fakes
    return reals, fakes, fakes_left_out


def _reals_of(
    parts: dict[Path, Manifest], learner: str, name: str, *, keeps_fakes: bool
) -> tuple[dict[Path, Manifest], int]:
    """Return the real rows of each manifest, and the number of fakes, which is reported if they are not used."""
    reals = {path: part.filter(label=int(Label.REAL)) for path, part in parts.items()}
    num_rows, num_reals = (sum(len(part) for part in each.values()) for each in (parts, reals))
    if num_reals == 0:
        raise TrainingError(
            f"data.{name}: none of the {num_rows} rows is real, and {learner} learns from real faces alone",
            hint="name manifests with real faces",
        )
    num_fakes = num_rows - num_reals
    if num_fakes and not keeps_fakes:
        warn_once(
            f"data.{name}: {num_fakes} of {num_rows} rows are fakes and are left out: {learner} learns "
            "from real faces alone"
        )
    return reals, num_fakes


def _require_trainable(train: Manifest, val: Manifest, sampling: Sampling, method: Method, *, on_pairs: bool) -> None:
    """Refuse missing classes, too few real faces and rows of the test split."""
    if method.real_only is None and not on_pairs:
        _require_both_classes(train, val, sampling)
    elif method.real_only is not None:
        _require_faces(val, method.real_only.fewest_faces, method)
    _require_no_test_rows(val)


def _require_no_pairs(sampling: Sampling, learner: str) -> None:
    if sampling == "paired":
        raise TrainingError(
            f"data.train.sampling: paired puts fakes beside reals, and {learner} learns from real faces alone",
            hint="leave data.train.sampling out",
        )


def _require_no_test_rows(val: Manifest) -> None:
    if "test" in val.distinct("split"):
        raise TrainingError(
            "data.val: rows of the test split would choose the best step and the threshold, and the test numbers "
            "would mean nothing",
            hint="set data.val.filters to a validation split",
        )


def _require_faces(val: Manifest, fewest: int, method: Method) -> None:
    if len(val) < fewest:
        raise TrainingError(
            f"data.val: {len(val)} real faces are held back, and the score of {method.name} needs at least {fewest}",
            hint="validate on more",
        )


def _require_both_classes(train: Manifest, val: Manifest, sampling: Sampling) -> None:
    if sampling != "all" and (reason := missing_class(train.labels)):
        raise TrainingError(f"data.train: {reason}", hint="name manifests with both, or set data.train.sampling to all")
    if reason := missing_class(val.labels):
        raise TrainingError(f"data.val: {reason}, or no metric can choose the best step")


def _require_pairs(train: Manifest) -> None:
    """Refuse samples without a single pair; report how many fakes have no known original."""
    if num_left_out := PairedSampler(train, seed=0).num_left_out:
        warn_once(
            f"warning: data.train: {num_left_out} of {int(train.labels.sum())} fakes name no real of theirs "
            "and are left out of the pairs"
        )


def _choose(
    rows: SamplesSection, data: DataSection, manifests: dict[Path, Manifest], name: str
) -> dict[Path, Manifest]:
    chosen = {path: manifests[path].filter(**rows.filters) for path in data.manifests_of(rows)}
    if not any(len(part) for part in chosen.values()):
        present = "; ".join(
            f"{column} holds {_listed({str(v) for path in chosen for v in manifests[path].distinct(column)})}"
            for column in rows.filters
        )
        raise TrainingError(
            f"data.{name}: no row of {_names(list(chosen))} has {rows.filters}" + (f" ({present})" if present else "")
        )
    return chosen


def _common_crop(manifests: dict[Path, Manifest]) -> CropSpec:
    (first, first_manifest), *others = manifests.items()
    known, known_name = first_manifest.header.crop, str(first)
    for path, manifest in others:
        spec = manifest.header.crop
        require_same_crops(spec, crops_name=str(path), model=known, model_name=known_name)
        if known.is_unknown:
            known, known_name = spec, str(path)
    unknown = [path for path, manifest in manifests.items() if manifest.header.crop.is_unknown]
    if not unknown:
        return known
    warn_once(
        f"warning: how the crops of {_names(unknown)} were made is unknown; the detector will say "
        "`unknown`, and will judge only face crops (--crops)"
    )
    return CropSpec.unknown()


def _shared(leaks: Sequence[Leak]) -> dict[str, Any]:
    """Return the allowed leaks of a published split, counted by kind, with a warning."""
    counts = Counter(kind for kind, _, _ in {(leak.kind, leak.dataset, leak.name) for leak in leaks})
    if not counts:
        return {}
    overlap = " and ".join(f"{count} {kind if count == 1 else PLURALS[kind]}" for kind, count in sorted(counts.items()))
    warn_once(
        f"warning: data.allow_identity_overlap: {overlap} in two splits, so results will not show how well unseen "
        "people are handled"
    )
    return {"shared_by_splits": dict(sorted(counts.items()))}


def _require_apart(train: Manifest, val: Manifest, allowed: Collection[Kind]) -> list[Leak]:
    """Refuse a video or identity on both sides, independent of the manifests' own split columns."""
    sides = [rows.with_column("split", [side] * len(rows)) for side, rows in (("data.train", train), ("data.val", val))]
    return require_no_leaks(Manifest.concatenate(sides), where="the recipe", allowed=allowed)


def _require_files(rows: Manifest, *, where: str) -> None:
    """Refuse samples without a file. Each folder is listed once, which is much faster than checking each file."""
    listed: dict[str, set[str]] = {}
    missing = []
    for chunk in rows.columns["path"].chunks:
        for path in chunk.to_pylist():
            folder, name = os.path.split(path)  # strings, since a million Path objects take ten seconds
            if folder not in listed:
                there = rows.root / folder
                listed[folder] = set(os.listdir(there)) if there.is_dir() else set()  # noqa: PTH208
            if name not in listed[folder]:
                missing.append(path)
    if missing:
        named = _names([rows.root / path for path in missing[:NAMED_FILES]])
        more = f" and {len(missing) - NAMED_FILES} more" if len(missing) > NAMED_FILES else ""
        raise MissingInputError(
            f"{where}: {len(missing)} of {len(rows)} crops are missing: {named}{more}",
            hint="prepare them again, or move the crops back beside their manifest",
        )


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def _listed(values: set[str]) -> str:
    shown = sorted(values)[:12]
    return ", ".join(shown) + (", ..." if len(values) > len(shown) else "")
