from pathlib import Path

import numpy as np
import pytest
import torch

from realface.bench.face_crops import named_crops, read_crops
from realface.core.errors import MediaError
from realface.manifest.manifest import Manifest
from realface.media.images import write_image


def grey(path: Path, value: int) -> Path:
    write_image(path, np.full((8, 8, 3), value, np.uint8))
    return path


def test_without_a_source_both_portraits_are_seen_in_several_ways() -> None:
    crops = read_crops(None, 64)
    assert crops.shape == (12, 3, 64, 64)
    assert 0 <= crops.min() < crops.max() <= 1
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 12


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    grey(tmp_path / "a2.png", 255), grey(tmp_path / "a10.png", 0)
    torch.testing.assert_close(read_crops(tmp_path, 64).mean(dim=(1, 2, 3)), torch.tensor([1.0, 0.0]))


def test_a_manifest_gives_its_first_64_rows(tmp_path: Path) -> None:
    grey(tmp_path / "a.png", 51)
    Manifest.from_rows([{"path": "a.png", "label": 0}] * 65, root=tmp_path).write(tmp_path / "manifest.parquet")
    crops = read_crops(tmp_path / "manifest.parquet", 64)
    assert len(crops) == 64
    assert crops.mean().item() == pytest.approx(0.2)


def test_a_folder_of_videos_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(MediaError, match="contains no image; give a folder or a manifest of face crops"):
        read_crops(tmp_path, 64)


def test_named_crops_of_a_manifest_are_all_of_it_with_the_files_names(tmp_path: Path) -> None:
    grey(tmp_path / "a.png", 51)
    Manifest.from_rows([{"path": "a.png", "label": 0}] * 65, root=tmp_path).write(tmp_path / "manifest.parquet")
    images, names = named_crops(tmp_path / "manifest.parquet")
    assert [image.shape for image in images] == [(8, 8, 3)] * 65
    assert set(names) == {"a"}


def test_without_a_source_the_named_portraits_take_turns() -> None:
    images, names = named_crops(None)
    assert len(images) == 12
    assert names[:3] == ["astronaut", "hopper", "astronaut"]
