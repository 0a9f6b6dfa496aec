from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realface.core.boxes import Box
from realface.detection import inpainting_sheet
from realface.detection.inpainting import InpaintedFile, Inpainter
from realface.detection.inpainting_sheet import (
    CELL,
    caption,
    draw_inpainting_sheet,
    explanation,
    write_inpainting_sheet,
)
from realface.media.images import read_image, write_image

WHOLE, LEFT, RIGHT = Box(0, 0, 64, 64), Box(0, 0, 32, 64), Box(32, 0, 64, 64)
BRIGHT = (180, 60, 60)


def inpainted(inpainter: Inpainter, path: Path) -> InpaintedFile:
    path.parent.mkdir(exist_ok=True)
    write_image(path, np.full((64, 64, 3), BRIGHT, np.uint8))
    return inpainter.inpaint(path)


def num_rows(sheet: np.ndarray) -> list[int]:
    """In every column of faces, how many there are: counts runs of the faces' colour along each left edge."""
    is_face = (np.abs(sheet.astype(int) - BRIGHT) <= 1).all(axis=2)
    lefts = [x for x in range(sheet.shape[1]) if is_face[:, x].sum() >= CELL // 2 and not is_face[:, x - 1].any()]
    return [int((np.diff(is_face[:, x].astype(int)) == 1).sum()) for x in lefts]


def test_a_row_has_the_four_pictures_side_by_side(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[WHOLE]], block=(3, 3))
    sheet = draw_inpainting_sheet(inpainter, inpainted(inpainter, tmp_path / "a.png"))
    assert num_rows(sheet) == [1, 1, 1], "face, masked and inpainted; the difference is black but for the block"


def test_there_is_a_row_for_each_face_and_several_columns_for_many(
    tmp_path: Path, build_inpainter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpainting_sheet, "ROWS", 4)
    inpainter = build_inpainter([[WHOLE] * 5], block=(3, 3))
    sheet = draw_inpainting_sheet(inpainter, inpainted(inpainter, tmp_path / "a.png"))
    assert num_rows(sheet) == [3, 3, 3, 2, 2, 2]


def test_a_picture_of_one_face_says_block_and_error(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[WHOLE]], block=(3, 4))
    result = inpainted(inpainter, tmp_path / "a.png")
    root_mean_square = np.sqrt(np.mean(np.square(BRIGHT)))
    assert caption(result.faces[0], result).split("     ") == [
        "block at row 3, column 4",
        f"error {root_mean_square:.1f}",
    ]


def test_a_video_says_the_time_and_several_people_their_number(video: Callable, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[LEFT, RIGHT]] * 2, block="all")
    result = inpainter.inpaint(video(0.4, 0.4))
    words = [caption(face, result).split("     ")[:2] for face in result.faces]
    assert words == [["0.00 s", "face 1"], ["0.00 s", "face 2"], ["0.04 s", "face 1"], ["0.04 s", "face 2"]]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"seed": 5}, "one block of 3 x 3 of the 8 x 8 patches, drawn with seed 5"),
        ({"block": (1, 1)}, "one block of 3 x 3 of the 8 x 8 patches"),
        ({"block": "all"}, "4 blocks of 3 x 3 patches, each hidden alone"),
        ({"block": "all", "mode": "fast"}, "4 blocks of 3 x 3 patches, those that do not touch hidden together"),
    ],
)
def test_it_is_said_who_inpainted_what(
    tmp_path: Path, build_inpainter: Callable, settings: dict[str, object], text: str
) -> None:
    inpainter = build_inpainter([[WHOLE]], **settings)
    lines = explanation(inpainter, inpainted(inpainter, tmp_path / "a.png"))
    assert lines[0] == f"inpainted by rffr-mae 0123456789ab: {text}"
    assert len(lines) == 2


def test_a_demonstration_says_that_it_is_one(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[WHOLE]], purpose="demonstration")
    lines = explanation(inpainter, inpainted(inpainter, tmp_path / "a.png"))
    assert lines[-1] == "demonstration model: says nothing about real videos"


def test_faces_that_are_left_out_are_said(
    tmp_path: Path, build_inpainter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realface.detection.inpainting.MOST_FACES", 1)
    inpainter = build_inpainter([[WHOLE] * 3])
    assert "2 more faces are not shown" in explanation(inpainter, inpainted(inpainter, tmp_path / "a.png"))


def test_files_of_one_name_have_sheets_of_their_own(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[WHOLE]] * 2)
    sheets = [
        write_inpainting_sheet(inpainter, inpainted(inpainter, tmp_path / folder / "a.png"), tmp_path)
        for folder in ("x", "y")
    ]
    assert [sheet.name for sheet in sheets] == ["a.png.jpg", "a.png-2.jpg"]
    assert read_image(sheets[1]).shape[2] == 3


def test_a_name_with_a_line_break_is_drawn(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainter = build_inpainter([[WHOLE]])
    assert draw_inpainting_sheet(inpainter, inpainted(inpainter, tmp_path / "a\nb.png")).any()
