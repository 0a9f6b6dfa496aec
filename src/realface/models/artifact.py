"""A detector on disk: a folder with `model.safetensors` and `model.json`.

Loading never unpickles or downloads, and fails if the weights have changed since they were saved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from realface.core.artifact import FORMAT, ArtifactCard
from realface.core.errors import ArtifactError, MethodError, RecipeError
from realface.core.files import existing, folder_written_atomically, require_free, sha256_of, write_json
from realface.core.recipe import Section, check_recipe
from realface.core.shipped import CARD_NAME, WEIGHTS_NAME, artifact_folder
from realface.core.text_files import read_text
from realface.models.catalog import get_method
from realface.models.config import MethodConfig
from realface.models.method import Method
from realface.models.weights import load_weights

S = TypeVar("S", bound=Section)


def save_artifact(folder: Path, network: nn.Module, card: ArtifactCard) -> None:
    """Write a detector atomically, and replace an older detector in the same folder.

    Args:
        folder: output folder; missing parent folders are created.
        network: network that the catalog's method `card.method` builds from `card.config`.
        card: description of the network; `weights_sha256` is filled in.

    Raises:
        ArtifactError: the card describes a different network.
    """
    if network.config != _checked_config(card, _method_of(card, "card"), "card"):
        raise ArtifactError(f"the card's config is not the network's: {card.config} against {network.config}")
    # contiguous copies: safetensors stores neither other memory formats nor shared memory
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    with folder_written_atomically(folder) as partial:
        # not save_file: it makes files that only their owner can read, and ignores the umask
        (partial / WEIGHTS_NAME).write_bytes(safetensors.torch.save(weights))
        hashed = card.model_copy(update={"weights_sha256": sha256_of(partial / WEIGHTS_NAME)})
        write_json(partial / CARD_NAME, hashed.model_dump(mode="json"))


def find_artifact(path: Path) -> Path:
    """Return the folder of the artifact that a path or name refers to.

    Args:
        path: the artifact's folder, the run folder of `realface train` that contains it as `artifact`, or the name of a
            shipped detector. An existing path has priority over a name.

    Raises:
        MissingInputError: no such folder and no such shipped detector.
    """
    folder = artifact_folder(path)
    inner = folder / "artifact"
    is_run = not (folder / CARD_NAME).exists() and (inner / CARD_NAME).is_file()
    return inner if is_run else folder


def copy_artifact(source: Path, out: Path, card: ArtifactCard) -> None:
    """Write a copy of an artifact with another card, atomically; the bytes of the weights stay the same.

    Args:
        source: folder of the artifact.
        out: new folder.
        card: card for the same weights.

    Raises:
        MissingInputError: no such folder.
        ArtifactError: the weights are missing, or their hash differs from the card's.
        OutputExistsError: `out` exists and is not empty.
    """
    content = _checked_weights(source, card)
    require_free(out)
    with folder_written_atomically(out) as partial:
        (partial / WEIGHTS_NAME).write_bytes(content)
        write_json(partial / CARD_NAME, card.model_dump(mode="json"))


def read_card(folder: Path) -> ArtifactCard:
    """Read and check an artifact's `model.json`.

    Raises:
        MissingInputError: no such folder.
        ArtifactError: model.json is missing, or this version cannot use it.

    Example:
        >>> read_card(find_artifact(Path("real-faces-only"))).input_size
        160
    """
    path = existing(folder, what="artifact") / CARD_NAME
    if not path.is_file():
        raise ArtifactError(
            f"{folder} has no {CARD_NAME}", hint="give the folder that `realface train` wrote as RUN/artifact"
        )
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON ({error})", hint="copy the artifact again") from error
    if not isinstance(document, dict):
        raise ArtifactError(
            f"{path}: expected a mapping, got {type(document).__name__}", hint="copy the artifact again"
        )
    if document.get("format") != FORMAT:
        old = document.get("format") == 1
        raise ArtifactError(
            f"{path}: this version of realface reads format {FORMAT}, got format {document.get('format')!r}",
            hint="train or import the detector again" if old else "use the version that wrote it, or a newer one",
        )
    return _checked(ArtifactCard, document, str(path))


def load_network(folder: Path, *, device: torch.device | str = "cpu") -> nn.Module:
    """Return the network of an artifact, in eval mode.

    Args:
        folder: folder of the artifact.
        device: device for the network.

    Raises:
        MissingInputError: no such folder.
        ArtifactError: the artifact is incomplete or damaged, or this version cannot use it.

    Example:
        >>> network = load_network(find_artifact(Path("real-faces-only")))
        >>> network.training
        False
    """
    card = read_card(folder)
    where = str(folder / CARD_NAME)
    method = _method_of(card, where)
    weights = _read_weights(folder, card)
    config = _checked_config(card, method, where)
    with torch.random.fork_rng(devices=[]):  # the initial values are discarded: keep the random state
        network = method.build_network(config)
    load_weights(network, weights, where=str(folder / WEIGHTS_NAME))
    return network.to(device).eval()


def _read_weights(folder: Path, card: ArtifactCard) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(_checked_weights(folder, card))
    except SafetensorError as error:
        path = folder / WEIGHTS_NAME
        raise ArtifactError(f"{path} is not a safetensors file ({error})", hint="copy the artifact again") from error


def _checked_weights(folder: Path, card: ArtifactCard) -> bytes:
    """Return the bytes of an artifact's weights, after a check of their hash against the card."""
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        raise ArtifactError(f"{folder} has no {WEIGHTS_NAME}", hint="copy the artifact again")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != card.weights_sha256:
        raise ArtifactError(
            f"{path} is damaged or was exchanged: its SHA-256 is {sha256}, {CARD_NAME} says "
            f"{card.weights_sha256 or 'nothing'}",
            hint="copy the artifact again",
        )
    return content


def _method_of(card: ArtifactCard, where: str) -> Method:
    try:
        return get_method(card.method)
    except MethodError as error:
        raise ArtifactError(f"{where}: {error.text}", hint=error.hint) from error


def _checked_config(card: ArtifactCard, method: Method, where: str) -> MethodConfig:
    return _checked(method.config_type, card.config, f"{where}: config")


def _checked(schema: type[S], document: Mapping[str, Any], where: str) -> S:
    try:
        return check_recipe(schema, document, where=where)
    except RecipeError as error:
        raise ArtifactError(str(error)) from error
