from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from realface.core.errors import DeviceError, MediaError
from realface.evaluation.localisation import measure_error_map
from realface.evaluation.scoring import Reading
from realface.manifest.manifest import Manifest
from realface.media.images import write_image
from realface.models.outputs import Output, ReconstructionOutput

SIZE = 4
UPPER = np.repeat([[255], [255], [0], [0]], SIZE, axis=1).astype(np.uint8)


class Redness(nn.Module):
    """Its error map is the red of the picture."""

    def __init__(self):
        super().__init__()
        self.batch_sizes = []

    def forward(self, image):
        self.batch_sizes.append(len(image))
        return ReconstructionOutput(image.mean(dim=(1, 2, 3)), reconstruction=image, error_map=image[:, :1])


class Blind(nn.Module):
    def forward(self, image):
        return Output(image.mean(dim=(1, 2, 3)))


def build_manifest(folder: Path, *rows) -> Manifest:
    """Rows are columns and `upper` and `lower`: the red of either half, in [0, 255]."""
    listed = []
    for number, row in enumerate(rows):
        known = {"path": f"{number}.png", "dataset": "set", "compression": "c23"} | row
        picture = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
        picture[:2, :, 0], picture[2:, :, 0] = known.pop("upper"), known.pop("lower", 0)
        write_image(folder / known["path"], picture)
        listed.append(known)
    return Manifest.from_rows(listed, root=folder)


def real(video, frame, upper, **known):
    return {"label": 0, "video": video, "frame": frame, "upper": upper} | known


def fake(video, frame, upper, *, original="a", mask="upper.png", **known):
    own = {"label": 1, "video": video, "frame": frame, "upper": upper, "original": original, "mask": mask}
    return own | {"method": "Swap"} | known


@pytest.fixture
def root(tmp_path):
    write_image(tmp_path / "upper.png", UPPER)
    write_image(tmp_path / "lower.png", UPPER[::-1].copy())
    return tmp_path


def measure(manifest, network=None, **options):
    reading = Reading(**{"input_size": SIZE, "device": torch.device("cpu"), "quiet": True} | options)
    return measure_error_map(network or Redness(), manifest, reading)


def test_a_map_that_needs_too_much_memory_is_a_clear_error(root):
    class Greedy(nn.Module):
        def forward(self, image):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="cpu has too little memory for 2 crops at once"):
        measure(build_manifest(root, real("a", 3, 51), fake("a_b", 3, 255)), Greedy(), batch_size=2)


def test_a_fakes_map_is_held_against_its_mask_and_its_originals_crop(root):
    manifest = build_manifest(root, real("a", 3, 51, lower=204), fake("a_b", 3, 255))
    (crop,) = measure(manifest).crops
    assert (crop.path, crop.method, crop.video) == ("1.png", "Swap", "set/Swap/c23/a_b")
    assert (crop.pixel_auc, crop.iou, crop.chance_iou) == pytest.approx((1.0, 1.0, 1 / 3))
    assert crop.mean_error == pytest.approx(1.0)
    assert (crop.real_path, crop.real_video) == ("0.png", "set//c23/a")
    assert crop.real_mean_error == pytest.approx(0.2)  # over the fake's mask, so the lower half does not count


def test_a_crop_that_names_no_video_says_so(root):
    manifest = build_manifest(root, fake("a_b", 3, 255), fake(None, 4, 255))
    assert [crop.names_video for crop in measure(manifest).crops] == [True, False]


def test_every_fake_keeps_its_own_mask_and_pair_in_batches_of_any_size_and_with_workers(root):
    manifest = build_manifest(
        root,
        fake("a_b", 0, 153, lower=255, mask="lower.png"),
        real("a", 0, 51, lower=102),
        fake("a_b", 0, 204, method="Other"),
        fake("c_d", 0, 102, original="c"),
        real("a", 5, 0),
    )
    expected = {"0.png": (1.0, 1.0, 0.4), "2.png": (1.0, 0.8, 0.2), "3.png": (1.0, 0.4, None)}
    for options in ({}, {"batch_size": 1}, {"batch_size": 2}, {"workers": 2}):
        crops = {crop.path: crop for crop in measure(manifest, **options).crops}
        assert set(crops) == set(expected)
        for path, (auc, mean_error, real_mean_error) in expected.items():
            assert (crops[path].pixel_auc, crops[path].mean_error) == pytest.approx((auc, mean_error))
            assert crops[path].real_mean_error == (real_mean_error and pytest.approx(real_mean_error))


