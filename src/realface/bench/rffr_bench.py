"""RFFR compared with a re-implementation of its release: the residual, a training step, differences and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from realface.bench.face_crops import read_crops
from realface.bench.interleaved import Variant, compare_variants, time_interleaved
from realface.bench.references import load_reference
from realface.bench.timing_stats import format_stats
from realface.core.progress import progress
from realface.models.devices import resolve_device
from realface.models.inference import for_inference
from realface.models.rffr.config import RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import ResidualSource, grid_of
from realface.models.rffr.task import RffrTask

LEARNING_RATE = 2e-5  # of Adam, as in the release; it does not affect the time
MOST_COMPARED = 8


@dataclass(frozen=True)
class RffrSize:
    """Networks and batch sizes of the benchmark.

    Attributes:
        config: settings of the detector and its MAE; the paper's by default.
        residual_batches: batch sizes of computing the residual, in crops.
        training_batches: batch sizes of training, in crops; the release uses 32.
    """

    config: RffrConfig = field(default_factory=RffrConfig)
    residual_batches: tuple[int, ...] = (1,)
    training_batches: tuple[int, ...] = (32,)


@dataclass(frozen=True)
class Implementation:
    """One implementation of the residual, or of a training step.

    Attributes:
        name: name in the results.
        precision: `fp32`, or `bf16` for autocast.
        mode: mode of the residual.
        released: whether blocks are computed in sequence, as in the release.
        cached: whether a training step uses a stored residual.
        keeps_memory: whether the process keeps freed memory, as the commands of `realface` do.
    """

    name: str
    precision: Literal["fp32", "bf16"] = "fp32"
    mode: Literal["exact", "fast"] = "exact"
    released: bool = False
    cached: bool = False
    keeps_memory: bool = True


REFERENCE = Implementation("release", released=True, keeps_memory=False)
EXACT = Implementation("fp32 exact")
RESIDUAL = (
    REFERENCE,
    EXACT,
    Implementation("bf16 exact", precision="bf16"),
    Implementation("fp32 fast", mode="fast"),
    Implementation("bf16 fast", precision="bf16", mode="fast"),
)
TRAINING = (
    REFERENCE,
    Implementation("fp32"),
    Implementation("bf16", precision="bf16"),
    Implementation("fp32 cached", cached=True),
    Implementation("bf16 cached", precision="bf16", cached=True),
)


def bench_rffr(
    *,
    repeats: int = 5,
    device: str = "auto",
    crops: Path | None = None,
    size: RffrSize | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Compare RFFR with its release: one pass per block in float32, and a loop that pastes the patches.

    Weights are random. Each implementation runs in a separate process. They are interleaved, so other load on the
    machine affects all implementations. Each round produces a ratio. In a training step, all implementations of a round
    draw the same blocks.

    Args:
        repeats: number of rounds.
        device: device of the networks, such as `cpu`, `cuda` or `auto`.
        crops: folder or manifest of face crops; the residuals of the first 8 are compared. Views of two portraits when
            None.
        size: networks and batch sizes; the paper's by default.
        quiet: show no progress.

    Returns:
        JSON-ready: seconds, images per second and ratios as median, minimum and maximum of the rounds.

    Raises:
        BenchmarkError: the re-implementation of the release is missing; see `load_reference`.
    """
    load_reference("rffr")  # fails before anything is timed
    target = resolve_device(device)
    size = size or RffrSize()
    plans = [("residual", batch, RESIDUAL) for batch in size.residual_batches]
    plans += [("training", batch, TRAINING) for batch in size.training_batches]
    timings = []
    with progress("bench rffr", repeats * len(plans), unit="rounds", quiet=quiet) as bar:
        for kind, batch, implementations in plans:
            variants = {
                implementation.name: Variant(
                    _work, (size.config, implementation, kind, batch, str(target)), implementation.keeps_memory
                )
                for implementation in implementations
            }
            timed = time_interleaved(variants, repeats=repeats, advance=bar.advance)
            timings.append(compare_variants(kind, batch, timed, reference=REFERENCE.name))
    mae = size.config.mae
    return {
        "mae": mae.size,
        "branch": size.config.branch,
        "input_size": mae.input_size,
        "weights": "random",
        "device": str(target),
        "timings": timings,
        "residuals": _differences(size.config, read_crops(crops, mae.input_size)[:MOST_COMPARED].to(target)),
    }


