import pytest
import torch

from realface.core.errors import MediaError
from realface.training.checkpoint import CheckpointFolder
from realface.training.plan import plan_run
from realface.training.processes import Processes
from realface.training.validation import Validator


class SentError(Exception):
    """Ends a process once it has sent its part."""


@pytest.fixture
def make_validator(make_recipe, write_faces, tmp_path):
    """(rank, size, gather) of a process -> its validator, of a method that learns from real faces alone."""
    manifest = write_faces()

    def make(rank=0, size=1, gather=lambda value: [value]):
        recipe = make_recipe(
            data={"manifests": [manifest], "val": {"filters": {"split": "val"}, "batch_size": 1}},
            method={"name": "tiny-reals"},
        )
        processes = Processes()
        processes.rank, processes.size, processes.gather = rank, size, gather
        return Validator(
            plan=plan_run(recipe, tmp_path / "run"),
            checkpoints=CheckpointFolder(tmp_path, keep=1),
            processes=processes,
            device=torch.device("cpu"),
        )

    return make


def test_two_processes_share_the_faces_and_find_the_error_of_one(make_validator, tiny_reals_method):
    network = tiny_reals_method.build_network(tiny_reals_method.config_type())
    parts = []

    def send(part):
        parts.append(part)
        raise SentError

    for rank in range(2):
        with pytest.raises(SentError):
            make_validator(rank, 2, send)._measured(network)
    assert [rows for rows, *_ in parts] == [[0, 2], [1, 3]]
    together, _ = make_validator(1, 2, lambda _: parts)._measured(network)
    alone, _ = make_validator()._measured(network)
    assert together == alone


def test_face_that_cannot_be_read_is_named(make_validator, tiny_reals_method):
    validator = make_validator()
    validator.plan.data.val.file_of(2).write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"row 3 of the manifest: .*val-2-0\.png"):
        validator._measured(tiny_reals_method.build_network(tiny_reals_method.config_type()))
