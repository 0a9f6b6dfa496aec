import sys

import numpy as np
import pytest
from onnx import TensorProto

from realface.core.errors import FaceDetectorError
from realface.faces.detectors.onnx_network import OnnxNetwork, fitted

PICTURE = np.zeros((1, 3, 64, 64), np.float32)


def network(file):
    return OnnxNetwork(file, kind="SCRFD", device="cpu", threads=1)


def test_outputs_come_with_their_names(write_network):
    outputs = network(write_network({"a": np.ones((1, 2)), "b": np.full((3,), 7.0)})).run(PICTURE)
    assert [(name, value.tolist()) for name, value in outputs] == [("a", [[1.0, 1.0]]), ("b", [7.0, 7.0, 7.0])]


def test_the_size_of_the_input_is_known_where_it_is_fixed(write_network):
    assert network(write_network({"a": np.ones(1)}, shape=(1, 3, 48, 64))).size == (48, 64)
    assert network(write_network({"a": np.ones(1)}, shape=("batch", 3, "height", "width"))).size is None


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "notes.onnx").write_text("no network")
    with pytest.raises(
        FaceDetectorError,
        match=r"notes\.onnx is not an ONNX network that can be loaded \(.*\); give SCRFD as an ONNX file",
    ):
        network(tmp_path / "notes.onnx").run(PICTURE)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"shape": (1, 64, 64, 3)}, r"input \[1, 64, 64, 3\] tensor\(float\)"),
        ({"shape": (8, 3, 64, 64)}, r"input \[8, 3, 64, 64\] tensor\(float\)"),
        ({"shape": (1, 3)}, r"input \[1, 3\] tensor\(float\)"),
        ({"kind": TensorProto.UINT8}, r"input \[1, 3, 64, 64\] tensor\(uint8\)"),
    ],
)
def test_a_network_of_another_input_is_refused(write_network, changes, found):
    expected = (
        r"does not take a picture as SCRFD does: expected one input \(1, 3, height, width\) tensor\(float\), found "
    )
    with pytest.raises(FaceDetectorError, match=f"{expected}{found}; export it so"):
        network(write_network({"a": np.ones(1)}, **changes)).run(PICTURE)


def test_a_network_that_fails_is_an_error_of_the_file(write_network):
    file = write_network({"a": np.ones(1)}, shape=(1, 3, "height", "width"), only_width=48)
    with pytest.raises(
        FaceDetectorError,
        match=r"network\.onnx fails on a picture of 64 x 64 pixels \(.*\); export it again, with a fixed input",
    ):
        network(file).run(PICTURE)


def test_without_onnxruntime_the_error_says_what_to_install(monkeypatch, write_network):
    file = write_network({"a": np.ones(1)})
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        FaceDetectorError,
        match=r'the face detector SCRFD needs onnxruntime; install it: pip install "realface\[onnx\]"',
    ):
        network(file).run(PICTURE)


def test_an_unknown_gpu_is_no_reason_to_fail(write_network):
    face_detector = OnnxNetwork(write_network({"a": np.ones(1)}), kind="SCRFD", device="cuda:0", threads=1)
    assert face_detector.run(PICTURE)[0][0] == "a"


# Fitting pictures


def test_a_picture_that_fits_is_only_filled_up():
    image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    given = fitted(image, fill=(1, 2, 3), size=None, longest_side=640)
    assert given.picture.shape == (64, 64, 3)
    assert np.array_equal(given.picture[:50, :40], image)
    assert (given.picture[50:] == (1, 2, 3)).all()
    assert (given.picture[:, 40:] == (1, 2, 3)).all()
    assert given.scale == (1.0, 1.0)


def test_a_large_picture_is_shrunk_by_averaging_and_keeps_its_aspect():
    stripes = np.zeros((300, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    given = fitted(stripes, fill=(0, 0, 0), size=(100, 100), longest_side=640)
    assert given.picture.shape == (100, 100, 3)
    assert (given.picture[:75] == 100).all()
    assert (given.picture[75:] == 0).all()
    assert given.scale == (0.25, 0.25)


def test_the_scale_is_that_of_the_whole_pixels_that_came_of_it():
    given = fitted(np.zeros((333, 1000, 3), np.uint8), fill=(0, 0, 0), size=None, longest_side=100)
    assert given.picture.shape == (64, 128, 3)
    assert given.scale == (0.1, 33 / 333)


def test_a_very_long_picture_keeps_one_pixel():
    given = fitted(np.full((1, 5000, 3), 9, np.uint8), fill=(0, 0, 0), size=None, longest_side=100)
    assert (given.picture[0, :100] == 9).all()
    assert given.scale == (0.02, 1.0)