def test_no_more_crops_than_asked_for_go_through_the_network_at_a_time(root):
    network = Redness()
    measure(build_manifest(root, real("a", 0, 51), *[fake("a_b", n, 99) for n in range(6)]), network, batch_size=4)
    assert network.batch_sizes == [4, 4]  # the real crop is with either half


def test_the_real_crop_is_that_of_the_nearest_frame(root):
    reals = [real("a", frame, 0) for frame in (0, 10, 20)]
    manifest = build_manifest(root, *reals, fake("a_b", 13, 9), fake("a_b", 99, 9), fake("a_b", None, 9))
    assert {crop.path: crop.real_path for crop in measure(manifest).crops} == {
        "3.png": "1.png",
        "4.png": "2.png",
        "5.png": "0.png",
    }


@pytest.mark.parametrize("known", [{"video": "z"}, {"dataset": "other"}, {"compression": "c40"}, {"video": None}])
def test_a_real_of_another_video_data_set_or_compression_is_no_pair(root, known):
    (crop,) = measure(build_manifest(root, real("a", 0, 51) | known, fake("a_b", 0, 9))).crops
    assert (crop.real_path, crop.real_video, crop.real_mean_error) == (None, None, None)


def test_masks_of_any_size_are_brought_to_the_networks_input(root):
    write_image(root / "large.png", np.kron(UPPER, np.ones((8, 8), dtype=np.uint8)))
    (crop,) = measure(build_manifest(root, fake("a_b", 0, 255, mask="large.png"))).crops
    assert crop.pixel_auc == 1.0


def test_masks_that_cannot_be_used_are_counted_by_reason(root):
    write_image(root / "none.png", np.zeros((SIZE, SIZE), np.uint8))
    write_image(root / "all.png", np.full((SIZE, SIZE), 255, np.uint8))
    (root / "text.png").write_text("no picture")
    names = ["none.png", "none.png", "all.png", "gone.png", "text.png", "upper.png"]
    measured = measure(build_manifest(root, real("a", 0, 9), *[fake("a_b", 0, 9, mask=name) for name in names]))
    assert [crop.path for crop in measured.crops] == ["6.png"]
    assert measured.left_out == {
        "nothing forged in the crop": 2,
        "the whole crop forged": 1,
        "mask missing": 1,
        "mask unreadable (not a picture)": 1,
    }


def test_when_no_mask_can_be_used_nothing_goes_through_the_network(root):
    network = Redness()
    measured = measure(build_manifest(root, real("a", 0, 9), fake("a_b", 0, 9, mask="gone.png")), network)
    assert (measured.crops, measured.left_out, network.batch_sizes) == ([], {"mask missing": 1}, [])


def test_without_masks_or_without_error_maps_there_is_nothing_to_measure(root):
    assert measure(build_manifest(root, real("a", 0, 9), fake("a_b", 0, 9, mask=None))) is None
    assert measure(build_manifest(root, real("a", 0, 9, mask="upper.png"))) is None
    assert measure(build_manifest(root, fake("a_b", 0, 9)), Blind()) is None


def test_a_crop_that_is_gone_is_named(root):
    manifest = build_manifest(root, fake("a_b", 0, 9))
    (root / "0.png").unlink()
    with pytest.raises(MediaError, match=r"row 1 of the manifest: .*0\.png does not exist"):
        measure(manifest)


def test_it_draws_nothing_from_the_global_generator(root):
    manifest = build_manifest(root, fake("a_b", 0, 9))
    before = torch.get_rng_state()
    measure(manifest)
    assert torch.equal(torch.get_rng_state(), before)
