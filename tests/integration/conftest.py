"""Builders of what flows start from."""

import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.labels import Label
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image


@pytest.fixture(scope="session")
def write_manifest():
    """(folder) -> manifest of crops there: two videos per class and split; fakes have a bright square."""

    def write(root):
        rng = np.random.default_rng(0)
        rows = []
        for split in ("train", "val"):
            for number in range(4):
                label = number % 2
                for frame in range(2):
                    image = rng.integers(0, 128, (64, 64, 3), dtype=np.uint8)
                    if label == Label.FAKE:
                        image[16:48, 16:48] += 100
                    path = f"crops/{split}-{number}-{frame}.png"
                    (root / "crops").mkdir(exist_ok=True)
                    write_image(root / path, image)
                    rows.append(
                        {"path": path, "label": label, "split": split, "video": f"{split}-{number}", "frame": frame}
                    )
        header = ManifestHeader(crop=CropSpec(size=64))
        Manifest.from_rows(rows, root=root, header=header).write(root / "manifest.parquet")
        return root / "manifest.parquet"

    return write


@pytest.fixture
def manifest(tmp_path, write_manifest):
    """Of crops in the test's own folder."""
    return write_manifest(tmp_path)
