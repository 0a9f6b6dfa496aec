import json
from pathlib import Path

import pytest

from realface.bench.clip import ClipSize
from realface.bench.verdict_bench import bench_verdict, spread
from realface.faces.finders import default_crop_spec
from realface.models.artifact import ArtifactCard, save_artifact
from realface.models.catalog import get_method


def test_the_spread_is_median_least_and_most() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    method = get_method("recce")
    config = method.config_type.model_validate({"encoder": "light_xception", "input_size": 64})
    card = ArtifactCard(
        method="recce", config=config.model_dump(mode="json"), input_size=64, crop=default_crop_spec(frames=2)
    )
    save_artifact(tmp_path / "artifact", method.build_network(config), card)
    return tmp_path / "artifact"


def test_every_stage_of_every_model_is_timed(artifact: Path) -> None:
    clip = ClipSize(height=180, width=320, fps=5, duration_s=1.0)
    result = bench_verdict({"one": artifact, "two": artifact}, repeats=2, device="cpu", clip=clip, quiet=True)
    assert json.loads(json.dumps(result)) == result
    assert result["clip"] == {"height": 180, "width": 320, "fps": 5, "duration_s": 1.0}
    assert list(result["models"]) == ["one", "two"]
    for model in result["models"].values():
        assert list(model["seconds"]) == ["decode", "find", "crop", "score", "total"]
        stages = [model["seconds"][stage]["median"] for stage in ("decode", "find", "crop", "score")]
        assert all(seconds > 0 for seconds in stages)
        assert model["seconds"]["total"]["max"] >= max(stages)
        assert (model["num_frames"], model["input_size"], model["method"]) == (2, 64, "recce")
