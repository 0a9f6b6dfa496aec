import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from realface.core.errors import DeviceError, MediaError, MetricError
from realface.evaluation.scoring import RankShare, Reading, measure_crops, score_crops, score_readable_crops
from realface.manifest.manifest import Manifest
from realface.media.images import write_image
from realface.models.outputs import Output


class Brightness(nn.Module):
    """Scores the mean grey of a picture, through a dropout that would disturb it in training mode."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.batch_sizes = []

    def forward(self, image):
        assert not torch.is_grad_enabled()
        self.batch_sizes.append(len(image))
        return Output(logit=torch.logit(self.dropout(image.double().mean(dim=(1, 2, 3)))))


class Broken(nn.Module):
    def forward(self, image):
        return Output(logit=torch.full((len(image),), torch.nan))


EXACT = 2**-24
"""How near float32 pixels below 1 are to the numbers that are written down; the network computes in float64."""


def build_manifest(folder: Path, *, greys=(51, 102, 153, 204, 255)):
    for number, grey in enumerate(greys):
        write_image(folder / f"{number}.png", np.full((8, 8, 3), grey, np.uint8))
    return Manifest.from_rows(
        [
            {
                "path": f"{number}.png",
                "label": number % 2,
                "method": "FaceSwap" if number % 2 else None,
                "frame": number,
            }
            for number in range(len(greys))
        ],
        root=folder,
    )


def reading(**options):
    return Reading(input_size=4, device=torch.device("cpu"), quiet=True, **options)


def score(network, manifest, **options):
    return score_crops(network, manifest, reading(**options))


def test_scores_stand_in_the_order_of_the_rows_whatever_the_batches(tmp_path):
    manifest = build_manifest(tmp_path)
    network = Brightness()
    table = score(network, manifest, batch_size=2)
    assert table.scores == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0], abs=EXACT)
    assert network.batch_sizes == [2, 2, 1]
    assert table.column("path") == manifest.column("path")
    assert table.column("method") == [None, "FaceSwap", None, "FaceSwap", None]
    assert table.column("frame") == [0, 1, 2, 3, 4]


def test_worker_processes_give_the_same_table(tmp_path):
    manifest = build_manifest(tmp_path)
    alone = score(Brightness(), manifest, batch_size=2)
    assert score(Brightness(), manifest, batch_size=2, workers=2).table.equals(alone.table)


def test_every_module_gets_its_own_mode_back(tmp_path):
    network = Brightness().train()
    network.frozen.eval()
    score(network, build_manifest(tmp_path))
    assert network.training
    assert network.dropout.training
    assert not network.frozen.training


def test_scoring_draws_nothing_from_the_global_generator(tmp_path):
    manifest = build_manifest(tmp_path)
    before = torch.get_rng_state()
    score(Brightness(), manifest)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_missing_and_a_damaged_file_are_returned_with_the_reason_and_the_rest_is_scored(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "1.png").unlink()
    (tmp_path / "3.png").write_text("text")
    table, failed = score_readable_crops(Brightness(), manifest, reading(batch_size=2))
    assert table.column("path") == ["0.png", "2.png", "4.png"]
    assert table.scores == pytest.approx([0.2, 0.6, 1.0], abs=EXACT)
    assert [(failure.row, failure.path) for failure in failed] == [
        (1, str(tmp_path / "1.png")),
        (3, str(tmp_path / "3.png")),
    ]
    assert failed[1].reason == "not a picture"


def test_a_batch_without_a_readable_file_is_skipped(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "0.png").unlink()
    table, failed = score_readable_crops(Brightness(), manifest, reading(batch_size=1))
    assert (len(table), len(failed)) == (4, 1)


def test_where_all_must_be_scored_a_bad_file_is_an_error_that_names_it(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").unlink()
    with pytest.raises(MediaError, match=r"1\.png.*\(and 1 more files\)"):
        score(Brightness(), manifest)


def test_a_network_that_gives_no_number_is_refused_with_the_row(tmp_path):
    with pytest.raises(
        MetricError, match=r"scores of the network: row 0 \(0.png\): score must be a number in \[0, 1\]"
    ):
        score(Broken(), build_manifest(tmp_path))


def test_an_empty_manifest_gives_an_empty_table(tmp_path):
    assert len(score(Brightness(), build_manifest(tmp_path).take([]))) == 0


def test_out_of_memory_names_the_option_to_change(tmp_path):
    class Greedy(nn.Module):
        def forward(self, image):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="too little memory for 2 crops at once; give a smaller --batch-size"):
        score(Greedy(), build_manifest(tmp_path), batch_size=2)


def test_shares_of_several_processes_make_one_table_and_one_list_of_failures(tmp_path):
    class SentError(Exception):
        pass

    manifest = build_manifest(tmp_path)
    (tmp_path / "3.png").write_bytes(b"no picture")
    parts = []

    def send(part):
        parts.append(part)
        raise SentError

    for rank in range(2):
        with pytest.raises(SentError):
            score_readable_crops(Brightness(), manifest, reading(batch_size=1, share=RankShare(rank, 2, send)))
    table, failed = score_readable_crops(
        Brightness(), manifest, reading(batch_size=1, share=RankShare(1, 2, lambda _: parts))
    )
    whole, whole_failed = score_readable_crops(Brightness(), manifest, reading(batch_size=1))
    assert [rows for rows, *_ in parts] == [[0, 2, 4], [1]]
    assert table.table.equals(whole.table)
    assert failed == whole_failed


def test_another_number_than_the_score_is_measured_of_every_row(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "1.png").unlink()
    numbers, failed = measure_crops(
        Brightness(),
        manifest,
        reading(),
        measure=lambda _, image: 2 * image.double().mean(dim=(1, 2, 3)),
    )
    assert numbers == pytest.approx([0.4, math.nan, 1.2, 1.6, 2.0], abs=2 * EXACT, nan_ok=True)
    assert [failure.row for failure in failed] == [1]


def test_several_numbers_are_measured_of_every_row(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "1.png").unlink()
    numbers, _ = measure_crops(
        Brightness(),
        manifest,
        reading(batch_size=2),
        measure=lambda _, image: torch.stack([image.amin((1, 2, 3)), 2 * image.amax((1, 2, 3))], dim=1),
    )
    assert numbers[:, 0] == pytest.approx([0.2, math.nan, 0.6, 0.8, 1.0], abs=EXACT, nan_ok=True)
    assert numbers[:, 1] == pytest.approx([0.4, math.nan, 1.2, 1.6, 2.0], abs=2 * EXACT, nan_ok=True)


class Given(nn.Module):
    def forward(self, image, *, grey):
        return Output(logit=torch.logit(grey))


def test_network_is_given_the_precomputed_inputs_of_each_row(tmp_path):
    manifest = build_manifest(tmp_path)
    (tmp_path / "1.png").unlink()
    inputs = {"grey": lambda row: torch.tensor((row + 1) / 10)}
    table, failed = score_readable_crops(Given(), manifest, reading(batch_size=2), inputs=inputs)
    assert table.scores == pytest.approx([0.1, 0.3, 0.4, 0.5])
    assert [failure.row for failure in failed] == [1]
