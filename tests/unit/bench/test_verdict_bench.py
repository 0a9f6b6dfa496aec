import json
from pathlib import Path

import pytest

from realface.bench.clip import ClipSize
from realface.bench.verdict_bench import bench_verdict, verdict_table
from realface.core.artifact import ArtifactCard
from realface.faces.detectors.registry import default_crop_spec
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method


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


def test_the_table_names_clip_models_and_stages() -> None:
    seconds = {stage: {"median": 1.0, "min": 0.5, "max": 2.0} for stage in ("decode", "find", "crop", "score", "total")}
    model = {"num_frames": 32, "input_size": 128, "load_s": 0.5, "first_s": {"total": 3.0}, "seconds": seconds}
    lines = verdict_table(
        {"clip": {"height": 720, "width": 1280, "fps": 25, "duration_s": 10.0}, "models": {"light": model}}
    )
    assert [" ".join(line.split()) for line in lines] == [
        "10 s of 1280 x 720 at 25 frames/s; seconds",
        "light: 32 frames, 128 px, loaded in 0.50 s",
        *(f"{stage} 1.000 ( 0.500 - 2.000)" for stage in seconds),
        "first 3.000 including loading the face detector",
    ]
