import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from realface.core.artifact import ArtifactCard
from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import (
    ArtifactError,
    CropSpecError,
    DeviceError,
    MediaError,
    MissingInputError,
    ModelInputError,
)
from realface.detection import inpainting
from realface.detection.inpainting import Inpainter, Inpainting
from realface.faces.detectors.registry import build_face_detector, crop_spec_for, default_crop_spec
from realface.media.images import write_image
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae import MaskedAutoencoder

LEFT, RIGHT = Box(0, 0, 32, 32), Box(32, 0, 64, 32)
WHOLE = Box(0, 0, 64, 64)
SMALLEST = {"size": "tiny", "input_size": 40, "patch_size": 8}


def two_tone(path: Path, left: float = 0.2, right: float = 0.8) -> Path:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = round(left * 255), round(right * 255)
    write_image(path, image)
    return path


def saved(folder: Path, method: str, config: dict[str, object], crop: CropSpec | None = None) -> Path:
    chosen = get_method(method)
    checked = chosen.config_type.model_validate(config)
    card = ArtifactCard(
        method=method,
        config=checked.model_dump(mode="json"),
        input_size=checked.input_size,  # type: ignore[attr-defined]
        crop=crop or default_crop_spec(),
    )
    save_artifact(folder / "artifact", chosen.build_network(checked), card)
    return folder


def test_every_face_of_a_picture_is_cut_out_and_inpainted(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainted = build_inpainter([[LEFT, RIGHT]]).inpaint(two_tone(tmp_path / "a.png"))
    assert inpainted.kind == "image"
    assert [face.box for face in inpainted.faces] == [LEFT, RIGHT]
    assert [face.inpainted.error for face in inpainted.faces] == pytest.approx([51, 204], rel=1e-5)
    assert inpainted.mean_error == pytest.approx(127.5, rel=1e-5)


def test_a_person_keeps_the_number_through_a_video(video: Callable, build_inpainter: Callable) -> None:
    inpainted = build_inpainter([[LEFT, RIGHT], [RIGHT, LEFT], [], [RIGHT]]).inpaint(video(0.1, 0.4, 0.5, 0.8))
    assert [(face.index, face.track, face.box) for face in inpainted.faces] == [
        (0, 0, LEFT),
        (0, 1, RIGHT),
        (1, 0, LEFT),
        (1, 1, RIGHT),
        (3, 1, RIGHT),
    ]
    assert [face.time_s for face in inpainted.faces] == pytest.approx([0, 0, 0.04, 0.04, 0.12])
    assert inpainted.faces[-1].inpainted.error == pytest.approx(0.8 * 255, abs=3), (
        "the numbers are sorted with the faces"
    )


def test_frames_are_spread_over_a_video(video: Callable, build_inpainter: Callable) -> None:
    inpainted = build_inpainter([[WHOLE]] * 2, num_frames=2).inpaint(video(*[0.5] * 8))
    assert [face.index for face in inpainted.faces] == [2, 6]


def test_face_crops_are_inpainted_whole(tmp_path: Path, build_inpainter: Callable) -> None:
    (face,) = build_inpainter(None, block="all").inpaint(two_tone(tmp_path / "a.png", 0.4, 0.4)).faces
    assert (face.box, face.corner) == (WHOLE, None)
    assert face.inpainted.error == pytest.approx(102, rel=1e-5)


def test_drawn_blocks_depend_on_the_seed_and_the_files_name_alone(tmp_path: Path, build_inpainter: Callable) -> None:
    def corners(path: Path, **settings: object) -> list[object]:
        script = [[LEFT, RIGHT] * 3]
        return [face.corner for face in build_inpainter(script, **settings).inpaint(path).faces]

    first = two_tone(tmp_path / "a.png")
    (tmp_path / "elsewhere").mkdir()
    moved, other = Path(shutil.copy(first, tmp_path / "elsewhere")), two_tone(tmp_path / "b.png")
    assert corners(first) == corners(moved) == corners(first, batch_size=1)
    assert corners(first) != corners(other)
    assert corners(first) != corners(first, seed=1)
    assert len(set(corners(first))) > 1


def test_one_place_is_taken_for_every_face(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainted = build_inpainter([[LEFT, RIGHT]], block=(0, 5)).inpaint(two_tone(tmp_path / "a.png"))
    assert [face.corner for face in inpainted.faces] == [(0, 5), (0, 5)]


@pytest.mark.parametrize("block", [(6, 0), (0, 6), (-1, 2)])
def test_a_block_that_is_not_within_the_face_is_refused(build_inpainter: Callable, block: tuple[int, int]) -> None:
    text = rf"fits at row {block[0]}, column {block[1]}: .* 8 x 8 patches; give a row and a column from 0 to 5"
    with pytest.raises(ModelInputError, match=text):
        build_inpainter(None, block=block)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({}, [5]),
        ({"batch_size": 2}, [2, 2, 1]),
        ({"block": "all"}, [16, 4]),
        ({"block": "all", "batch_size": 8}, [8, 8, 4]),
        ({"block": "all", "mode": "fast", "batch_size": 64}, [20]),
    ],
)
def test_faces_of_a_file_are_inpainted_together(
    tmp_path: Path, build_inpainter: Callable, settings: dict[str, object], passes: list[int]
) -> None:
    inpainter = build_inpainter([[LEFT] * 5], **settings)
    inpainter.inpaint(two_tone(tmp_path / "a.png"))
    assert inpainter._mae.passes == passes


