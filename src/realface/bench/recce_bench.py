"""RECCE compared with a re-implementation of its release: inference, a training step, scores and memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from realface.bench.face_crops import read_crops
from realface.bench.interleaved import Variant, compare_variants, time_interleaved
from realface.bench.references import load_reference
from realface.bench.timing_stats import format_stats
from realface.core.errors import ArtifactError
from realface.core.progress import progress
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.devices import resolve_device
from realface.models.inference import for_inference
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce, RecceOutput
from realface.models.recce.task import RecceTask

LEARNING_RATE, WEIGHT_DECAY = 2e-4, 1e-5  # of Adam, as in the release; they do not affect the time
SCORED_AT_ONCE = 4


@dataclass(frozen=True)
class RecceSize:
    """Network and batch sizes of the benchmark.

    Attributes:
        config: settings of the network with random weights that is timed if no artifact is given.
        inference_batches: batch sizes of inference, in crops.
        training_batches: batch sizes of training, in crops.
    """

    config: RecceConfig
    inference_batches: tuple[int, ...] = (1, 8)
    training_batches: tuple[int, ...] = (8,)


@dataclass(frozen=True)
class Implementation:
    """One implementation of the network.

    Attributes:
        name: name in the results.
        precision: `fp32`, or `bf16` for autocast.
        released: whether it uses the loop and the memory layout of the release.
        compiled: whether it is compiled by torch.compile.
        keeps_memory: whether the process keeps freed memory, as the commands of `realface` do.
    """

    name: str
    precision: str = "fp32"
    released: bool = False
    compiled: bool = False
    keeps_memory: bool = True


REFERENCE = Implementation("release", released=True, keeps_memory=False)
EAGER = (
    REFERENCE,
    Implementation("release, our memory", released=True),
    Implementation("fp32"),
    Implementation("bf16", precision="bf16"),
)
COMPILED = (
    Implementation("fp32 compiled", compiled=True),
    Implementation("bf16 compiled", precision="bf16", compiled=True),
)


def bench_recce(
    model: Path | None = None,
    *,
    repeats: int = 5,
    device: str = "auto",
    crops: Path | None = None,
    size: RecceSize | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Compare RECCE with the same network with the release's loop over positions, in contiguous float32.

    Each implementation runs in a separate process with random weights. They are interleaved, so other load on the
    machine affects all implementations. Each round produces a ratio. The release's implementation runs twice: with
    Python's default handling of freed memory, and with freed memory kept, as in the commands of `realface`.

    Args:
        model: artifact of a RECCE network; random weights when None, with batch statistics of the crops.
        repeats: number of rounds.
        device: device of the network, such as `cpu`, `cuda` or `auto`. On a GPU, larger batches and torch.compile are
            timed too.
        crops: folder or manifest of face crops, on which scores are compared; views of two portraits when None.
        size: network and batch sizes; the paper's network by default.
        quiet: show no progress.

    Returns:
        JSON-ready: seconds, images per second and ratios as median, minimum and maximum of the rounds.

    Raises:
        BenchmarkError: the re-implementation of the release is missing; see `load_reference`.
        ArtifactError: the artifact contains another method.
    """
    load_reference("recce")  # fails before anything is timed
    target = resolve_device(device)
    size = size or _default_size(target)
    network = _network(model, size.config)
    images = read_crops(crops, network.config.input_size)
    if model is None:
        _settle_norms(network, images)
    implementations = (*EAGER, *COMPILED) if target.type == "cuda" else EAGER
    plans = [("inference", batch) for batch in size.inference_batches]
    plans += [("training", batch) for batch in size.training_batches]
    timings = []
    with progress("bench recce", repeats * len(plans), unit="rounds", quiet=quiet) as bar:
        for kind, batch in plans:
            variants = {
                each.name: Variant(_work, (network.config, each, kind, batch, str(target)), each.keeps_memory)
                for each in implementations
            }
            timed = time_interleaved(variants, repeats=repeats, advance=bar.advance)
            timings.append(compare_variants(kind, batch, timed, reference=REFERENCE.name))
    return {
        "encoder": network.config.encoder,
        "input_size": network.config.input_size,
        "weights": "random" if model is None else "artifact",
        "device": str(target),
        "timings": timings,
        "scores": _score_differences(network, images, target),
    }


