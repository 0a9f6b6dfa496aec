"""`data.real` of a recipe: a folder of photos and videos into crops, split by identity, and the numbers at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realface.evaluation.results import Result
    from realface.manifest.manifest import Manifest
    from realface.prepare.finish import PrepareResult
    from realface.training.recipe import TrainRecipe

SPLIT_NAME = "split.parquet"
CARD_NAME = "card.md"
MIN_FACES = 50
VAL_SHARE, TEST_SHARE = 0.15, 0.15
"""Shares of the identities that training does not see."""


def prepare_own_faces(recipe: TrainRecipe, run: Path, *, resume: bool, quiet: bool) -> TrainRecipe:
    """Find the faces of `data.real`, split them by identity and return the recipe that trains on them.

    Crops, landmarks and the split manifest are written to `RUN/faces`. An interrupted preparation continues.

    Args:
        recipe: one with `data.real`.
        run: folder of the run.
        resume: whether the folder may contain a run.
        quiet: show no progress and no counts.

    Raises:
        MissingInputError, DatasetError: the folder does not exist, has no photos and videos, or has fakes.
        OutputExistsError: the run's folder has something else in it.
        TrainingError: too few faces or identities, or several processes.
    """
    from realface.training.plan import faces_folder, require_consistent

    folder = recipe.data.real
    assert folder is not None
    faces = faces_folder(run)
    data = recipe.data.model_copy(update={"real": None, "manifests": [faces / SPLIT_NAME]})
    resolved = recipe.model_copy(update={"data": data})
    _require_place(folder, run, recipe)
    require_consistent(resolved, run, resume=resume)
    found = _prepare(recipe, folder, faces, quiet=quiet)
    manifest = _usable(found, faces, workers=_workers(recipe), quiet=quiet)
    _require_enough(manifest, found, folder)
    split = _split(manifest, seed=recipe.seed)
    split.write(faces / SPLIT_NAME)
    if not quiet:
        _tell(split, found)
    return resolved


def is_own_run(recipe: TrainRecipe, run: Path) -> bool:
    """Return whether a run trains on faces that were prepared for it, as when it is resumed without its recipe."""
    from realface.training.plan import faces_folder

    return recipe.data.manifests == [faces_folder(run) / SPLIT_NAME]


def finish_own_faces(recipe: TrainRecipe, run: Path, *, quiet: bool) -> list[Result]:
    """Measure the finished detector on the test identities and write `RUN/results.json` and `RUN/card.md`.

    Args:
        recipe: recipe that `prepare_own_faces` returned.
        run: folder of the finished run.
        quiet: show no progress.
    """
    from realface.evaluation.results import RESULTS_NAME
    from realface.report.model_card import write_model_card
    from realface.training.held_out import measure_held_out

    results = measure_held_out(recipe, run, quiet=quiet)
    write_model_card(run, run / CARD_NAME, results=[run / RESULTS_NAME])
    return results


def print_results(results: Sequence[Result]) -> None:
    """Print the numbers of the test identities, a line each."""
    from realface.report.model_card import estimate_text, named
    from realface.training.held_out import TEST

    for result in results:
        if result.data == TEST:
            print(f"{named(result)}: {estimate_text(result)} ({result.n} {result.unit}, {result.groups} identities)")


def _require_place(folder: Path, run: Path, recipe: TrainRecipe) -> None:
    """Refuse folders that cannot work, and several processes, which would all prepare."""
    from realface.core.errors import MissingInputError, TrainingError
    from realface.training.launch import started_places

    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise MissingInputError(
            f"data.real: {folder} {state}", hint="give a folder with photos and videos of real faces"
        )
    if run.resolve().is_relative_to(folder.resolve()):
        raise TrainingError(
            f"--out {run} is inside data.real, {folder}, so its crops would become training faces",
            hint="give a folder elsewhere",
        )
    if recipe.trainer.devices > 1 or started_places() is not None:
        raise TrainingError(
            "data.real: faces are prepared by one process, but several train",
            hint=(
                "first run with trainer.devices=1 until training starts, then name the faces: --set "
                f"data.manifests=[{run / 'faces' / SPLIT_NAME}]"
            ),
        )


def _workers(recipe: TrainRecipe) -> int | None:
    """Worker processes: one per core, or none if the recipe wants none."""
    return None if recipe.data.workers else 0


def _prepare(recipe: TrainRecipe, folder: Path, out: Path, *, quiet: bool) -> PrepareResult:
    from realface.datasets.real_folder import RealFolderReader
    from realface.faces.detectors.registry import default_crop_spec
    from realface.prepare.pipeline import ExecutionSettings, prepare_dataset

    crops, config = recipe.data.crops, recipe.method
    input_size: Any = getattr(config, "input_size", None)
    spec = default_crop_spec(
        margin=crops.margin,
        size=crops.size_for(input_size),
        edge="inside",
        min_face=crops.min_face,
        frames=crops.frames,
    )
    reader = RealFolderReader(recipe.data.identities)
    return prepare_dataset(
        folder, out, spec=spec, dataset=reader, execution=ExecutionSettings(workers=_workers(recipe), quiet=quiet)
    )


def _usable(found: PrepareResult, out: Path, *, workers: int | None, quiet: bool) -> Manifest:
    """Return the rows that show a whole face, each image once."""
    import os

    import numpy as np

    from realface.data.crop_store import crop_keys
    from realface.data.landmark_store import FILE_NAME, read_landmarks
    from realface.evaluation.landmarks import store_landmarks
    from realface.manifest.manifest import Manifest

    manifest = Manifest.read(found.manifest)
    if not len(manifest):
        return manifest
    num_workers = (os.cpu_count() or 1) if workers is None else workers
    store_landmarks(manifest, out / FILE_NAME, workers=num_workers, quiet=quiet)
    stored, keys = read_landmarks(out / FILE_NAME), crop_keys(manifest)
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    rows = [row for row, key in enumerate(keys) if first[key] == row and stored[key].points is not None]
    num_copies, num_faceless = len(keys) - len(first), len(first) - len(rows)
    for count, what in ((num_copies, "copies of another crop"), (num_faceless, "without facial landmarks")):
        if count and not quiet:
            print(f"realface train: {count} of {len(keys)} crops are left out: {what}", file=sys.stderr)
    return manifest.take(np.array(rows, np.int64))


def _require_enough(manifest: Manifest, found: PrepareResult, folder: Path) -> None:
    from realface.core.errors import TrainingError
    from realface.manifest.splits import FEWEST_DEALT

    if len(manifest) < MIN_FACES:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in found.skipped.items())
        details = f"; skipped files by reason (details in skipped.csv): {reasons}" if reasons else ""
        raise TrainingError(
            f"data.real: {len(manifest)} usable faces in {found.num_sources} photos and videos of {folder}, but "
            f"training needs at least {MIN_FACES}",
            hint=f"add more{details}",
        )
    num_people = len({*_people(manifest)})
    if num_people < FEWEST_DEALT:
        raise TrainingError(
            f"data.real: the faces are of {num_people} {'identity' if num_people == 1 else 'identities'}, but "
            f"training, validation and test need two each, so at least {FEWEST_DEALT}",
            hint="add other people, or set data.identities=files if each photo or video shows somebody else",
        )


def _people(manifest: Manifest) -> list[tuple[str | None, str]]:
    return [
        (source, people[0])
        for source, people in zip(manifest.column("dataset"), manifest.column("identities"), strict=True)
    ]


def _split(manifest: Manifest, *, seed: int) -> Manifest:
    from realface.manifest.splits import deal_identities

    return deal_identities(manifest, val_share=VAL_SHARE, test_share=TEST_SHARE, seed=seed)


def _tell(split: Manifest, found: PrepareResult) -> None:
    """Print the number of faces and of people in each split."""
    parts = []
    for name, what in (("train", "training"), ("val", "validation"), ("test", "test")):
        own = split.filter(split=name)
        parts.append(f"{what} {len(own)} of {len(set(_people(own)))}")
    print(f"faces: {len(split)} of {len(set(_people(split)))} people; {', '.join(parts)}")
    if num_skipped := sum(found.skipped.values()):
        where = found.manifest.parent / "skipped.csv"
        print(f"realface train: {num_skipped} of {found.num_sources} files gave no face; see {where}", file=sys.stderr)
