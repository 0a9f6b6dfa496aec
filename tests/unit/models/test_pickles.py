import os
import pickle
import re
import types
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.serialization import add_safe_globals, get_safe_globals, safe_globals

from realface.core.errors import ArtifactError, MissingInputError
from realface.models.pickles import read_pickle

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
SCALAR = np.float64(0).__reduce__()[0]


def pickle_module(scalar_home: str) -> types.SimpleNamespace:
    """Pickles NumPy's numbers under the module that NumPy had them in when a file was written."""

    class Pickler(pickle._Pickler):
        def save_global(self, obj, name=None):
            if obj is SCALAR:
                self.write(f"c{scalar_home}\nscalar\n".encode())
                self.memoize(obj)
            else:
                super().save_global(obj, name)

    return types.SimpleNamespace(Pickler=Pickler, dump=pickle.dump, __name__="pickle_of_its_time")


def saved(path: Path, content: object, *, zipped: bool = True, scalar_home: str = "numpy._core.multiarray") -> Path:
    module = pickle_module(scalar_home)
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_module=module)
    return path


class Executed:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@FORMATS
@pytest.mark.parametrize("home", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numbers_of_numpy_are_read_wherever_numpy_had_them(tmp_path, zipped, home):
    content = {
        "auc": np.float64(0.987654321),
        "step": np.int64(90000),
        "better": np.bool_(True),
        "half": np.float16(0.5),
    }
    path = saved(tmp_path / "a.bin", content, zipped=zipped, scalar_home=home)
    assert f"{home}\nscalar".encode() in path.read_bytes()
    read = read_pickle(path)
    assert read == {"auc": 0.987654321, "step": 90000, "better": True, "half": 0.5}
    assert [type(value) for value in read.values()] == [float, int, bool, float]


def test_a_number_in_the_other_byte_order_keeps_its_value(tmp_path):
    class BigEndian:
        def __reduce__(self):
            return SCALAR, (np.dtype(">f8"), np.array(0.25, ">f8").tobytes())

    assert read_pickle(saved(tmp_path / "a.bin", [BigEndian()])) == [0.25]


@FORMATS
def test_what_optimisers_and_schedules_leave_is_read(tmp_path, zipped):
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.Adam([weight])
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2, 4])
    weight.sum().backward()
    optimiser.step()
    content = {"optimizer": optimiser.state_dict(), "scheduler": schedule.state_dict(), "model": OrderedDict(a=weight)}
    read = read_pickle(saved(tmp_path / "a.bin", content, zipped=zipped))
    assert torch.equal(read["model"]["a"], weight)
    assert read["scheduler"]["milestones"] == Counter([2, 4])


@FORMATS
@pytest.mark.parametrize(
    ("evil", "name"),
    [
        (Executed(os.system, "echo executed"), f"{os.system.__module__}.system"),
        (Executed(eval, "print('executed')"), "eval"),
        (np.zeros(2), "numpy._core.multiarray._reconstruct"),
    ],
    ids=["os.system", "eval", "an array of NumPy's"],
)
def test_a_file_that_wants_more_is_refused_with_what_it_wants(tmp_path, capfd, zipped, evil, name):
    path = saved(tmp_path / "a.bin", {"model": {"a": torch.zeros(1)}, "extra": evil}, zipped=zipped)
    expected = rf"a.bin was not read, because reading it would execute {re.escape(name)}; if you trust its author"
    with pytest.raises(ArtifactError, match=expected):
        read_pickle(path)
    assert "executed" not in capfd.readouterr().out


class OddByteOrder:
    def __reduce__(self):
        return np.dtype, ("f8", False, True), (3, "(2,)", None, None, None, -1, -1, 0)


class OddNumber:
    def __reduce__(self):
        return SCALAR, (OddByteOrder(), bytes(16))


@pytest.mark.parametrize(
    ("odd", "kind"), [(np.datetime64("2022-06-19"), "<M8"), (OddNumber(), "(2,)f8")], ids=["a date", "two numbers"]
)
def test_what_is_no_number_of_numpys_is_refused(tmp_path, odd, kind):
    path = saved(tmp_path / "a.bin", [odd])
    with pytest.raises(ArtifactError, match=re.escape(f"NumPy's type {kind} is no number that is read")):
        read_pickle(path)


def test_torchs_list_of_what_is_safe_is_as_it_was(tmp_path):
    path = saved(tmp_path / "a.bin", [np.float64(1)])
    with safe_globals([np.dtype, Executed]):
        before = set(get_safe_globals())
        read_pickle(path)
        assert set(get_safe_globals()) == before
        (tmp_path / "b.bin").write_bytes(b"no pickle")
        with pytest.raises(ArtifactError):
            read_pickle(tmp_path / "b.bin")
        assert set(get_safe_globals()) == before


def test_what_others_have_called_safe_is_not_executed_either(tmp_path, capfd):
    path = saved(tmp_path / "a.bin", Executed(print, "executed"))
    with safe_globals([]):
        add_safe_globals([print])
        with pytest.raises(ArtifactError, match="would execute print"):
            read_pickle(path)
        assert print in get_safe_globals()
        torch.serialization.clear_safe_globals()
    assert "executed" not in capfd.readouterr().out


@FORMATS
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path, zipped):
    path = saved(tmp_path / "a.bin", {"auc": np.float64(0.5), "model": {"a": torch.arange(3.0)}}, zipped=zipped)
    content = path.read_bytes()
    for length in range(1, len(content) - 1, 1 + len(content) // 200):
        path.write_bytes(content[:length])
        # a name that is cut off reads like the name of something else
        with pytest.raises(
            ArtifactError, match=r"is damaged or not what torch.save writes \(.+\); check|would execute \w"
        ):
            read_pickle(path)


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"hello\n", bytes(range(256))])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a.bin is damaged or not what torch.save writes"):
        read_pickle(tmp_path / "a.bin")


def test_a_pickle_that_torch_did_not_write_is_refused_without_a_warning(tmp_path, recwarn):
    (tmp_path / "a.bin").write_bytes(pickle.dumps({"model": {}}, protocol=4))
    with pytest.raises(ArtifactError, match=r"a.bin is damaged or not what torch.save writes \(.*[a-z].*\); check"):
        read_pickle(tmp_path / "a.bin")
    assert not recwarn.list


def test_the_reason_is_more_than_a_number(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"hello\n")  # torch says 101, the number of the e
    with pytest.raises(ArtifactError, match=r"\(KeyError 101\)"):
        read_pickle(tmp_path / "a.bin")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.bin").touch()
    with pytest.raises(ArtifactError, match=r"a.bin is empty; copy or download it again"):
        read_pickle(tmp_path / "a.bin")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"is a folder; give the checkpoint's file"):
        read_pickle(tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"checkpoint .*gone.bin does not exist"):
        read_pickle(tmp_path / "gone.bin")