def recce_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_recce` as lines of text."""
    lines = [f"  {result['encoder']}, {result['input_size']} px, {result['weights']} weights, on {result['device']}"]
    for timing in result["timings"]:
        lines.append(f"  {timing['kind']}, batch {timing['batch_size']}: seconds; speed-up over the release")
        lines += [
            f"    {name:<20}{format_stats(row['seconds'], '8.3f')}  x {format_stats(row['times_as_fast'], '5.2f')}"
            f"  {row['images_per_s']['median']:.1f} images/s, {max(row['peak_bytes'].values()) / 1e6:.0f} MB at most"
            for name, row in timing["variants"].items()
        ]
    for name, row in result["scores"]["variants"].items():
        lines.append(
            f"  scores of {result['scores']['num_crops']} crops, {name}, difference from the release: "
            f"at most {row['score']['max']:.1e}, mean {row['score']['mean']:.1e}"
        )
    return lines


def _default_size(device: torch.device) -> RecceSize:
    config = RecceConfig()
    if device.type == "cuda":
        return RecceSize(config, inference_batches=(1, 8, 32), training_batches=(8, 32))
    return RecceSize(config)


def _network(model: Path | None, config: RecceConfig) -> Recce:
    if model is None:
        torch.manual_seed(0)
        return Recce(config)
    network = load_network(find_artifact(model))
    if not isinstance(network, Recce):
        raise ArtifactError(
            f"{model} contains method {read_card(find_artifact(model)).method}, but this benchmark needs recce"
        )
    return network


def _settle_norms(network: Recce, images: Tensor) -> None:
    """Set the batch norms to the statistics of some crops. Without it, random weights give nearly equal outputs."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _work(
    config: RecceConfig, implementation: Implementation, kind: str, batch: int, device: str
) -> Callable[[], object]:
    """Return a function that runs a forward pass in eval mode, or a training step: losses, gradients and Adam.

    Weights and images are random.
    """
    image = torch.rand(batch, 3, config.input_size, config.input_size).to(device)
    if not implementation.released:
        image = image.contiguous(memory_format=torch.channels_last)
    network = Recce(config)
    if kind == "inference":
        infer = _inference(network, implementation, image.device)
        return lambda: infer(image)
    return _training_step(network, implementation, image)


def _inference(network: Recce, implementation: Implementation, device: torch.device) -> Callable[[Tensor], RecceOutput]:
    is_bf16 = implementation.precision == "bf16"
    if implementation.released:
        ready: nn.Module = load_reference("recce").as_released(network).eval()
    else:
        ready = for_inference(
            network, input_size=network.config.input_size, dtype=torch.bfloat16 if is_bf16 else torch.float32
        )
    ready = ready.to(device)
    called: Callable[[Tensor], RecceOutput] = torch.compile(ready) if implementation.compiled else ready

    def infer(image: Tensor) -> RecceOutput:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            return called(image)

    return infer


def _training_step(network: Recce, implementation: Implementation, image: Tensor) -> Callable[[], object]:
    trained: Recce = load_reference("recce").as_released(network) if implementation.released else copy.deepcopy(network)
    task = RecceTask(trained.to(image.device).train())
    optimiser = torch.optim.Adam(task.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    label = torch.arange(len(image), device=image.device) % 2

    def loss_of(image: Tensor, label: Tensor) -> Tensor:
        return task(image, label).loss  # type: ignore[no-any-return]

    called: Callable[[Tensor, Tensor], Tensor] = torch.compile(loss_of) if implementation.compiled else loss_of

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=implementation.precision == "bf16"):
            loss = called(image, label)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def _score_differences(network: Recce, images: Tensor, device: torch.device) -> dict[str, Any]:
    """Return the differences of scores and logits from the release, over all crops."""
    outputs = {implementation.name: _outputs(network, implementation, images, device) for implementation in EAGER}
    expected = outputs[REFERENCE.name]
    return {
        "num_crops": len(images),
        "variants": {
            implementation.name: {
                what: _difference(outputs[implementation.name][what], expected[what]) for what in ("score", "logit")
            }
            for implementation in EAGER
            if implementation is not REFERENCE
        },
    }


def _outputs(network: Recce, implementation: Implementation, images: Tensor, device: torch.device) -> dict[str, Tensor]:
    infer = _inference(network, implementation, device)
    outputs = [infer(part.to(device)) for part in torch.split(images, SCORED_AT_ONCE)]
    return {
        "score": torch.cat([output.score for output in outputs]).cpu(),
        "logit": torch.cat([output.logit for output in outputs]).cpu(),
    }


def _difference(values: Tensor, expected: Tensor) -> dict[str, float]:
    difference = (values - expected).abs()
    return {"max": difference.max().item(), "mean": difference.mean().item()}