def test_faces_beyond_what_a_sheet_holds_are_left_out_and_counted(
    tmp_path: Path, build_inpainter: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpainting, "MOST_FACES", 3)
    inpainted = build_inpainter([[LEFT, RIGHT] * 2]).inpaint(two_tone(tmp_path / "a.png"))
    assert (len(inpainted.faces), inpainted.num_left_out) == (3, 1)
    assert "| faces: 3 of 4 |" in inpainted.line(tmp_path / "sheet.jpg")
    assert inpainted.to_json()["num_left_out"] == 1


def cut_animation(path: Path) -> Path:
    frames = [Image.effect_noise((64, 64), 90) for _ in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 5 // 8])
    return path


def test_frames_that_cannot_be_decoded_are_counted(tmp_path: Path, build_inpainter: Callable) -> None:
    inpainted = build_inpainter([[LEFT]] * 2).inpaint(cut_animation(tmp_path / "a.gif"))
    assert (inpainted.num_frames, inpainted.num_damaged) == (2, 1)
    assert inpainted.line(tmp_path / "sheet.jpg").endswith(" | 1 of 3 frames cannot be decoded")
    assert inpainted.to_json()["num_damaged"] == 1


def test_damaged_frames_are_named_if_no_face_is_found(tmp_path: Path, build_inpainter: Callable) -> None:
    with pytest.raises(MediaError, match=r"a\.gif: no face found; 1 of 3 frames cannot be decoded$"):
        build_inpainter([[]] * 2).inpaint(cut_animation(tmp_path / "a.gif"))


def test_a_file_without_a_face_is_refused(tmp_path: Path, build_inpainter: Callable) -> None:
    with pytest.raises(MediaError, match=r"a\.png: no face found") as caught:
        build_inpainter([[]]).inpaint(two_tone(tmp_path / "a.png"))
    assert caught.value.reason == "no face found"


def test_a_file_that_is_not_there_is_said(tmp_path: Path, build_inpainter: Callable) -> None:
    with pytest.raises(MissingInputError, match=r"gone\.png does not exist"):
        build_inpainter(None).inpaint(tmp_path / "gone.png")


def test_too_little_memory_is_said_with_what_to_do(tmp_path: Path, build_inpainter: Callable) -> None:
    class Full(MaskedAutoencoder):
        def embed(self, image: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    mae = Full(MaeConfig.model_validate(SMALLEST))
    with pytest.raises(DeviceError, match="cpu has too little memory for 1 faces at once; give a smaller --batch-size"):
        build_inpainter(None, mae=mae).inpaint(two_tone(tmp_path / "a.png"))


def test_an_mae_that_has_no_score_inpaints(tmp_path: Path) -> None:
    run = saved(tmp_path / "run", "rffr-mae", SMALLEST)
    inpainter = Inpainter.load(run, device="cpu", crops=True)
    assert len(inpainter.inpaint(two_tone(tmp_path / "a.png")).faces) == 1


def test_a_detector_inpaints_with_the_mae_in_it_and_its_own_residual(tmp_path: Path) -> None:
    residual = {"mode": "fast", "outer_ring": True}
    config = {"mae": SMALLEST, "branch": "vit_tiny_patch16_224", "residual": residual}
    inpainter = Inpainter.load(
        saved(tmp_path / "run", "rffr", config), device="cpu", crops=True, asked=Inpainting(block="all")
    )
    described = inpainter.describe()
    assert (described["method"], described["residual"], described["num_blocks"]) == ("rffr", "fast", 5)
    (face,) = inpainter.inpaint(two_tone(tmp_path / "a.png")).faces
    assert face.inpainted.difference[:8].any(), "the outer ring"


def test_an_artifact_without_an_mae_is_refused(tmp_path: Path) -> None:
    run = saved(tmp_path / "run", "recce", {"encoder": "light_xception", "input_size": 64})
    with pytest.raises(ArtifactError, match="artifact has no MAE; give an artifact of rffr-mae or rffr"):
        Inpainter.load(run, device="cpu", crops=True)


def test_an_mae_of_normalised_pixels_is_refused(tmp_path: Path) -> None:
    run = saved(tmp_path / "run", "rffr-mae", {**SMALLEST, "norm_pix": True})
    with pytest.raises(ModelInputError, match="trained with per-patch normalised targets"):
        Inpainter.load(run, device="cpu", crops=True)


def test_faces_are_found_with_the_artifacts_own_face_detector(tmp_path: Path) -> None:
    inpainter = Inpainter.load(saved(tmp_path / "run", "rffr-mae", SMALLEST), device="cpu")
    assert inpainter.faces.face_detector is not None
    assert inpainter.describe()["crop"]["face_detector"] == "mtcnn"


def test_an_artifact_of_a_files_face_detector_is_given_the_file(tmp_path: Path) -> None:
    (tmp_path / "ours.onnx").write_text("a network")
    yunet = build_face_detector("yunet", file=tmp_path / "ours.onnx")
    run = saved(tmp_path / "run", "rffr-mae", SMALLEST, crop_spec_for(yunet))
    assert Inpainter.load(run, device="cpu", face_detector=yunet).faces.face_detector is yunet
    with pytest.raises(CropSpecError, match="which comes as a file; give that file: --face-detector yunet=FILE"):
        Inpainter.load(run, device="cpu")


def test_an_mae_of_unknown_crops_needs_to_be_told_how_they_are_cut(tmp_path: Path) -> None:
    run = saved(tmp_path / "run", "rffr-mae", SMALLEST, CropSpec.unknown())
    with pytest.raises(CropSpecError, match="give --crops, or say with --crop SPEC"):
        Inpainter.load(run, device="cpu")
    told = Inpainter.load(run, device="cpu", crop=default_crop_spec(margin=0.7))
    assert told.faces.spec.margin == 0.7


def test_what_was_asked_stands_in_the_description_where_it_counts(build_inpainter: Callable) -> None:
    drawn, whole = build_inpainter(None, seed=3).describe(), build_inpainter(None, block="all").describe()
    assert (drawn["block"], drawn["seed"], drawn["residual"], drawn["num_blocks"]) == ("random", 3, None, 1)
    assert (whole["block"], whole["seed"], whole["residual"], whole["num_blocks"]) == ("all", None, "exact", 4)
    assert drawn["crop"] is None
