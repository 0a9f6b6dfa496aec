import pickle

import numpy as np
import pytest

from realface.core.errors import FaceDetectorError
from realface.faces.detectors.onnx_network import OnnxNetwork
from realface.faces.detectors.retinaface import RetinaFaceDetector, face_probability, priors

NUM_PRIORS = 168  # of 64 x 64 pixels: 2 each of 8 x 8, 4 x 4 and 2 x 2 cells
DOUBLED, HALVED = 5 * np.log(2), -5 * np.log(2)  # of a size: 0.2 times it is the logarithm of the ratio
BLACK = np.zeros((64, 64, 3), dtype=np.uint8)


def answers(faces, *, number=NUM_PRIORS, logits=False):
    """Outputs in which the priors of those numbers are faces: {number: (place, score, points)}."""
    places, scores, points = np.zeros((1, number, 4)), np.zeros((1, number, 2)), np.zeros((1, number, 10))
    scores[..., 0] = 1.0
    for prior, (place, score, offsets) in faces.items():
        places[0, prior], scores[0, prior], points[0, prior] = place, (1 - score, score), offsets
    if logits:
        scores = np.log(np.maximum(scores, 1e-6)) + 3.0
    return {"loc": places, "conf": scores, "landms": points}


@pytest.mark.parametrize(
    ("prior", "center", "side"),
    [
        (38, (28, 20), 16),  # stride 8, row 2, column 3: (2 * 8 + 3) * 2
        (39, (28, 20), 32),
        (140, (40, 24), 64),  # stride 16, row 1, column 2: 128 + (1 * 4 + 2) * 2
        (141, (40, 24), 128),
        (164, (16, 48), 256),  # stride 32, row 1, column 0: 160 + (1 * 2 + 0) * 2
        (165, (16, 48), 512),
    ],
)
def test_a_face_of_each_stride_and_size_lies_where_it_should(write_network, prior, center, side):
    points = [-1, -1, 1, -1, 0, 0, -1, 1, 1, 2]
    file = write_network(answers({prior: ((1, -2, DOUBLED, HALVED), 0.9, points)}))
    ((face,),) = RetinaFaceDetector(file).detect([BLACK])
    x, y = center[0] + 0.1 * side, center[1] - 0.2 * side
    assert face.box == pytest.approx((x - side, y - side / 4, x + side, y + side / 4), rel=1e-4, abs=1e-3)
    assert face.score == pytest.approx(0.9)
    assert face.landmarks[0] == pytest.approx((center[0] - 0.1 * side, center[1] - 0.1 * side), abs=1e-3)
    assert face.landmarks[4] == pytest.approx((center[0] + 0.1 * side, center[1] + 0.2 * side), abs=1e-3)


def test_the_priors_of_one_picture_in_numbers():
    starts = priors(64, 64)
    assert starts.shape == (NUM_PRIORS, 3)
    assert starts[:3].tolist() == [[4, 4, 16], [4, 4, 32], [12, 4, 16]]
    assert starts[-1].tolist() == [48, 48, 512]
    assert len(priors(50, 40)) == 2 * (7 * 5 + 4 * 3 + 2 * 2)  # sides that are no multiples are rounded up


def test_outputs_are_told_by_their_shapes_whatever_their_names_and_order(write_network):
    made = answers({38: ((0, 0, 0, 0), 0.8, [0] * 10)})
    file = write_network({"586": made["landms"], "output0": made["loc"], "585": made["conf"]})
    ((face,),) = RetinaFaceDetector(file).detect([BLACK])
    assert face.box == pytest.approx((20, 12, 36, 28))


def test_logits_and_probabilities_give_the_same_score(write_network):
    faces = {38: ((0, 0, 0, 0), 0.8, [0] * 10)}
    ((face,),) = RetinaFaceDetector(write_network(answers(faces, logits=True))).detect([BLACK])
    assert face.score == pytest.approx(0.8, abs=1e-5)
    assert face_probability(np.float32([[0, 0], [0, np.log(9)], [1e4, 0]])) == pytest.approx([0.5, 0.9, 0.0])
    assert face_probability(np.float32([[0.5, 0.5], [0.1, 0.9]])) == pytest.approx([0.5, 0.9])


