import numpy as np
import pytest
import torch
from torch import nn

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import DeviceError, ManifestError, MediaError
from realface.evaluation.real_only import complete_on_reals, fit_on_reals, real_rows
from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models.method import RealOnly
from realface.models.outputs import Output
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae_network import RffrMae

CPU = torch.device("cpu")
SPEC = CropSpec(size=16)
SMALLEST = MaeConfig(size="tiny", input_size=40, patch_size=8)


@pytest.fixture
def write_rows(tmp_path):
    """(label, split, grey level of its one crop) of each video -> the manifest's path."""

    def write(*videos):
        rows = []
        for number, (label, split, grey) in enumerate(videos):
            write_image(tmp_path / f"{number}.png", np.full((16, 16, 3), grey, np.uint8))
            rows.append({"path": f"{number}.png", "label": label, "split": split, "video": f"v{number}"})
        Manifest.from_rows(rows, root=tmp_path, header=ManifestHeader(crop=SPEC)).write(tmp_path / "faces.parquet")
        return tmp_path / "faces.parquet"

    return write


class Brightness(nn.Module):
    """Scores a face by how much brighter it is than the real faces that it was fitted on."""

    def __init__(self):
        super().__init__()
        self.register_buffer("usual", torch.tensor(float("nan")))

    def forward(self, image):
        return Output(10 * (image.mean(dim=(1, 2, 3)) - self.usual))


def fit_brightness(network, batches):
    assert not network.training
    assert not torch.is_grad_enabled()
    faces = torch.cat([batch.mean(dim=(1, 2, 3)) for batch in batches])
    network.usual.copy_(faces.mean())
    return {"faces": len(faces)}


def by(fit):
    return RealOnly(errors=lambda network, image: image.sum(), fit=fit, sheet=lambda network, image: image)


def fitted(network, reals, *, fit=fit_brightness, batch_size=7):
    return fit_on_reals(
        network,
        by(fit),
        reals,
        Reading(input_size=8, device=CPU, batch_size=batch_size, quiet=True),
        false_positive_rate=0.05,
        videos_name="videos",
    )


def test_threshold_calls_at_most_the_asked_share_of_the_real_videos_fake(write_rows):
    reals = Manifest.read(write_rows(*((0, "val", 50 + number) for number in range(40))))
    network = Brightness().train()
    found = fitted(network, reals)
    assert network.usual.item() == pytest.approx((50 + 19.5) / 255)
    assert np.sum(found.scores.scores >= found.threshold) == 2  # 5 % of 40
    assert found.threshold_rule == (
        "false_positive_rate (at most 0.05 of real videos called fake: 2 of 40 videos, all real)"
    )
    assert found.measured == {"faces": 40}
    assert network.training


def test_a_threshold_on_crops_that_name_no_video_says_so(write_rows):
    reals = Manifest.read(write_rows(*((0, "val", 50 + number) for number in range(40))))
    found = fitted(Brightness().train(), reals.with_column("video", [None] * 40))
    assert found.threshold_rule == (
        "false_positive_rate (at most 0.05 of real crops called fake: 2 of 40 crops, all real)"
    )


def test_faces_come_in_batches_and_in_order(write_rows):
    reals = Manifest.read(write_rows(*((0, "val", grey) for grey in (10, 20, 30))))
    seen = []
    fitted(Brightness(), reals, fit=lambda network, batches: seen.extend(batches) or {}, batch_size=2)
    assert [batch.shape for batch in seen] == [(2, 3, 8, 8), (1, 3, 8, 8)]
    torch.testing.assert_close(torch.cat(seen)[:, 0, 0, 0] * 255, torch.tensor([10.0, 20.0, 30.0]))


def test_a_network_without_a_score_is_left_as_it_was(write_rows):
    reals = Manifest.read(write_rows((0, "val", 100)))
    assert fitted(Brightness(), reals, fit=lambda network, batches: {}) is None


def test_too_little_memory_while_fitting_is_told(write_rows):
    def greedy(network, batches):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="cpu has too little memory for 7 crops at once"):
        fitted(Brightness(), Manifest.read(write_rows((0, "val", 100))), fit=greedy)


def test_a_crop_that_is_gone_is_refused(write_rows, tmp_path):
    reals = Manifest.read(write_rows((0, "val", 100), (0, "val", 120)))
    (tmp_path / "1.png").unlink()
    with pytest.raises(MediaError, match=r"row 2 of the manifest: .*1.png does not exist"):
        fitted(Brightness(), reals)


def test_fakes_and_the_test_split_are_left_out_and_counted(write_rows):
    path = write_rows((0, "train", 1), (1, "train", 2), (0, "test", 3), (0, None, 4), (1, "test", 5), (0, "val", 6))
    rows = real_rows(path, fewest=3)
    assert rows.manifest.column("path") == ["0.png", "3.png", "5.png"]
    assert len(rows.whole) == 6
    assert (rows.num_fakes, rows.num_test, rows.num_more) == (2, 1, 0)


def test_of_many_faces_some_evenly_spread_are_taken(write_rows):
    rows = real_rows(write_rows(*((0, "val", 1) for _ in range(10))), fewest=1, most=4)
    assert rows.manifest.column("path") == ["0.png", "2.png", "5.png", "7.png"]
    assert rows.num_more == 6


def test_too_few_faces_are_refused_and_what_was_left_out_is_told(write_rows):
    path = write_rows((0, "train", 1), (1, "train", 2), (0, "test", 3))
    expected = (
        r"faces.parquet: 1 of 3 rows are real faces outside the test split \(1 are fakes, 1 real ones of the test "
        r"split\), and a score needs at least 20; give a manifest with more$"
    )
    with pytest.raises(ManifestError, match=expected):
        real_rows(path, fewest=20)


def test_an_mae_gets_its_score_and_its_card_says_from_which_faces(write_rows):
    path = write_rows(*((0, "val", 60 + 3 * number) for number in range(40)), (1, "val", 9), (0, "test", 9))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = RffrMae(SMALLEST)
    card = ArtifactCard(
        method="rffr-mae",
        config=SMALLEST.model_dump(mode="json"),
        input_size=40,
        crop=CropSpec.unknown(),
        trained_on=[{"name": "mae.pth"}],
        metrics={"epoch": 3},
    )
    completed = complete_on_reals(network, card, path, device=CPU, most_faces=30, quiet=True)
    rows = real_rows(path, fewest=20, most=30)
    scores = score_crops(network, rows.manifest, Reading(input_size=40, device=CPU, quiet=True)).scores
    assert network.statistics.num_faces == 30
    assert np.sum(scores >= completed.threshold) == 1  # 5 % of 30
    assert completed.crop == SPEC
    assert completed.threshold_rule.endswith(f"1 of 30 videos of {path.parent.name}/faces.parquet, all real)")
    assert completed.trained_on == [
        {"name": "mae.pth"},
        {
            "name": f"{path.parent.name}/faces.parquet",
            "sha256": rows.whole.sha256(),
            "rows": 30,
            "note": "real faces that the score and the threshold were fitted on, not the weights",
        },
    ]
    assert completed.metrics["epoch"] == 3
    assert completed.metrics["fit"]["fitted_on_faces"] == 30
    assert completed.metrics["fit"]["left_out"] == {"fakes": 1, "test_split": 1, "more_than_needed": 10}
