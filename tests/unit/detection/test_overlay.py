from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from realface.core.boxes import Box
from realface.core.calibration import Band
from realface.core.errors import MediaError
from realface.core.map_kinds import MapKind
from realface.detection.outcome import Outcome, Reason
from realface.detection.overlay import COLORS, draw_overlay, headline, lay_in_place, write_overlay
from realface.evaluation.forgery_map import Scale
from realface.faces.cropper import Matrix
from realface.media.images import read_image, write_image
from realface.media.sheets import BACKGROUND
from realface.models.outputs import Output, ReconstructionOutput

LEFT, RIGHT = Box(4, 4, 28, 60), Box(36, 4, 60, 60)


def picture(path: Path, brightness: float = 0.5) -> Path:
    write_image(path, np.full((64, 64, 3), round(brightness * 255), np.uint8))
    return path


def at(x: int, y: int) -> Matrix:
    """A map whose upper left pixel lies there in the picture, pixel for pixel."""
    return np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])


def test_a_map_colours_only_its_area_and_only_where_it_is_high() -> None:
    image = np.full((10, 10, 3), 100, np.uint8)
    face_map = np.zeros((4, 4), np.float32)
    face_map[:, 2:] = 1.0
    laid = lay_in_place(image, [face_map], [at(2, 2)], Scale(0.0, 1.0))
    changed = (laid != image).any(axis=2)
    assert changed[2:6, 4:6].all()
    assert changed.sum() == 8
    assert (image == 100).all(), "the picture given must stay as it is"


def test_only_the_area_loses_its_colours() -> None:
    image = np.full((10, 10, 3), (200, 100, 50), np.uint8)
    laid = lay_in_place(image, [np.zeros((4, 4), np.float32)], [at(2, 2)], Scale(0.0, 1.0))
    is_grey = (laid == laid[..., :1]).all(axis=2)
    assert is_grey[2:6, 2:6].all()
    assert is_grey.sum() == 16


def test_a_map_beyond_the_picture_is_cut_off() -> None:
    image = np.full((10, 10, 3), 100, np.uint8)
    laid = lay_in_place(image, [np.ones((4, 4), np.float32)], [at(-2, 8)], Scale(0.0, 1.0))
    assert (laid != image).any(axis=2).sum() == 4


def test_a_map_that_lies_outside_altogether_changes_nothing() -> None:
    image = np.full((10, 10, 3), (200, 100, 50), np.uint8)
    laid = lay_in_place(image, [np.ones((4, 4), np.float32)], [at(20, 20)], Scale(0.0, 1.0))
    assert (laid == image).all()


def test_where_areas_overlap_the_stronger_map_is_seen_whatever_the_order() -> None:
    image = np.full((4, 6, 3), 100, np.uint8)
    maps = [np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32)]
    matrices = [at(0, 0), at(2, 0)]
    laid = lay_in_place(image, maps, matrices, Scale(0.0, 1.0))
    assert (laid[:, 2:4] == laid[:, :2]).all()
    assert (laid == lay_in_place(image, maps[::-1], matrices[::-1], Scale(0.0, 1.0))).all()


def test_a_map_of_a_turned_crop_is_laid_turned() -> None:
    image = np.full((12, 12, 3), 100, np.uint8)
    face_map = np.zeros((4, 4), np.float32)
    face_map[0] = 1.0
    quarter_turn = np.array([[0.0, 1.0, -3.0], [-1.0, 0.0, 8.0]])  # the map's top is at column 8 of the picture
    laid = lay_in_place(image, [face_map], [quarter_turn], Scale(0.0, 1.0))
    changed = (laid != image).any(axis=2)
    assert changed[3:7, 8].all()
    assert changed.sum() == 4


def test_a_map_turned_by_half_a_right_angle_covers_a_rhombus() -> None:
    image = np.full((20, 20, 3), (200, 100, 50), np.uint8)
    half = np.sqrt(0.5)
    matrix = np.array([[half, half, 1.5 - 20 * half], [-half, half, 1.5]])  # the map's middle at (10, 10)
    laid = lay_in_place(image, [np.zeros((4, 4), np.float32)], [matrix], Scale(0.0, 1.0))
    is_grey = (laid == laid[..., :1]).all(axis=2)
    y, x = np.mgrid[:20, :20]
    expected = np.maximum(np.abs(x - 10 + y - 10), np.abs(x - 10 - (y - 10))) <= 2 / half
    assert np.array_equal(is_grey, expected)


