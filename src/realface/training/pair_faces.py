"""The faces that a run on pairs learns from and is validated on, with their landmarks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realface.core.errors import TrainingError
from realface.core.process_number import warn_once
from realface.data.landmark_store import FILE_NAME, read_landmarks
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.real_faces import FaceRows, face_rows
from realface.data.resynthesis_store import ResynthesisStore
from realface.evaluation.landmarks import store_landmarks
from realface.manifest.manifest import Manifest
from realface.models.method import Method
from realface.training.data import TrainingData
from realface.training.recipe import PairsSection, TrainRecipe

MIN_VALIDATION_FACES = 2
ROLE = "pseudo-fakes"
"""Role of the pseudo-fakes in the artifact's `trained_on`."""


@dataclass(frozen=True)
class PairFaces:
    """The real faces of a run.

    Attributes:
        train: faces that training pairs are made from.
        val: faces that validation pairs are made from.
    """

    train: FaceRows
    val: FaceRows


def require_pairs_possible(recipe: TrainRecipe, method: Method) -> None:
    """Refuse settings of pairs that cannot work, before anything is read.

    Raises:
        TrainingError: the method cannot train on pairs, the batch size is odd, settings contradict `pseudo_fakes`, or a
            mask head has nothing to learn from.
    """
    section = recipe.pseudo_fakes
    if section is None:
        if getattr(recipe.method, "mask_head", False):
            raise TrainingError(
                "method.mask_head: only pairs say where a face was manipulated",
                hint="add a section pseudo_fakes, or leave mask_head out",
            )
        return
    if not method.trains_on_pairs:
        raise TrainingError(f"pseudo_fakes: {method.name} cannot train on pairs", hint="remove pseudo_fakes")
    if recipe.trainer.batch_size % 2:
        raise TrainingError(
            f"trainer.batch_size: {recipe.trainer.batch_size} images are not a whole number of pairs",
            hint="set an even number",
        )
    if recipe.data.train.degradations is not None:
        raise TrainingError(
            "data.train.degradations: both images of a pair need one draw, which pseudo_fakes.degradations gives",
            hint="remove data.train.degradations",
        )
    stored = [name for name in section.all_kinds if KINDS[name].partner == "stored"]
    if stored and section.resynthesis is None:
        raise TrainingError(
            f"pseudo_fakes: {stored[0]} needs faces that a network has rendered",
            hint=(
                "run `realface resynthesise MANIFEST --out STORE` and set pseudo_fakes.resynthesis: STORE, or remove "
                f"{stored[0]}"
            ),
        )


def with_pseudo_fakes(data: TrainingData, section: PairsSection | None) -> TrainingData:
    """Return the data of a run, extended so that artifact and provenance list the pseudo-fakes too.

    Raises:
        MissingInputError, ResynthesisStoreError: the store of re-synthesised faces cannot be read.
    """
    if section is None:
        return data
    rendered = [] if section.resynthesis is None else [ResynthesisStore(section.resynthesis).origin]
    named: dict[str, Any] = {
        "role": ROLE,
        "name": "made from the real faces of this run; "
        + ("real fakes were used too" if section.real_fakes else "no real fakes were used"),
        "shares": section.training_shares,
        "held_out": section.held_out,
        "sources": _counted_by_source(data.train),
    }
    used: dict[str, Any] = {"shares": named["shares"], "held_out": section.held_out}
    if section.real_fakes:
        named["real_fakes"] = used["real_fakes"] = section.real_fakes
    if rendered:
        used["resynthesis"] = rendered[0]
    return replace(
        data, trained_on=[*data.trained_on, *rendered, named], origins={**data.origins, "pseudo_fakes": used}
    )


def _counted_by_source(reals: Manifest) -> dict[str, dict[str, int]]:
    """Return crops and identities of each source of training faces."""
    people: defaultdict[str, list[str]] = defaultdict(list)
    for source, names, video in zip(
        reals.column("dataset"), reals.column("identities"), reals.video_keys(), strict=True
    ):
        people[source or ""].append(names[0] if names else f"video {video}")
    return {source: {"crops": len(own), "identities": len(set(own))} for source, own in sorted(people.items())}


def compute_landmarks(data: TrainingData, recipe: TrainRecipe, run: Path, *, quiet: bool) -> None:
    """Write the landmarks of all faces of a run into its folder.

    Landmarks that `prepare --landmarks mesh` wrote next to a manifest are reused; all further landmarks are computed,
    in 5 to 20 ms per face.
    """
    section = recipe.data
    manifests = dict.fromkeys([*section.manifests_of(section.train), *section.manifests_of(section.val)])
    faces = Manifest.concatenate([data.train, data.val])
    known = [path.parent / FILE_NAME for path in manifests]
    store_landmarks(faces, run / FILE_NAME, known=known, workers=section.workers, quiet=quiet)


def open_faces(data: TrainingData, recipe: TrainRecipe, run: Path) -> PairFaces:
    """Return the faces of a run, whose landmarks are in its folder.

    Raises:
        TrainingError: too few faces have landmarks, no face is in the store of re-synthesised faces, or kinds need two
            identities and the faces show only one identity.
    """
    section = recipe.pseudo_fakes
    assert section is not None
    stored = read_landmarks(run / FILE_NAME)
    rendered = None if section.resynthesis is None else ResynthesisStore(section.resynthesis)
    found = {
        name: face_rows(part, stored, rendered, fakes)
        for name, part, fakes in (("train", data.train, data.train_fakes), ("val", data.val, data.val_fakes))
    }
    for name, faces in found.items():
        if faces.num_without_landmarks:
            total = len(faces.rows) + faces.num_without_landmarks
            warn_once(f"data.{name}: {faces.num_without_landmarks} of {total} crops show no face and are left out")
    for name, fewest in (("train", 1), ("val", MIN_VALIDATION_FACES)):
        if (count := len(found[name].rows)) < fewest:
            raise TrainingError(
                f"data.{name}: {count} real faces have landmarks, but pairs need at least {fewest}",
                hint="add more faces",
            )
    for name, faces in found.items():
        if section.real_fakes and not faces.with_fakes:
            raise TrainingError(
                f"data.{name}: no fake names the video of a real face in the column `original`, but "
                "pseudo_fakes.real_fakes pairs them",
                hint="add fakes with their originals, or set real_fakes to 0",
            )
    needing = [name for name in section.all_kinds if KINDS[name].partner == "face"]
    for name, faces in found.items():
        _check_rendered(name, faces, section)
        if needing and not faces.has_partners:
            raise TrainingError(
                f"data.{name}: all faces are of one identity, but {needing[0]} needs two",
                hint=f"add identities, or remove {needing[0]} from pseudo_fakes",
            )
    return PairFaces(train=found["train"], val=found["val"])


def _check_rendered(name: str, faces: FaceRows, section: PairsSection) -> None:
    """Count the faces that the store does not contain, and refuse a store of other faces."""
    total, missing = len(faces.rows), faces.num_not_rendered
    if missing == total:
        raise TrainingError(
            f"pseudo_fakes.resynthesis: {section.resynthesis} contains none of the {total} faces of data.{name}",
            hint="run `realface resynthesise` on their manifest",
        )
    if missing:
        warn_once(
            f"data.{name}: {missing} of {total} faces are missing in {section.resynthesis}; self-blends replace their "
            "re-syntheses"
        )
