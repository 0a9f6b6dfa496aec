import sys
from dataclasses import replace

import pytest
from PIL import Image

from realface.core.crop_spec import CropSpec
from realface.core.errors import PrepareError
from realface.prepare import cluster
from realface.prepare.cluster import ray_workers
from realface.prepare.pipeline import ExecutionSettings, prepare_dataset
from realface.prepare.record import PrepareJob


def test_without_ray_the_extra_is_named(output, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PrepareError, match=r'--cluster ray needs Ray; install it: pip install "realface\[cluster\]"'):
        ray_workers(output, None).__enter__()


@pytest.fixture(scope="module")
def local_cluster():
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, log_to_driver=False, include_dashboard=False)  # not one that runs here already
    yield
    ray.shutdown()


@pytest.mark.usefixtures("local_cluster")
def test_a_local_cluster_gives_what_processes_give(tmp_path, monkeypatch):
    """On face crops that a data set comes with, which need no face detector, and one of them broken."""
    monkeypatch.setattr(cluster, "MOST_SENT", 4)
    for number in range(6):
        folder = tmp_path / "wild" / ("real_train" if number % 2 else "fake_test") / str(number) / "a"
        folder.mkdir(parents=True)
        Image.new("RGB", (24, 24), (40 * number, 9, 9)).save(folder / "1.png")
    (tmp_path / "wild" / "real_train" / "1" / "a" / "1.png").write_bytes(b"broken")
    alone = prepare_dataset(
        tmp_path / "wild", tmp_path / "alone", spec=CropSpec(), execution=ExecutionSettings(workers=0, quiet=True)
    )
    shared = prepare_dataset(
        tmp_path / "wild", tmp_path / "shared", spec=CropSpec(), execution=ExecutionSettings(cluster="ray", quiet=True)
    )
    assert (alone.num_crops, alone.skipped) == (shared.num_crops, shared.skipped) == (5, {"no pictures": 1})
    assert alone.manifest.read_bytes() == shared.manifest.read_bytes()


@pytest.mark.usefixtures("local_cluster")
def test_what_fails_on_the_cluster_is_told_in_words(output, make_item, tmp_path):
    Image.new("RGB", (24, 24)).save(tmp_path / "a.png")
    away = replace(output, scratch=tmp_path / "away", are_crops=True)
    text = (
        rf"a job on the cluster failed: FileNotFoundError: .* while preparing {tmp_path / 'a.png'}; "
        "correct that and run the same command again; finished files are kept"
    )
    with pytest.raises(PrepareError, match=text), ray_workers(away, 1) as do:
        list(do([PrepareJob(0, make_item(tmp_path / "a.png"))]))
