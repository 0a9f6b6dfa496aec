import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, FaceDetectorError
from realface.faces.cropper import crop_face
from realface.faces.detectors.onnx_network import OnnxNetwork
from realface.faces.detectors.scrfd import ScrfdDetector

COUNTS = {8: 128, 16: 32, 32: 8}  # of 64 x 64 pixels: two anchors in each of 8 x 8, 4 x 4 and 2 x 2 cells
BLACK = np.zeros((64, 64, 3), dtype=np.uint8)
POINTS = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1.5]


def answers(faces, *, counts=COUNTS, batched=False, with_points=True):
    """Outputs in which the anchors of those strides and numbers are faces: {(stride, number): (score, distances)}."""
    outputs = {}
    for kind, columns in (("score", 1), ("bbox", 4), ("kps", 10)):
        for stride, count in counts.items():
            values = np.zeros((count, columns))
            for (at, number), (score, distances) in faces.items():
                if at == stride:
                    values[number] = {"score": score, "bbox": distances, "kps": POINTS}[kind]
            if with_points or kind != "kps":
                outputs[f"{kind}_{stride}"] = values[None] if batched else values
    return outputs


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(
    ("stride", "number", "anchor"),
    [
        (8, 38, (24, 16)),  # row 2, column 3, first anchor: (2 * 8 + 3) * 2
        (8, 39, (24, 16)),  # the second anchor, at the same place
        (16, 12, (32, 16)),  # row 1, column 2: (1 * 4 + 2) * 2
        (16, 13, (32, 16)),
        (32, 4, (0, 32)),  # row 1, column 0
        (32, 5, (0, 32)),
    ],
)
def test_a_face_of_each_stride_and_anchor_lies_where_it_should(write_network, stride, number, anchor, batched):
    file = write_network(answers({(stride, number): (0.75, (1, 0.5, 2, 3))}, batched=batched))
    ((face,),) = ScrfdDetector(file).detect([BLACK])
    x, y = anchor
    assert face.box == pytest.approx((x - stride, y - 0.5 * stride, x + 2 * stride, y + 3 * stride))
    assert face.score == pytest.approx(0.75)
    assert face.landmarks.tolist() == [
        [x, y],
        [x + stride, y],
        [x + 0.5 * stride, y + 0.5 * stride],
        [x, y + stride],
        [x + stride, y + 1.5 * stride],
    ]


def test_outputs_are_told_by_their_shapes_whatever_their_names_and_order(write_network):
    made = list(answers({(16, 12): (0.75, (1, 1, 1, 1))}).values())
    file = write_network({f"out{number}": value for number, value in enumerate(reversed(made))})
    ((face,),) = ScrfdDetector(file).detect([BLACK])
    assert face.box == pytest.approx((16, 0, 48, 32))


def test_a_network_without_points_finds_faces_that_cannot_be_aligned(write_network):
    file = write_network(answers({(16, 12): (0.75, (1, 1, 1, 1))}, with_points=False))
    ((face,),) = ScrfdDetector(file).detect([BLACK])
    assert np.isnan(face.landmarks).all()
    assert crop_face(BLACK, face, CropSpec(size=16)).shape == (16, 16, 3)
    with pytest.raises(CropSpecError, match="needs five landmarks"):
        crop_face(BLACK, face, CropSpec(size=16, alignment="five-point"))


def test_of_overlapping_faces_the_surest_is_kept_and_unsure_ones_are_left_out(write_network):
    faces = {
        (8, 38): (0.6, (1, 1, 1, 1)),  # 16 to 32, 8 to 24
        (8, 39): (0.9, (1, 1, 1, 1.2)),  # nearly the same
        (16, 12): (0.7, (0, 0, 1, 1)),  # 32 to 48 touches it
        (32, 0): (0.49, (0, 0, 1, 1)),
        (32, 1): (0.99, (0, 0, -1, 1)),  # no area
    }
    ((first, second),) = ScrfdDetector(write_network(answers(faces))).detect([BLACK])
    assert (first.score, second.score) == (pytest.approx(0.9), pytest.approx(0.7))
    assert first.box == pytest.approx((16, 8, 32, 25.6))


def test_a_picture_is_fitted_into_a_fixed_input_and_its_faces_are_in_its_own_pixels(write_network):
    file = write_network(answers({(16, 12): (0.75, (1, 1, 1, 1))}))
    ((face,),) = ScrfdDetector(file).detect([np.zeros((160, 256, 3), np.uint8)])  # shrunk to 40 x 64
    assert face.box == pytest.approx((64, 0, 192, 128))


def test_a_network_of_any_size_is_given_at_most_640_pixels_filled_up_to_multiples_of_32(write_network):
    counts = {8: 2 * 8 * 80, 16: 2 * 4 * 40, 32: 2 * 2 * 20}  # 100 x 1280, shrunk to 50 x 640, filled up to 64 x 640
    file = write_network(
        answers({(16, 2 * (40 + 5)): (0.75, (1, 1, 1, 1))}, counts=counts), shape=(1, 3, "height", "width")
    )
    ((face,),) = ScrfdDetector(file).detect([np.zeros((100, 1280, 3), np.uint8)])
    assert face.box == pytest.approx((128, 0, 192, 64))  # anchor (80, 16), 16 to each side; twice that


def test_the_network_sees_rgb_from_minus_1_to_1_and_black_beyond_the_picture(monkeypatch, write_network):
    seen = []
    real_run = OnnxNetwork.run
    monkeypatch.setattr(OnnxNetwork, "run", lambda self, image: seen.append(image) or real_run(self, image))
    ScrfdDetector(write_network(answers({}))).detect([np.full((40, 64, 3), (255, 150, 0), np.uint8)])
    assert seen[0][0, :, 39, 63].tolist() == [127.5 / 128, 22.5 / 128, -127.5 / 128]
    assert (seen[0][0, :, 40:] == -127.5 / 128).all()


def test_other_outputs_are_refused_with_those_expected_and_found(write_network):
    file = write_network({"loc": np.zeros((1, 168, 4)), "conf": np.zeros((1, 168, 2))})
    with pytest.raises(
        FaceDetectorError,
        match=r"not answer as SCRFD does: expected \(128, 1\), \(32, 1\), \(8, 1\), \(128, 4\), \(32, 4\), \(8, 4\) "
        r"for 64 x 64 pixels, with or without three of \(N, 10\), found loc \(1, 168, 4\), conf \(1, 168, 2\)",
    ):
        ScrfdDetector(file).detect([BLACK])


def test_nine_outputs_of_other_counts_are_refused(write_network):
    file = write_network(answers({}, counts={8: 64, 16: 16, 32: 4}))  # one anchor in each cell
    with pytest.raises(
        FaceDetectorError, match=r"expected \(128, 1\).*\(8, 10\) for 64 x 64 pixels, found score_8 \(64, 1\)"
    ):
        ScrfdDetector(file).detect([BLACK])


@pytest.mark.parametrize("score", [1.5, -0.1, np.nan])
def test_scores_that_are_no_probabilities_are_refused(write_network, score):
    file = write_network(answers({(8, 3): (score, (1, 1, 1, 1))}))
    with pytest.raises(
        FaceDetectorError, match=r"gives scores from .* to .* but SCRFD's lie in \[0, 1\]; export it with its"
    ):
        ScrfdDetector(file).detect([BLACK])


def test_the_version_is_the_files_hash_and_the_settings(write_network):
    version = ScrfdDetector(write_network(answers({}))).version
    assert version.startswith("file ")
    assert version.endswith(", score from 0.5, overlap to 0.4, side to 640")
