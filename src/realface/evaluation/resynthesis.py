"""Render every face of some manifests once with autoencoders trained on these manifests, for trainings to blend."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.core.errors import ManifestError
from realface.core.files import require_free
from realface.core.labels import Label
from realface.core.progress import progress
from realface.data.crop_store import crop_keys
from realface.data.landmark_store import FILE_NAME, read_landmarks
from realface.data.pseudo_fakes.contract import Image
from realface.data.pseudo_fakes.face_frame import face_frame, framed_face
from realface.data.real_faces import FaceRows, face_rows
from realface.data.resynthesis_store import RenderedFace, ResynthesisHeader, write_store
from realface.evaluation.landmarks import store_landmarks
from realface.manifest.manifest import Manifest
from realface.models.face_autoencoder import SIDE, Bottleneck, FaceAutoencoder, rendering_loss

STEPS = 1500
"""Of each network. On one CPU core some four minutes."""
BATCH_SIZE = 8
RATES: dict[Bottleneck, float] = {"spatial": 2e-3, "dense": 1e-3}
"""Learning rate of each network, which falls to a tenth along a cosine."""
BETAS = (0.5, 0.999)
"""Of Adam. Source: classic face-swap autoencoders."""
AGES: dict[Bottleneck, tuple[float, ...]] = {"spatial": (0.3, 0.6, 1.0), "dense": (0.6, 1.0)}
"""Shares of the steps at which the networks are kept: early networks render softer faces in drifted colours."""
MOST_TRAINING_FACES = 6000
"""Faces that the networks are trained on at most, drawn at random: 300 MB."""
FEWEST_TRAINING_FACES = 16
_RENDERED_AT_ONCE = 32


@dataclass(frozen=True)
class Resynthesised:
    """The result of `resynthesise`.

    Attributes:
        out: folder of the store.
        num_faces: faces that were rendered.
        num_trained_on: faces that the networks were trained on.
        num_without_landmarks: crops that show no face and were skipped.
        losses: final training loss of each network.
    """

    out: Path
    num_faces: int
    num_trained_on: int
    num_without_landmarks: int
    losses: dict[str, float]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """An autoencoder at one age.

    Attributes:
        name: bottleneck and number of steps.
        network: the network, in evaluation mode.
        loss: mean training loss of the last steps before this age.
    """

    name: str
    network: FaceAutoencoder
    loss: float


def resynthesise(
    manifests: Sequence[Path],
    out: Path,
    *,
    split: str = "train",
    steps: int = STEPS,
    seed: int = 0,
    workers: int = 0,
    quiet: bool = False,
) -> Resynthesised:
    """Train autoencoders on the real training faces of some manifests and render all their real faces.

    Args:
        manifests: the crops; fakes among them are not used.
        out: folder of the store; new or empty.
        split: the networks are trained on crops of this split only; `all`: on every crop.
        steps: training steps of each network.
        seed: seed of the training. Which network renders a crop depends on the crop's file only.
        workers: processes that compute landmarks that are not stored next to a manifest.
        quiet: show no progress.

    Raises:
        MissingInputError: a manifest does not exist.
        ManifestError: no manifest, or too few real faces of that split.
        OutputExistsError: `out` is not empty.
        MediaError: a crop cannot be read.
    """
    require_free(out)
    crops = _read_reals(manifests)
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        store_landmarks(
            crops, file, known=[path.parent / FILE_NAME for path in manifests], workers=workers, quiet=quiet
        )
        faces = face_rows(crops, read_landmarks(file))
    chosen = _training_faces(crops, faces, split, seed)
    trained = train_autoencoders(_aligned(faces, chosen, quiet=quiet), steps=steps, seed=seed, quiet=quiet)
    header = ResynthesisHeader(
        network="autoencoder",
        side=SIDE,
        weights=_sha256_of_weights(trained),
        settings={"steps": steps, "seed": seed, "split": split, "trained_on": len(chosen)},
    )
    keys = crop_keys(crops)
    rendered = _render(trained, faces, [keys[row] for row in faces.rows], quiet=quiet)
    num_faces = write_store(out, header, rendered)
    return Resynthesised(
        out, num_faces, len(chosen), faces.num_without_landmarks, {part.name: part.loss for part in trained}
    )


def train_autoencoders(faces: NDArray[np.uint8], *, steps: int, seed: int, quiet: bool = True) -> list[TrainedNetwork]:
    """Train one autoencoder per bottleneck and keep it at several ages.

    Args:
        faces: (N, 128, 128, 3) RGB, aligned.
        steps: training steps of each network.
        seed: seed of weights and batches; the caller's generators are left unchanged.
        quiet: show no progress.
    """
    trained: list[TrainedNetwork] = []
    with progress("autoencoders", steps * len(RATES), unit="steps", quiet=quiet) as bar:
        for bottleneck in RATES:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = FaceAutoencoder(bottleneck)
            network.start_from(torch.from_numpy(faces.mean(axis=0).transpose(2, 0, 1).astype(np.float32) / 255))
            network.to(memory_format=torch.channels_last)
            ages = {max(1, round(age * steps)) for age in AGES[bottleneck]}
            generator = np.random.default_rng(seed)
            losses: list[float] = []
            for step, loss in enumerate(_steps(network, faces, steps, generator), start=1):
                losses.append(loss)
                if step in ages:
                    recent = float(np.mean(losses[-50:]))
                    trained.append(TrainedNetwork(f"{bottleneck}-{step}", copy.deepcopy(network).eval(), recent))
                bar.advance(note=f"loss {loss:.3f}")
    return trained


def _steps(
    network: FaceAutoencoder, faces: NDArray[np.uint8], steps: int, generator: np.random.Generator
) -> Iterator[float]:
    """Take training steps and give the loss of each."""
    optimiser = torch.optim.Adam(network.parameters(), lr=RATES[network.bottleneck], betas=BETAS)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.55 + 0.45 * math.cos(math.pi * min(1.0, step / steps))
    )
    for _ in range(steps):
        batch = as_batch(faces[generator.integers(len(faces), size=BATCH_SIZE)])
        if generator.random() < 0.5:
            batch = batch.flip(3)
        loss = rendering_loss(network(batch), batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        yield float(loss.detach())


def as_batch(faces: NDArray[np.uint8]) -> Tensor:
    """Return (B, 3, S, S) in [0, 1] from (B, S, S, 3) RGB, with channels innermost in memory."""
    return torch.from_numpy(faces).permute(0, 3, 1, 2).to(torch.float32).div(255)


def _sha256_of_weights(trained: Sequence[TrainedNetwork]) -> str:
    """Return the SHA-256 of the weights of all networks, in order."""
    digest = hashlib.sha256()
    for part in trained:
        for name, value in part.network.state_dict().items():
            digest.update(f"{part.name} {name}".encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read_reals(paths: Sequence[Path]) -> Manifest:
    if not paths:
        raise ManifestError("no manifest whose faces could be re-synthesised", hint="give at least one")
    crops = Manifest.concatenate([Manifest.read(path) for path in paths])
    return crops.take(np.flatnonzero(crops.labels == Label.REAL.value))


def _training_faces(crops: Manifest, faces: FaceRows, split: str, seed: int) -> NDArray[np.int64]:
    """Return the numbers of the faces that the networks are trained on."""
    splits = crops.column("split")
    own = np.array([face for face, row in enumerate(faces.rows) if split in ("all", splits[row])], np.int64)
    if len(own) < FEWEST_TRAINING_FACES:
        raise ManifestError(
            f"{len(own)} real faces are of the split {split!r}, but the autoencoder needs at least "
            f"{FEWEST_TRAINING_FACES}",
            hint="run `realface manifest split`, or give --split all if no crop is held out",
        )
    return np.random.default_rng(seed).permutation(own)[:MOST_TRAINING_FACES]


def _aligned(faces: FaceRows, chosen: NDArray[np.int64], *, quiet: bool) -> NDArray[np.uint8]:
    """Return (N, 128, 128, 3): the chosen faces in their frames."""
    aligned = np.empty((len(chosen), SIDE, SIDE, 3), np.uint8)
    with progress("faces", len(chosen), unit="crops", quiet=quiet) as bar:
        for place, face in enumerate(chosen.tolist()):
            aligned[place] = _in_frame(faces, face)[0]
            bar.advance()
    return aligned


def _in_frame(faces: FaceRows, face: int) -> tuple[Image, NDArray[np.float64]]:
    image = faces.real_faces.image(face)
    frame = face_frame(np.asarray(faces.real_faces.landmarks(face), dtype=np.float32), SIDE)
    return framed_face(image, frame, SIDE), frame


def _render(
    trained: Sequence[TrainedNetwork], faces: FaceRows, keys: Sequence[str], *, quiet: bool
) -> Iterator[tuple[str, RenderedFace]]:
    """Render each face with the network that the face's key selects."""
    first = {key: face for face, key in reversed(list(enumerate(keys)))}
    drawn = {face: int(np.random.default_rng(int(key[:15], 16)).integers(len(trained))) for key, face in first.items()}
    order = sorted(drawn, key=lambda face: (drawn[face], face))
    with progress("re-synthesis", len(order), unit="crops", quiet=quiet) as bar:
        for number, part in enumerate(trained):
            own = [face for face in order if drawn[face] == number]
            for start in range(0, len(own), _RENDERED_AT_ONCE):
                some = own[start : start + _RENDERED_AT_ONCE]
                framed = [_in_frame(faces, face) for face in some]
                images = _rendered(part.network, np.stack([image for image, _ in framed]))
                for face, image, (_, frame) in zip(some, images, framed, strict=True):
                    yield keys[face], RenderedFace(image, frame, part.name)
                bar.advance(len(some))


@torch.inference_mode()
def _rendered(network: FaceAutoencoder, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    images = network(as_batch(faces)).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
