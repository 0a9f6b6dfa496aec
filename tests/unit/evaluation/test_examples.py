from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from realface.core.errors import DeviceError
from realface.evaluation.example_sheet import CELL
from realface.evaluation.examples import choose_examples, write_examples
from realface.evaluation.scoring import Reading
from realface.manifest.manifest import Manifest
from realface.media.images import read_image, write_image
from realface.metrics.score_table import ScoreTable
from realface.models.outputs import Output, ReconstructionOutput


class Negative(nn.Module):
    """Reconstructs the negative, is surprised by the left half and looks at the right edge."""

    def forward(self, image):
        error_map = torch.zeros(len(image), 1, 4, 4)
        error_map[..., :2] = 2.0
        attention = torch.tensor([0.25, 0.75]).expand(len(image), 1, 2, 2)
        return ReconstructionOutput(torch.zeros(len(image)), 1 - image, error_map, attention=attention)


class Plain(nn.Module):
    def forward(self, image):
        return Output(torch.zeros(len(image)))


def build_table(scores_of_videos: dict[tuple[int, str], list[float]]) -> ScoreTable:
    rows = [(label, video, score) for (label, video), scores in scores_of_videos.items() for score in scores]
    return ScoreTable.from_columns(
        path=[f"{number}.png" for number in range(len(rows))],
        label=[row[0] for row in rows],
        video=[row[1] for row in rows],
        score=[row[2] for row in rows],
    )


def write(folder: Path, network: nn.Module, *, per_kind: int = 3):
    table = build_table({(0, "r"): [0.2], (1, "f"): [0.9]})
    for number, grey in enumerate((0, 51)):
        write_image(folder / f"{number}.png", np.full((8, 8, 3), grey, np.uint8))
    manifest = Manifest.from_rows(table.table.select(["path", "label"]).to_pylist(), root=folder)
    return write_examples(
        folder / "examples",
        network,
        table,
        choose_examples(table, per_kind=per_kind),
        lambda row: (manifest, row),
        Reading(input_size=8, device=torch.device("cpu")),
        threshold=0.5,
    )


def test_examples_that_need_too_much_memory_are_a_clear_error(tmp_path):
    class Greedy(nn.Module):
        def forward(self, image):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="cpu has too little memory for 1 crops at once"):
        write(tmp_path, Greedy())


def test_both_ends_of_both_classes_are_chosen_hardest_first():
    table = build_table({(label, f"{label}{n}"): [n / 10] for label in (0, 1) for n in range(10)})
    by_kind = {}
    for choice in choose_examples(table, per_kind=2):
        by_kind.setdefault(choice.kind, []).append(table.scores[choice.row])
    assert by_kind == {
        "fake_hardest": [0.0, 0.1],
        "fake_easiest": [0.9, 0.8],
        "real_hardest": [0.9, 0.8],
        "real_easiest": [0.0, 0.1],
    }


def test_the_frame_nearest_to_its_videos_mean_is_shown():
    table = build_table({(1, "f"): [0.1, 0.5, 0.75, 1.0]})  # mean 0.5875
    assert [choice.row for choice in choose_examples(table)] == [1]


def test_few_videos_are_shared_between_the_ends_and_none_is_shown_twice():
    table = build_table({(1, "a"): [0.1], (1, "b"): [0.2], (1, "c"): [0.3]})
    assert [(choice.row, choice.kind) for choice in choose_examples(table)] == [
        (0, "fake_hardest"),
        (1, "fake_hardest"),
        (2, "fake_easiest"),
    ]


def test_a_network_that_reconstructs_gives_its_maps_over_the_face(tmp_path):
    index = write(tmp_path, Negative())
    fake = index["examples"][0]
    pictures = {name: read_image(tmp_path / "examples" / file) for name, file in fake["files"].items()}
    assert (pictures["face"] == 51).all()
    assert (pictures["reconstruction"] == 204).all()
    bright, face = [203, 204, 136], [51, 51, 51]  # a quarter of the face, three quarters of yellow (252, 255, 164)
    for kind, places in {"error_map": (0, -1), "attention": (-1, 0)}.items():
        for place, expected in zip(places, (bright, face), strict=True):
            np.testing.assert_allclose(pictures[kind][:, place], np.tile(expected, (8, 1)), atol=8)


def test_the_index_says_what_the_colours_of_each_map_mean(tmp_path):
    error_map, attention = write(tmp_path, Negative())["maps"]
    assert (error_map["name"], attention["name"]) == ("error_map", "attention")
    assert error_map["meaning"] == "where the face differs from its reconstruction"
    assert (error_map["low"], error_map["high"]) == pytest.approx((0.0, 2.0))
    assert (attention["low"], attention["high"]) == pytest.approx((0.25, 0.75))


def test_all_faces_stand_on_one_sheet(tmp_path):
    write(tmp_path, Negative())
    sheet = read_image(tmp_path / "examples" / "sheet.jpg")
    assert sheet.shape[1] == 2 * (4 * CELL + 3 * 4) + 32 + 2 * 16  # fakes and reals, four pictures each


def test_without_a_face_there_is_no_sheet(tmp_path):
    assert write(tmp_path, Negative(), per_kind=0)["examples"] == []
    assert [path.name for path in (tmp_path / "examples").iterdir()] == ["examples.json"]


def test_the_index_says_what_each_face_is_and_how_it_was_judged(tmp_path):
    fake, real = write(tmp_path, Negative())["examples"]
    assert (fake["label"], fake["prediction"], fake["score"]) == ("fake", "fake", 0.9)
    assert (real["label"], real["prediction"], real["path"], real["video"]) == ("real", "real", "0.png", "r")


def test_a_network_that_does_not_reconstruct_gives_the_face_only(tmp_path):
    index = write(tmp_path, Plain())
    assert [set(example["files"]) for example in index["examples"]] == [{"face"}, {"face"}]
    assert index["maps"] == []
    assert (tmp_path / "examples" / "sheet.jpg").exists()
