import json
import time
from pathlib import Path

import pytest
import torch

from realface.bench import recce_bench
from realface.bench.interleaved import VariantTiming, compare_variants
from realface.bench.recce_bench import RecceSize, bench_recce, recce_table
from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import ArtifactError
from realface.faces.detectors.registry import default_crop_spec
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method
from realface.models.recce.config import RecceConfig

TINY = RecceSize(RecceConfig(encoder="light_xception", input_size=64), inference_batches=(1, 2), training_batches=(2,))


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

    monkeypatch.setattr(recce_bench, "time_interleaved", timed)


def test_every_way_is_timed_beside_the_release_s(no_child: None) -> None:
    result = bench_recce(repeats=2, device="cpu", size=TINY, quiet=True)
    assert json.loads(json.dumps(result)) == result
    assert (result["encoder"], result["input_size"], result["weights"]) == ("light_xception", 64, "random")
    timings = {(timing["kind"], timing["batch_size"]): timing["variants"] for timing in result["timings"]}
    assert list(timings) == [("inference", 1), ("inference", 2), ("training", 2)]
    for (_, batch), variants in timings.items():
        assert list(variants) == ["release", "release, our memory", "fp32", "bf16"]
        assert variants["release"]["times_as_fast"] == {"median": 1, "min": 1, "max": 1}
        for row in variants.values():
            assert row["images_per_s"]["max"] == pytest.approx(batch / row["seconds"]["min"])


def test_scores_are_held_against_the_release_s(no_child: None) -> None:
    scores = bench_recce(repeats=1, device="cpu", size=TINY, quiet=True)["scores"]
    assert scores["num_crops"] == 12
    assert scores["variants"]["fp32"]["score"]["max"] < 1e-5
    assert 1e-5 < scores["variants"]["bf16"]["score"]["max"] < 0.1


def test_ratios_are_those_of_a_round() -> None:
    peak = {"resident": 5_000_000, "gpu": 0}
    timed = {"release": VariantTiming([1.0, 6.0, 2.0], peak), "fp32": VariantTiming([0.5, 2.0, 2.0], peak)}
    assert compare_variants("inference", 4, timed, reference="release")["variants"]["fp32"] == {
        "seconds": {"median": 2.0, "min": 0.5, "max": 2.0},
        "images_per_s": {"median": 2.0, "min": 2.0, "max": 8.0},
        "times_as_fast": {"median": 2.0, "min": 1.0, "max": 3.0},
        "peak_bytes": peak,
    }


def save(folder: Path, method: str, config: dict[str, object], crop: CropSpec) -> Path:
    built = get_method(method)
    checked = built.config_type.model_validate(config)
    card = ArtifactCard(method=method, config=checked.model_dump(mode="json"), input_size=64, crop=crop)
    save_artifact(folder, built.build_network(checked), card)
    return folder


def test_an_artifact_is_timed_with_its_own_weights(tmp_path: Path, no_child: None) -> None:
    artifact = save(tmp_path / "a", "recce", {"encoder": "light_xception", "input_size": 64}, default_crop_spec())
    size = RecceSize(RecceConfig(), inference_batches=(1,), training_batches=())
    result = bench_recce(artifact, repeats=1, device="cpu", size=size, quiet=True)
    assert (result["encoder"], result["input_size"], result["weights"]) == ("light_xception", 64, "artifact")


def test_an_artifact_of_another_method_is_refused(tmp_path: Path) -> None:
    other = save(tmp_path / "b", "baseline", {"encoder": "resnet18", "input_size": 64}, default_crop_spec())
    with pytest.raises(ArtifactError, match="contains method baseline, but this benchmark needs recce"):
        bench_recce(other, device="cpu", quiet=True)


def test_a_gpu_is_timed_with_larger_batches_too() -> None:
    assert recce_bench._default_size(torch.device("cuda")).training_batches == (8, 32)
    assert recce_bench._default_size(torch.device("cpu")).training_batches == (8,)


def test_the_table_says_times_scores_and_memory() -> None:
    row = {"median": 1.0, "min": 0.5, "max": 2.0}
    numbers = {"seconds": row, "images_per_s": row, "times_as_fast": row}
    lines = recce_table(
        {
            "encoder": "light",
            "input_size": 64,
            "weights": "random",
            "device": "cpu",
            "timings": [
                {
                    "kind": "training",
                    "batch_size": 8,
                    "variants": {"bf16": {**numbers, "peak_bytes": {"resident": 3e9, "gpu": 1e9}}},
                }
            ],
            "scores": {"num_crops": 12, "variants": {"bf16": {"score": {"max": 0.01, "mean": 0.002}}}},
        }
    )
    assert [" ".join(line.split()) for line in lines] == [
        "light, 64 px, random weights, on cpu",
        "training, batch 8: seconds; speed-up over the release",
        "bf16 1.000 ( 0.500 - 2.000) x 1.00 ( 0.50 - 2.00) 1.0 images/s, 3000 MB at most",
        "scores of 12 crops, bf16, difference from the release: at most 1.0e-02, mean 2.0e-03",
    ]
