import json
import time

import pytest
import torch

from realface.bench import rffr_bench
from realface.bench.interleaved import VariantTiming
from realface.bench.rffr_bench import RffrSize, bench_rffr, rffr_table
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.network import Rffr

CONFIG = RffrConfig(mae=MaeConfig(size="tiny", input_size=64, patch_size=8), branch="vit_tiny_patch16_224")
TINY = RffrSize(CONFIG, residual_batches=(2,), training_batches=(2,))


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(variants, *, repeats, advance):  # type: ignore[no-untyped-def]
        measured = {}
        for name, variant in variants.items():
            work = variant.make(*variant.arguments)
            seconds = []
            for _ in range(repeats):
                start = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - start)
            measured[name] = VariantTiming(seconds, {"resident": 5_000_000, "gpu": 0})
        return measured

    monkeypatch.setattr(rffr_bench, "time_interleaved", timed)


def test_every_way_is_timed_beside_the_release_s_and_residuals_are_compared(no_child: None) -> None:
    result = bench_rffr(repeats=1, device="cpu", size=TINY, quiet=True)
    assert json.loads(json.dumps(result)) == result
    assert (result["mae"], result["input_size"], result["weights"]) == ("tiny", 64, "random")
    timings = {(timing["kind"], timing["batch_size"]): timing["variants"] for timing in result["timings"]}
    assert {key: list(variants) for key, variants in timings.items()} == {
        ("residual", 2): ["release", "fp32 exact", "bf16 exact", "fp32 fast", "bf16 fast"],
        ("training", 2): ["release", "fp32", "bf16", "fp32 cached", "bf16 cached"],
    }
    for (_, batch), variants in timings.items():
        assert variants["release"]["times_as_fast"] == {"median": 1, "min": 1, "max": 1}
        for row in variants.values():
            assert row["images_per_s"]["max"] == pytest.approx(batch / row["seconds"]["min"])
    residuals = result["residuals"]
    assert residuals["num_crops"] == 8
    assert residuals["variants"]["release"]["max"] < 1e-4
    assert 1e-4 < residuals["variants"]["bf16 exact"]["share"] < 0.05
    assert residuals["variants"]["fp32 fast"]["mean"] == pytest.approx(
        residuals["variants"]["fp32 fast"]["share"] * residuals["mean_absolute_residual"]
    )


def test_a_step_changes_the_branches_and_not_the_mae() -> None:
    torch.manual_seed(0)
    for variant in rffr_bench.TRAINING:
        network = Rffr(CONFIG).train()
        before = {name: tensor.clone() for name, tensor in network.named_parameters()}
        rffr_bench._training_step(network, variant, torch.rand(2, 3, 64, 64))()
        changed = {name.partition(".")[0] for name, now in network.named_parameters() if not now.equal(before[name])}
        assert changed == {"backbone_1", "backbone_2", "classifier"}


def test_the_table_says_times_differences_and_memory() -> None:
    row = {"median": 1.0, "min": 0.5, "max": 2.0}
    numbers = {"seconds": row, "images_per_s": row, "times_as_fast": row}
    lines = rffr_table(
        {
            "mae": "base",
            "branch": "vit",
            "input_size": 224,
            "weights": "random",
            "device": "cpu",
            "timings": [
                {
                    "kind": "training",
                    "batch_size": 8,
                    "variants": {"bf16": {**numbers, "peak_bytes": {"resident": 3e9, "gpu": 1e9}}},
                }
            ],
            "residuals": {"num_crops": 8, "variants": {"bf16 fast": {"max": 0.5, "mean": 0.02, "share": 0.07}}},
        }
    )
    assert [" ".join(line.split()) for line in lines] == [
        "base MAE, vit, 224 px, random weights, on cpu",
        "training, batch 8: seconds; speed-up over the release",
        "bf16 1.000 ( 0.500 - 2.000) x 1.00 ( 0.50 - 2.00) 1.00 images/s, 3000 MB at most",
        "residuals of 8 crops, bf16 fast, difference from fp32 exact: at most 5.0e-01, mean 2.0e-02, "
        "7.0e-02 of the mean residual",
    ]
