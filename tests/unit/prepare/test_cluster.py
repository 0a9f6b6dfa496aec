import sys

import pytest
from PIL import Image

from realface.core.crop_spec import CropSpec
from realface.core.errors import PrepareError
from realface.prepare.cluster import ray_workers
from realface.prepare.pipeline import Means, prepare


def test_without_ray_the_extra_is_named(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PrepareError, match=r'--cluster ray needs Ray; install it: pip install "realface\[cluster\]"'):
        ray_workers(place, None).__enter__()


def test_a_local_cluster_gives_what_processes_give(tmp_path):
    """On face crops that a data set comes with, which need no face finder, and one of them broken."""
    ray = pytest.importorskip("ray")
    for number in range(6):
        folder = tmp_path / "wild" / ("real_train" if number % 2 else "fake_test") / str(number) / "a"
        folder.mkdir(parents=True)
        Image.new("RGB", (24, 24), (40 * number, 9, 9)).save(folder / "1.png")
    (tmp_path / "wild" / "real_train" / "1" / "a" / "1.png").write_bytes(b"broken")
    alone = prepare(tmp_path / "wild", tmp_path / "alone", spec=CropSpec(), means=Means(workers=0, quiet=True))
    try:
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
        shared = prepare(
            tmp_path / "wild", tmp_path / "shared", spec=CropSpec(), means=Means(cluster="ray", quiet=True)
        )
    finally:
        ray.shutdown()
    assert (alone.num_crops, alone.losses) == (shared.num_crops, shared.losses) == (5, {"no pictures": 1})
    assert alone.manifest.read_bytes() == shared.manifest.read_bytes()