def test_of_overlapping_faces_the_surest_is_kept_and_unsure_ones_are_left_out(write_network):
    faces = {
        38: ((0, 0, 0, 0), 0.8, [0] * 10),  # 20 to 36
        54: ((0, -3, 0, 0), 0.95, [0] * 10),  # row 3, column 3, moved up by 4.8: overlaps it by 12.8 of 19.2 pixels
        40: ((1, 0, 0, 0), 0.7, [0] * 10),  # row 2, column 4: 29.6 to 45.6 overlaps by 6.4 of 25.6
        2: ((0, 0, 0, 0), 0.59, [0] * 10),
    }
    ((first, second),) = RetinaFaceDetector(write_network(answers(faces))).detect([BLACK])
    assert (first.score, second.score) == (pytest.approx(0.95), pytest.approx(0.7))
    assert first.box == pytest.approx((20, 15.2, 36, 31.2), abs=1e-4)


def test_a_picture_without_a_face_has_none(write_network):
    assert RetinaFaceDetector(write_network(answers({}))).detect([BLACK, BLACK]) == [[], []]
    assert RetinaFaceDetector(write_network(answers({}))).detect([]) == []


def test_infinite_boxes_and_scores_that_are_no_number_are_left_out(write_network):
    faces = {38: ((0, 0, 1e6, 0), 0.9, [0] * 10), 40: ((0, 0, 0, 0), np.nan, [0] * 10)}
    assert RetinaFaceDetector(write_network(answers(faces))).detect([BLACK]) == [[]]


def test_a_picture_is_fitted_into_a_fixed_input_and_its_faces_are_in_its_own_pixels(write_network):
    file = write_network(answers({38: ((0, 0, 0, 0), 0.8, [0] * 10)}))
    ((face,),) = RetinaFaceDetector(file).detect([np.zeros((128, 96, 3), np.uint8)])  # shrunk to 64 x 48
    assert face.box == pytest.approx((40, 24, 72, 56))
    assert face.landmarks[0] == pytest.approx((56, 40))


def test_a_network_of_any_size_is_given_at_most_640_pixels_filled_up_to_multiples_of_32(write_network):
    # 100 x 1280 pixels, shrunk to 50 x 640 and filled up to 64 x 640: 2 each of 8 x 80, 4 x 40 and 2 x 20 cells
    made = answers({2 * (80 + 10): ((0, 0, 0, 0), 0.8, [0] * 10)}, number=1680)
    file = write_network(made, shape=(1, 3, "height", "width"))
    ((face,),) = RetinaFaceDetector(file).detect([np.zeros((100, 1280, 3), np.uint8)])
    assert face.box == pytest.approx((152, 8, 184, 40))  # row 1, column 10: center (84, 12), side 16; twice that


def test_the_network_sees_bgr_minus_the_mean_and_nothing_beyond_the_picture(monkeypatch, write_network):
    seen = []
    real_run = OnnxNetwork.run
    monkeypatch.setattr(OnnxNetwork, "run", lambda self, image: seen.append(image) or real_run(self, image))
    RetinaFaceDetector(write_network(answers({}))).detect([np.full((40, 64, 3), (200, 150, 110), np.uint8)])
    assert seen[0].shape == (1, 3, 64, 64)
    assert seen[0][0, :, 39, 63].tolist() == [110 - 104, 150 - 117, 200 - 123]
    assert (seen[0][0, :, 40:] == 0).all()


def test_other_outputs_are_refused_with_those_expected_and_found(write_network):
    made = answers({})
    file = write_network({"loc": made["loc"], "conf": made["conf"][:, :100]})
    with pytest.raises(
        FaceDetectorError,
        match=r"network\.onnx does not answer as RetinaFace does: expected \(1, 168, 4\), \(1, 168, 2\) and "
        r"\(1, 168, 10\) for 64 x 64 pixels, found loc \(1, 168, 4\), conf \(1, 100, 2\); give an ONNX export",
    ):
        RetinaFaceDetector(file).detect([BLACK])


def test_the_version_is_the_files_hash_and_the_settings(write_network):
    first, second = write_network(answers({}), name="a.onnx"), write_network(answers({2: ([0] * 4, 0.9, [0] * 10)}))
    version = RetinaFaceDetector(first).version
    assert version.startswith("file ")
    assert version.endswith(", score from 0.6, overlap to 0.4, side to 640")
    assert len(version.split(",")[0]) == len("file ") + 16
    assert RetinaFaceDetector(second).version != version


def test_nothing_is_read_before_it_is_needed(tmp_path):
    face_detector = RetinaFaceDetector(tmp_path / "missing.onnx")
    assert pickle.loads(pickle.dumps(face_detector)).name == "retinaface"
    with pytest.raises(
        FaceDetectorError, match=r"the face detector's file .*missing\.onnx does not exist, or is a folder"
    ):
        _ = face_detector.version
    with pytest.raises(FaceDetectorError, match="check the path"):
        face_detector.detect([BLACK])
