"""The dense face mesh on two public-domain portraits."""

from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data

from realface.core.boxes import Box
from realface.core.errors import FaceDetectorError
from realface.core.mesh_regions import FACE_OVAL, FIVE_POINTS, INNER_LIPS, LEFT_EYE, LIPS, NOSE, RIGHT_EYE
from realface.faces.mesh import FaceMesh
from realface.media.images import read_image

# box and five landmarks by MTCNN, an independent network
ASTRONAUT = (Box(181, 61, 269, 173), [(204, 101), (248, 104), (225, 129), (203, 140), (246, 142)])
HOPPER = (Box(170, 110, 354, 328), [(222, 192), (308, 188), (268, 238), (232, 277), (307, 273)])


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh.load()


def portrait(name):
    if name == "astronaut":
        return skimage.data.astronaut(), *ASTRONAUT
    return read_image(Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))), *HOPPER


def five_points(points):
    return np.array([points[list(indices), :2].mean(axis=0) for indices in FIVE_POINTS])


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_mesh_agrees_with_another_networks_five_landmarks(mesh, name):
    image, box, expected = portrait(name)
    found = mesh.landmarks(image, box)
    assert found.points.shape == (468, 3)
    assert found.points.dtype == np.float32
    assert found.presence > 0.9
    distance = np.linalg.norm(five_points(found.points) - expected, axis=1)
    assert distance.max() < 0.06 * box.width


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_mesh_of_a_face_crop_needs_no_box(mesh, name, margin):
    image, box, expected = portrait(name)
    x0, y0, x1, y1 = (round(value) for value in box.squared(margin))
    x0, y0 = max(0, x0), max(0, y0)
    crop = cv2.resize(image[y0:y1, x0:x1], (224, 224), interpolation=cv2.INTER_AREA)
    scale = np.array([crop.shape[1] / (x1 - x0), crop.shape[0] / (y1 - y0)])
    found = mesh.landmarks(crop)
    assert found.has_face
    distance = np.linalg.norm(five_points(found.points) / scale + (x0, y0) - expected, axis=1)
    assert distance.max() < 0.08 * box.width


def test_mesh_follows_a_tilted_head(mesh):
    image, box, expected = portrait("astronaut")
    turn = cv2.getRotationMatrix2D(box.center, 35, 1.0)
    turned = cv2.warpAffine(image, turn, image.shape[1::-1])
    where = np.array(expected) @ turn[:, :2].T + turn[:, 2]
    distance = np.linalg.norm(five_points(mesh.landmarks(turned, box).points) - where, axis=1)
    assert distance.max() < 0.08 * box.width


def test_mesh_of_a_large_image_equals_that_of_a_small_one(mesh):
    image, box, _ = portrait("astronaut")
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    small, big = mesh.landmarks(image, box).points, mesh.landmarks(large, box.scaled(4)).points
    assert np.abs(big / 4 - small).max() < 0.04 * box.width


def test_image_without_a_face_has_low_presence(mesh):
    assert not mesh.landmarks(np.full((224, 224, 3), 128, dtype=np.uint8)).has_face


def test_mesh_leaves_its_image_unchanged(mesh):
    image, box, _ = portrait("astronaut")
    before = image.copy()
    mesh.landmarks(image, box)
    assert np.array_equal(image, before)


def test_regions_are_polygons_inside_the_face_oval(mesh):
    image, box, _ = portrait("hopper")
    points = mesh.landmarks(image, box).points[:, :2]
    oval = points[list(FACE_OVAL)]
    for region in (LIPS, INNER_LIPS, LEFT_EYE, RIGHT_EYE, NOSE):
        assert len(set(region)) == len(region)
        assert all(cv2.pointPolygonTest(oval, tuple(map(float, points[index])), False) > 0 for index in region)
        assert cv2.contourArea(points[list(region)]) > 0
    assert cv2.contourArea(points[list(INNER_LIPS)]) < cv2.contourArea(points[list(LIPS)])


def test_a_missing_network_file_names_the_file_and_the_cure(tmp_path):
    with pytest.raises(FaceDetectorError, match=r"mesh\.tflite is missing; install realface again"):
        FaceMesh.load(tmp_path / "mesh.tflite")


def test_a_changed_network_file_is_refused(tmp_path):
    (tmp_path / "mesh.tflite").write_bytes(b"TFL3")
    with pytest.raises(FaceDetectorError, match=r"mesh\.tflite has another SHA-256 than the shipped one"):
        FaceMesh.load(tmp_path / "mesh.tflite")
