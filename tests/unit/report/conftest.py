import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from realface.media.images import write_image
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise


def _build_folder(
    folder: Path,
    *,
    methods=("FaceSwap", "SelfBlend"),
    purpose="research",
    seed=0,
    examples=True,
    has_videos=True,
    **changes,
) -> Path:
    generator = np.random.default_rng(seed)
    rows = [(method, video, frame) for method in (None, *methods) for video in range(6) for frame in range(2)]
    table = ScoreTable.from_columns(
        path=[f"{method}/{video}/{frame}.png" for method, video, frame in rows],
        label=[int(method is not None) for method, _, _ in rows],
        method=[method for method, _, _ in rows],
        video=pa.array([str(video) if has_videos else None for _, video, _ in rows], pa.string()),
        score=np.clip(generator.normal([0.4 + 0.3 * (m is not None) for m, _, _ in rows], 0.1), 0, 1),
    )
    document = {
        "format": 1,
        "artifact": {
            "method": "recce",
            "purpose": purpose,
            "licence": "Apache-2.0",
            "input_size": 128,
            "interpolation": "bilinear",
            "threshold_rule": "by hand",
            "trained_on": [{"name": "train.parquet", "sha256": "a" * 64, "rows": 100}],
            "weights_sha256": "b" * 64,
            "crop": "mtcnn, margin 0.3",
        },
        "manifests": [{"path": "t.parquet", "sha256": "c" * 64, "split": "test", "rows": 36, "rows_in_file": 50}],
        "failed": [],
        "notes": [],
        **summarise(table, threshold=0.55, num_resamples=20).to_json(),
        "provenance": {"created": "2025-01-01", "commit": None, "device": "cpu", "packages": {"numpy": "2"}},
    }
    folder.mkdir(parents=True)
    table.write(folder / "scores.parquet")
    (folder / "metrics.json").write_text(json.dumps(document | changes))
    if examples:
        _write_examples(folder / "examples", method=methods[0] if methods else None)
    return folder


def _write_examples(folder: Path, *, method: str | None) -> None:
    files = {name: f"1_{name}.png" for name in ("face", "reconstruction", "error_map")}
    maps = [{"name": "error_map", "meaning": "where it differs", "low": 0.0, "high": 0.2468}]
    for number, name in enumerate(files.values()):
        write_image(folder / name, np.full((16, 16, 3), 80 * number, np.uint8))
    known = {"dataset": None, "compression": "c23", "video": "3", "frame": 1, "path": "x.png", "method": method}
    entry = {"kind": "fake_hardest", "row": 0, "label": "fake", "prediction": "real", "score": 0.25, "files": files}
    (folder / "examples.json").write_text(
        json.dumps({"format": 2, "input_size": 16, "maps": maps, "examples": [entry | known]})
    )


@pytest.fixture
def build_folder():
    """The builder of a folder as `realface evaluate` writes it."""
    return _build_folder
