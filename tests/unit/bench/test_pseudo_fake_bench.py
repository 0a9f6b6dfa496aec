"""The benchmark of pseudo-fakes on a small size."""

import cv2
import pytest
import skimage.data

from realface.bench.pseudo_fake_bench import (
    DEGRADED,
    MIXTURE,
    PseudoFakeSize,
    bench_pseudo_fakes,
    portrait_faces,
    pseudo_fakes_table,
)
from realface.data.pairs import PairDataset, RealFaces
from realface.data.pseudo_fakes.contract import Partner
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import PseudoFakesSection
from realface.data.resynthesis_store import ResynthesisStore


@pytest.fixture(scope="module")
def result():
    crop = skimage.data.astronaut()[30:200, 140:310].copy()
    points = [(64, 71), (108, 74), (85, 99), (63, 110), (106, 112)]
    faces = RealFaces(
        num_faces=1, image=lambda row: crop, landmarks=lambda row: points, stored=lambda row, shape: Partner(crop)
    )
    threads = cv2.getNumThreads()
    measured = bench_pseudo_fakes(repeats=2, size=PseudoFakeSize(input_size=64, num_pairs=2), faces=faces, quiet=True)
    assert cv2.getNumThreads() == threads
    return measured


def test_every_kind_and_the_mixture_are_timed(result):
    assert set(result["pairs_per_cpu_s"]) == {*KINDS, MIXTURE, DEGRADED}
    for values in result["pairs_per_cpu_s"].values():
        assert 0 < values["min"] <= values["median"] <= values["max"]


def test_the_table_marks_what_is_too_slow(result):
    slow = {**result, "pairs_per_cpu_s": {"swap": {"median": 59.0, "min": 50.0, "max": 61.0}}}
    fast = {**result, "pairs_per_cpu_s": {"swap": {"median": 61.0, "min": 50.0, "max": 62.0}}}
    assert pseudo_fakes_table(slow)[0] == "  pairs of 64 px per CPU second; a training needs 60"
    assert pseudo_fakes_table(slow)[1].endswith("too slow")
    assert not pseudo_fakes_table(fast)[1].endswith("too slow")


def test_the_portraits_have_a_store_from_which_re_syntheses_are_made(tmp_path):
    faces = portrait_faces(tmp_path / "store")
    assert len(ResynthesisStore(tmp_path / "store")) == faces.num_faces == 12
    section = PseudoFakesSection(kinds={"resynthesis": 1}, degradations=None)
    kinds = [PairDataset(faces, section, input_size=64, seed=0)[row]["kind"] for row in range(faces.num_faces)]
    assert kinds == ["resynthesis"] * 12