def rffr_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_rffr` as lines of text."""
    lines = [
        f"  {result['mae']} MAE, {result['branch']}, {result['input_size']} px, {result['weights']} weights, on "
        f"{result['device']}"
    ]
    for timing in result["timings"]:
        lines.append(f"  {timing['kind']}, batch {timing['batch_size']}: seconds; speed-up over the release")
        lines += [
            f"    {name:<12}{format_stats(row['seconds'], '8.3f')}  x {format_stats(row['times_as_fast'], '5.2f')}"
            f"  {row['images_per_s']['median']:.2f} images/s, {max(row['peak_bytes'].values()) / 1e6:.0f} MB at most"
            for name, row in timing["variants"].items()
        ]
    for name, row in result["residuals"]["variants"].items():
        lines.append(
            f"  residuals of {result['residuals']['num_crops']} crops, {name}, difference from {EXACT.name}: "
            f"at most {row['max']:.1e}, mean {row['mean']:.1e}, {row['share']:.1e} of the mean residual"
        )
    return lines


def _work(
    config: RffrConfig, implementation: Implementation, kind: str, batch: int, device: str
) -> Callable[[], object]:
    """Return a function that computes the residual of all blocks, or a training step: loss, gradients and Adam.

    Weights and images are random.
    """
    image = torch.rand(batch, 3, config.input_size, config.input_size).to(device)
    if kind == "residual":
        residual = _residual(MaskedAutoencoder(config.mae).to(device), config, implementation)
        return lambda: residual(image)
    return _training_step(Rffr(config).to(device).train(), implementation, image)


def _residual(mae: MaskedAutoencoder, config: RffrConfig, implementation: Implementation) -> Callable[[Tensor], Tensor]:
    is_bf16 = implementation.precision == "bf16"
    if implementation.released:
        blocks = [block.hidden for block in grid_of(config.mae, config.residual).blocks]
        compute: Callable[[Tensor], Tensor] = load_reference("rffr").SequentialResidual(mae, blocks).residual
    else:
        ready = for_inference(mae, input_size=config.input_size, dtype=torch.bfloat16 if is_bf16 else torch.float32)
        assert isinstance(ready, MaskedAutoencoder)
        compute = ResidualSource(ready, config.residual.model_copy(update={"mode": implementation.mode})).residual

    def residual(image: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, enabled=is_bf16):
            return compute(image)

    return residual


def _training_step(network: Rffr, implementation: Implementation, image: Tensor) -> Callable[[], object]:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=LEARNING_RATE)
    label = torch.arange(len(image), device=image.device) % 2
    stored = torch.rand_like(image) if implementation.cached else None
    ours, released = RffrTask(network), load_reference("rffr").ReleasedTask(network)
    rounds = count()

    def step() -> None:
        torch.manual_seed(next(rounds))  # decides the used blocks
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=implementation.precision == "bf16"):
            loss: Tensor = released.loss(image, label) if implementation.released else ours(image, label, stored).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def _differences(config: RffrConfig, images: Tensor) -> dict[str, Any]:
    """Return the differences of residuals from the exact residual in float32, over the pixels of the blocks."""
    torch.manual_seed(0)
    mae = MaskedAutoencoder(config.mae).to(images.device)
    patches = list(grid_of(config.mae, config.residual).patches())

    def covered(implementation: Implementation) -> Tensor:
        residual = _residual(mae, config, implementation)
        return mae.to_patches(torch.cat([residual(image) for image in torch.split(images, 1)]))[:, patches]

    expected = covered(EXACT)
    size = expected.abs().mean().item()
    rows = {}
    for implementation in RESIDUAL:
        if implementation is not EXACT:
            difference = (covered(implementation) - expected).abs()
            mean = difference.mean().item()
            rows[implementation.name] = {"max": difference.max().item(), "mean": mean, "share": mean / size}
    return {"num_crops": len(images), "mean_absolute_residual": size, "variants": rows}