def test_each_face_is_boxed_in_the_colour_of_its_prediction(tmp_path: Path, build_detector: Callable) -> None:
    path = tmp_path / "a.png"
    image = np.full((64, 64, 3), 25, np.uint8)
    image[:, 32:] = 230
    write_image(path, image)
    detector = build_detector([[LEFT, RIGHT]])
    drawn = draw_overlay(detector, detector.detect(path))
    left, right = drawn[:, : drawn.shape[1] // 2], drawn[100:, drawn.shape[1] // 2 :]
    real, fake = COLORS[Outcome.REAL], COLORS[Outcome.FAKE]
    assert (left == real).all(axis=2).any()
    assert (right == fake).all(axis=2).any()
    assert not (right == real).all(axis=2).any()


def test_small_pictures_are_enlarged_and_large_ones_shrunk_to_be_readable(
    tmp_path: Path, build_detector: Callable
) -> None:
    small, large = picture(tmp_path / "small.png"), tmp_path / "large.png"
    write_image(large, np.full((100, 3000, 3), 128, np.uint8))
    detector = build_detector(None)
    assert draw_overlay(detector, detector.detect(small)).shape[1] == 640
    assert draw_overlay(detector, detector.detect(large)).shape[1] == 1920


def test_a_score_just_below_the_threshold_looks_below_it(tmp_path: Path, build_detector: Callable) -> None:
    detector = build_detector(None)
    band = Band(real_below=0.4975, fake_from=0.4975)
    verdict = replace(detector.detect(picture(tmp_path / "a.png")), score=0.4961, band=band)
    assert headline(verdict) == "score 0.4961, fake from 0.4975 up"


def test_the_header_of_a_calibrated_verdict_names_both_scores_or_the_reason(
    tmp_path: Path, build_detector: Callable
) -> None:
    verdict = build_detector(None).detect(picture(tmp_path / "a.png"))
    band = Band(real_below=0.25, fake_from=0.75)
    calibrated = replace(verdict, score=0.5, band=band, is_calibrated=True)
    assert headline(calibrated) == "score 0.5000, real below 0.2500, fake from 0.7500 up"
    assert headline(replace(calibrated, reason=Reason.OUTSIDE_CALIBRATION)) == "outside calibration, score 0.5000"
    assert headline(replace(calibrated, score=None, reason=Reason.TOO_SOFT)) == "too soft"


def test_a_face_without_a_say_is_boxed_in_grey_with_the_reason(tmp_path: Path, build_detector: Callable) -> None:
    path = picture(tmp_path / "a.png")
    detector = build_detector([[LEFT]])
    verdict = detector.detect(path)
    (face,) = verdict.frames[0].faces
    frame = replace(verdict.frames[0], faces=(replace(face, ignored=Reason.FACE_TOO_SMALL),))
    track = replace(verdict.tracks[0], score=None, ignored=Reason.FACE_TOO_SMALL)
    drawn = draw_overlay(
        detector, replace(verdict, score=None, reason=Reason.FACE_TOO_SMALL, frames=(frame,), tracks=(track,))
    )
    assert (drawn[60:] == COLORS[Outcome.CANNOT_SAY]).all(axis=2).any()


def test_no_face_is_called_fake_in_a_file_outside_the_calibration(
    tmp_path: Path, build_detector: Callable, calibration: Callable
) -> None:
    path = tmp_path / "a.png"
    write_image(path, np.full((64, 64, 3), 230, np.uint8))
    detector = build_detector([[LEFT]], calibration=calibration(image=None))
    drawn = draw_overlay(detector, detector.detect(path))
    assert not (drawn == COLORS[Outcome.FAKE]).all(axis=2).any()
    assert (drawn[60:] == COLORS[Outcome.CANNOT_SAY]).all(axis=2).any()


def test_a_file_without_a_face_is_drawn_as_it_is(tmp_path: Path, video: Callable, build_detector: Callable) -> None:
    detector = build_detector([[], [], [], []])
    for path in (picture(tmp_path / "a.png"), video(0.3, 0.4, 0.5)):
        drawn = draw_overlay(detector, detector.detect(path))
        assert (drawn[:60] == COLORS[Outcome.CANNOT_SAY]).all(axis=2).any()
        assert drawn.shape[1] == 640


def test_a_demonstration_has_a_taller_header_with_its_warning(tmp_path: Path, build_detector: Callable) -> None:
    path = picture(tmp_path / "a.png")
    plain, warned = build_detector(None), build_detector(None, purpose="demonstration")
    assert len(draw_overlay(warned, warned.detect(path))) > len(draw_overlay(plain, plain.detect(path)))


def test_a_videos_sheet_has_a_column_for_each_of_its_most_suspicious_frames(
    video: Callable, build_detector: Callable
) -> None:
    brightness = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6]
    detector = build_detector([[Box(0, 0, 64, 64)]] * 8, num_frames=8)
    sheet = draw_overlay(detector, detector.detect(video(*brightness)))
    first_row = sheet[sheet.shape[0] // 2]
    assert (first_row[:8] == BACKGROUND).all()
    gaps = (sheet[104:-40] == BACKGROUND).all(axis=(0, 2))
    assert int(np.count_nonzero(np.diff(gaps.astype(int)) == -1)) == 6


def test_a_method_without_a_map_is_drawn_without_heat(video: Callable, build_detector: Callable) -> None:
    class Plain(nn.Module):
        def forward(self, image: Tensor) -> Output:
            return Output(torch.zeros(len(image)))

    script = [[Box(0, 0, 64, 64)]] * 2
    plain, mapped = build_detector(script, network=Plain()), build_detector(script)
    path = video(0.4, 0.6)
    assert len(draw_overlay(plain, plain.detect(path))) < len(draw_overlay(mapped, mapped.detect(path)))


class Attentive(nn.Module):
    """Surprised at the left, looking at the right."""

    def forward(self, image: Tensor) -> ReconstructionOutput:
        error_map = torch.zeros(len(image), 1, 16, 16)
        error_map[..., :8] = 0.5
        attention = torch.tensor([0.2, 0.8]).expand(len(image), 1, 2, 2)
        return ReconstructionOutput(torch.zeros(len(image)), image, error_map, attention=attention)


@pytest.mark.parametrize(("kind", "bright", "dull"), [("error_map", 0, -1), ("attention", -1, 0)])
def test_the_map_that_was_asked_for_is_laid_over_the_face(
    tmp_path: Path, build_detector: Callable, kind: str, bright: int, dull: int
) -> None:
    detector = build_detector(None, network=Attentive())
    drawn = draw_overlay(detector, detector.detect(picture(tmp_path / "a.png")), kind=MapKind(kind))
    row = drawn[-320, 20:-20].astype(int)  # through the middle of the face, inside the box
    assert row[dull].max() - row[dull].min() < 40, "nearly grey"
    assert row[bright][0] - row[bright][2] > 40, "yellow"


@pytest.mark.parametrize("kind", list(MapKind))
def test_a_map_that_the_method_does_not_have_is_said(tmp_path: Path, build_detector: Callable, kind: MapKind) -> None:
    class Plain(nn.Module):
        def forward(self, image: Tensor) -> Output:
            return Output(torch.zeros(len(image)))

    detector = build_detector(None, network=Plain())
    drawn = draw_overlay(detector, detector.detect(picture(tmp_path / "a.png")), kind=kind)
    legend = drawn[36:64]
    assert (legend != BACKGROUND).any(), "words"
    assert (legend.max(axis=2) - legend.min(axis=2)).max() < 30, "but no colours"


def test_the_words_of_a_short_video_are_not_cut_off(video: Callable, build_detector: Callable) -> None:
    detector = build_detector([[Box(0, 0, 64, 64)]], num_frames=1)
    assert draw_overlay(detector, detector.detect(video(0.5))).shape[1] == 640


def test_files_of_one_name_get_numbered_overlays(tmp_path: Path, build_detector: Callable) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    detector = build_detector(None)
    paths = [picture(tmp_path / folder / "x y é.png") for folder in "ab"]
    drawn = [write_overlay(detector, detector.detect(path), tmp_path / "out") for path in paths]
    assert [path.name for path in drawn] == ["x y é.png.jpg", "x y é.png-2.jpg"]
    assert read_image(drawn[0]).shape[1] == 640


def test_a_video_that_changed_in_between_is_said(video: Callable, build_detector: Callable) -> None:
    detector = build_detector([[Box(0, 0, 64, 64)]] * 3)
    verdict = detector.detect(video(0.4, 0.5, 0.6))
    video(0.4)
    with pytest.raises(MediaError, match=r"clip\.mp4 changed while it was looked at; try again"):
        draw_overlay(detector, verdict)
