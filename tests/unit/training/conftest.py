"""Builders of what a run needs: manifests of small crops, and a method that trains in no time."""

import signal
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from realface.core.crop_spec import CropSpec
from realface.core.recipe import Section, check_recipe
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models import catalog
from realface.models.method import RealOnly
from realface.models.outputs import Output, StepResult, local_rows
from realface.training.recipe import recipe_schema

SIZE = 8


class TinyConfig(Section):
    name: Literal["tiny"] = "tiny"
    input_size: int = SIZE
    dropout: float = 0.25
    logit_scale: float = 1.0
    eval_scale: float = 1.0


class TinyNetwork(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.convolution = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(4, 1)

    def forward(self, image):
        feature = self.norm(self.convolution(image)).relu().mean(dim=(2, 3))
        scale = self.config.logit_scale if self.training else self.config.eval_scale
        return Output(self.head(self.dropout(feature)).squeeze(1) * scale)


class TinyTask(nn.Module):
    def __init__(self, network, *, gather=local_rows):
        super().__init__()
        self.network = network
        self.gather = gather

    def forward(self, image, label):
        output = self.network(image)
        logit, label = self.gather(output.logit), self.gather(label)
        loss = nn.functional.binary_cross_entropy_with_logits(logit, label.float())
        return StepResult(loss, {"classification": loss.detach()}, output)


@pytest.fixture(autouse=True)
def tiny_method(monkeypatch):
    """The catalog has a method `tiny`, a small convolution."""
    method = catalog.Method("tiny", "for tests", TinyConfig, TinyNetwork, TinyTask)
    monkeypatch.setitem(catalog.METHODS, "tiny", method)
    return method


class TinyRealsConfig(Section):
    name: Literal["tiny-reals"] = "tiny-reals"
    input_size: int = SIZE
    dropout: float = 0.25
    has_score: bool = True
    error_scale: float = 1.0


class TinyPainter(nn.Module):
    """Paints a face anew; the further it is off, beside what is usual for real faces, the more likely a fake."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("usual_error", torch.zeros(()))

    def paint(self, image):
        return self.convolution(self.dropout(image))

    def errors(self, image):
        return (self.paint(image) - image).square().mean(dim=(1, 2, 3)) * self.config.error_scale

    def forward(self, image):
        assert self.usual_error > 0, "not fitted"
        return Output(10 * (self.errors(image) - self.usual_error))


class TinyPainterTask(nn.Module):
    def __init__(self, network, *, gather=local_rows):
        super().__init__()
        self.network = network

    def forward(self, image, label):
        assert not label.any(), "a fake in training"
        loss = (self.network.paint(image) - image).square().mean()
        return StepResult(loss, {"painting": loss.detach()}, Output(image.mean(dim=(1, 2, 3))))


def fit_painter(network, batches):
    assert not network.training
    if not network.config.has_score:
        return {}
    errors = torch.cat([network.errors(image) for image in batches])
    network.usual_error.copy_(errors.mean())
    return {"usual_error": float(errors.mean()), "faces": len(errors)}


def draw_painter(network, image):
    return (network.paint(image).clamp(0, 1)[0].permute(1, 2, 0) * 255).byte().cpu().numpy()


PAINTER = RealOnly(errors=TinyPainter.errors, fit=fit_painter, sheet=draw_painter)


@pytest.fixture(autouse=True)
def tiny_reals_method(monkeypatch):
    """The catalog has a method `tiny-reals`, which learns from real faces alone."""
    method = catalog.Method("tiny-reals", "for tests", TinyRealsConfig, TinyPainter, TinyPainterTask, real_only=PAINTER)
    monkeypatch.setitem(catalog.METHODS, "tiny-reals", method)
    return method


SPLITS = {"train": 4, "val": 4, "test": 2}
VIDEOS = [(f"{split}-{number}", number % 2, split) for split, count in SPLITS.items() for number in range(count)]


@pytest.fixture
def write_faces(tmp_path):
    """Write crops and their manifest, whose path is returned.

    A video is (name, label, split), or (name, label, split, person). Each gives two crops; fakes are brighter.
    """

    def write(folder="faces", videos=VIDEOS, *, crop=CropSpec(size=16)):  # noqa: B008 (frozen)
        root = tmp_path / folder
        rng = np.random.default_rng(0)
        rows = []
        for name, label, split, *person in videos:
            for frame in range(2):
                path = f"crops/{name}-{frame}.png"
                low = 120 * label
                (root / "crops").mkdir(parents=True, exist_ok=True)
                write_image(root / path, rng.integers(low, low + 130, (16, 16, 3), dtype=np.uint8))
                rows.append(
                    {
                        "path": path,
                        "label": label,
                        "split": split,
                        "video": name,
                        "frame": frame,
                        "identities": person or [name],
                    }
                )
        Manifest.from_rows(rows, root=root, header=ManifestHeader(crop=crop)).write(root / "manifest.parquet")
        return root / "manifest.parquet"

    return write


@pytest.fixture
def make_recipe():
    """Settings by section -> a recipe of the tiny method, of eight steps on one CPU."""

    def make(*, data, method=None, optim=None, trainer=None, **others):
        document = {
            "method": {"name": "tiny"} | (method or {}),
            "data": {"workers": 0} | data,
            "optim": {"name": "adam", "lr": 0.05} | (optim or {}),
            "trainer": {"steps": 8, "batch_size": 4, "device": "cpu", "validate_every": 4, "log_every": 2}
            | (trainer or {}),
        }
        return check_recipe(recipe_schema(), document | others, where="recipe")

    return make


@pytest.fixture(autouse=True)
def heeded_signals():
    """As in a foreground process; one in the background may have been told to ignore Ctrl-C."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def one_thread():
    """Bitwise equality holds for one number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def write_mae(tmp_path_factory):
    """(seed, settings) -> an artifact of RFFR's MAE with random weights, for crops as `write_faces` makes them."""
    from realface.core.artifact import ArtifactCard
    from realface.models.artifact import save_artifact
    from realface.models.rffr.config import MaeConfig
    from realface.models.rffr.mae_network import RffrMae

    def write(seed=0, *, crop=CropSpec(size=16), metrics=None, **settings):  # noqa: B008 (frozen)
        torch.manual_seed(seed)
        network = RffrMae(MaeConfig(**{"size": "tiny", "input_size": 40, "patch_size": 8} | settings))
        folder = tmp_path_factory.mktemp("mae") / "run" / "artifact"
        card = ArtifactCard(
            method="rffr-mae",
            config=network.config.model_dump(mode="json"),
            input_size=network.config.input_size,
            crop=crop,
            trained_on=[{"name": "real/manifest.parquet", "sha256": "ab", "rows": 7}],
            metrics=metrics or {},
        )
        save_artifact(folder, network, card)
        return folder.parent

    return write


@pytest.fixture(scope="session")
def mae(write_mae):
    """The run folder of an MAE."""
    return write_mae()


@pytest.fixture
def make_rffr_recipe(make_recipe, write_faces, mae):
    """Settings by section -> a recipe of two steps of RFFR's detector on the built faces, which are not mirrored."""
    manifest = write_faces()

    def make(*, data=None, method=None, trainer=None, **others):
        return make_recipe(
            data={"manifests": [manifest], "train": {"filters": {"split": "train"}, "flip": 0}} | (data or {}),
            method={"name": "rffr", "branch": "vit_tiny_patch16_224"} | (method or {}),
            trainer={"steps": 2, "validate_every": 2} | (trainer or {}),
            **{"mae": mae, "optim": {"name": "sgd", "lr": 0.05}} | others,
        )

    return make
