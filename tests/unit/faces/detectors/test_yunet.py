import cv2
import numpy as np
import pytest

from realface.core.errors import FaceDetectorError
from realface.faces.detectors.yunet import YunetDetector

COLUMNS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
BLACK = np.zeros((64, 64, 3), dtype=np.uint8)


def answers(faces, *, height=64, width=64):
    """Outputs in which cells are faces: {(stride, number): (class score, object score, place, points)}."""
    outputs = {}
    for position, (kind, columns) in enumerate(COLUMNS.items()):
        for stride in (8, 16, 32):
            values = np.zeros((1, (height // stride) * (width // stride), columns))
            for (at, number), numbers in faces.items():
                if at == stride:
                    values[0, number] = numbers[position]
            outputs[f"{kind}_{stride}"] = values
    return outputs


@pytest.mark.parametrize(
    ("stride", "number", "cell"),
    [(8, 19, (3, 2)), (16, 6, (2, 1)), (32, 2, (0, 1))],  # row times columns plus column
)
def test_a_face_of_each_stride_lies_where_it_should(write_network, stride, number, cell):
    # middle half a cell right and a quarter down; 3 cells wide and 4 high
    place, points = [0.5, 0.25, np.log(3), np.log(4)], [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1.5]
    file = write_network(answers({(stride, number): (0.9, 1.0, place, points)}))
    ((face,),) = YunetDetector(file).detect([BLACK])
    x, y = cell[0] * stride, cell[1] * stride
    assert face.box == pytest.approx(
        (x - stride, y - 1.75 * stride, x + 2 * stride, y + 2.25 * stride), rel=1e-5, abs=1e-3
    )
    assert face.score == pytest.approx(np.sqrt(0.9))
    assert face.landmarks.tolist() == [
        [x, y],
        [x + stride, y],
        [x + 0.5 * stride, y + 0.5 * stride],
        [x, y + stride],
        [x + stride, y + 1.5 * stride],
    ]


def test_of_overlapping_faces_the_surest_is_kept_and_unsure_ones_are_left_out(write_network):
    place, points = [0.5, 0.5, np.log(2), np.log(2)], [0] * 10
    faces = {
        (8, 19): (0.95, 0.95, place, points),
        (8, 20): (0.99, 0.99, [-0.4, 0.5, np.log(2), np.log(2)], points),
        (8, 60): (0.92, 0.92, place, points),
        (8, 0): (0.89, 0.89, place, points),
    }
    ((first, second),) = YunetDetector(write_network(answers(faces))).detect([BLACK])
    assert (first.score, second.score) == (pytest.approx(0.99), pytest.approx(0.92))
    assert first.box == pytest.approx((4 * 8 - 3.2 - 8, 12, 4 * 8 - 3.2 + 8, 28), abs=1e-3)


def test_a_larger_picture_is_shrunk_to_480_pixels_and_its_faces_are_in_its_own(write_network):
    # 400 x 960 pixels, shrunk to 200 x 480 and filled up to 224 x 480
    file = write_network(
        answers({(16, 5): (1.0, 1.0, [0.5, 0.5, 0, 0], [1] * 10)}, height=224, width=480), shape=(1, 3, 224, 480)
    )
    ((face,),) = YunetDetector(file).detect([np.zeros((400, 960, 3), np.uint8)])
    assert face.box == pytest.approx((160, 0, 192, 32))
    assert face.landmarks[0] == pytest.approx((192, 32))


def test_a_picture_without_a_face_has_none(write_network):
    assert YunetDetector(write_network(answers({}))).detect([BLACK, BLACK]) == [[], []]


def test_other_outputs_are_refused_with_those_expected_and_found(write_network):
    file = write_network({"loc": np.zeros((1, 168, 4))})
    with pytest.raises(
        FaceDetectorError,
        match=r"network\.onnx does not answer as YuNet does: expected cls_8 \(1, 64, 1\), .*kps_32 \(1, 4, 10\) for "
        r"64 x 64 pixels, found loc \(1, 168, 4\); give YuNet's ONNX file",
    ):
        YunetDetector(file).detect([BLACK])


def test_a_network_whose_answers_do_not_grow_with_the_picture_is_refused(write_network):
    face_detector = YunetDetector(write_network(answers({}), name="fixed.onnx"))
    assert face_detector.detect([BLACK]) == [[]]
    with pytest.raises(
        FaceDetectorError, match=r"expected cls_8 \(1, 128, 1\).* for 128 x 64 pixels, found cls_8 \(1, 64, 1\)"
    ):
        face_detector.detect([np.zeros((64, 128, 3), np.uint8)])


def test_a_network_that_fails_is_an_error_of_the_file(write_network):
    file = write_network(answers({}), shape=(1, 3, 64, "width"), only_width=48)
    with pytest.raises(
        FaceDetectorError, match=r"network\.onnx fails on a picture of 64 x 64 pixels \(OpenCV.*\); give YuNet"
    ):
        YunetDetector(file).detect([BLACK])


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "notes.onnx").write_text("no network")
    with pytest.raises(
        FaceDetectorError, match=r"notes\.onnx is not an ONNX network that can be loaded \(OpenCV.*\); give YuNet"
    ):
        YunetDetector(tmp_path / "notes.onnx").detect([BLACK])
    with pytest.raises(FaceDetectorError, match=r"missing\.onnx does not exist, or is a folder; check the path"):
        YunetDetector(tmp_path / "missing.onnx").detect([BLACK])


def test_opencvs_log_level_is_what_it_was(write_network):
    before = cv2.utils.logging.getLogLevel()
    YunetDetector(write_network(answers({}))).detect([BLACK])
    assert cv2.utils.logging.getLogLevel() == before


def test_the_version_is_the_files_hash_and_the_settings(write_network):
    version = YunetDetector(write_network(answers({}))).version
    assert version.startswith("file ")
    assert version.endswith(", score from 0.9, overlap to 0.3, side to 480")
