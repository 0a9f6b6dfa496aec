import os
import pickle

import pytest
import torch

from realface.core.errors import ManifestError, MissingInputError
from realface.manifest.importers.recce import RecceImporter

FORENSICS = [
    ("original_sequences/youtube/c40/images/071/12.png", 0),
    ("manipulated_sequences/Deepfakes/c40/images/071_054/0003.png", 1),
    ("manipulated_sequences/FaceSwap/c40/images/071_054/0003.png", 1),
]


def saved(path, items, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(items, path, **options)
    return path


def read(path, **options):
    return RecceImporter().read(path, **options)


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
def test_a_faceforensics_list_is_read_with_all_that_its_paths_say(tmp_path, zipped):
    file = saved(tmp_path / "val_c40.pickle", FORENSICS, _use_new_zipfile_serialization=zipped)
    manifest = read(file, root=tmp_path / "faces")
    assert manifest.file_of(0) == tmp_path / "faces" / FORENSICS[0][0]
    assert manifest.labels.tolist() == [0, 1, 1]
    assert manifest.column("split") == ["val"] * 3
    assert manifest.column("method") == [None, "Deepfakes", "FaceSwap"]
    assert manifest.column("compression") == ["c40"] * 3
    assert manifest.column("identities") == [["071"], ["071", "054"], ["071", "054"]]
    assert manifest.column("original") == [None, "071", "071"]
    assert manifest.column("frame") == [12, 3, 3]
    assert manifest.header.crop.is_unknown


def test_one_video_name_in_two_methods_stays_two_videos(tmp_path):
    assert len(set(read(saved(tmp_path / "val_c40.pickle", FORENSICS)).video_keys())) == 3


def test_a_wilddeepfake_list_takes_label_and_split_from_its_place(tmp_path):
    real = read(saved(tmp_path / "train" / "real.pickle", ["1/2/3.png"]), root=tmp_path)
    fake = read(saved(tmp_path / "test" / "fake.pickle", ["1\\2\\3.png", "1/2/4.png"]), root=tmp_path)
    assert (real.labels.tolist(), real.column("split")) == ([0], ["train"])
    assert (fake.labels.tolist(), fake.column("split")) == ([1, 1], ["test", "test"])
    assert fake.column("path") == ["1/2/3.png", "1/2/4.png"]


def test_labels_may_be_tensors(tmp_path):
    assert read(saved(tmp_path / "a.pickle", [("x.png", torch.tensor(1))])).labels.tolist() == [1]


def test_c0_is_raw(tmp_path):
    assert read(saved(tmp_path / "test_c0.pickle", [("x.png", 1)])).column("compression") == ["raw"]


class Malice:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, zipped):
    file = saved(tmp_path / "train_c23.pickle", [Malice(tmp_path / "pwned")], _use_new_zipfile_serialization=zipped)
    with pytest.raises(ManifestError, match=r"c23\.pickle was not read, because reading it would execute posix\.mkdir"):
        read(file)
    assert not (tmp_path / "pwned").exists()


def test_files_that_torch_did_not_save_are_refused(tmp_path):
    for content in (b"", b"hello", pickle.dumps(["a.png"]), saved(tmp_path / "b", FORENSICS).read_bytes()[:100]):
        (tmp_path / "real.pickle").write_bytes(content)
        with pytest.raises(ManifestError, match=r"real\.pickle is damaged or not what torch\.save writes"):
            read(tmp_path / "real.pickle")
    with pytest.raises(MissingInputError, match=r"list .*gone\.pickle does not exist"):
        read(tmp_path / "gone.pickle")


@pytest.mark.parametrize(
    ("items", "fault"),
    [
        ({"a": 1}, "expected a list of paths or of (path, label), got dict"),
        ([("a.png", 0), ("b.png",)], "row 2: expected a path or (path, label), got"),
        ([("a.png", 2)], "row 1: label must be 0 (real) or 1 (fake), got 2"),
        ([("a.png", 0.5)], "row 1: label must be 0 (real) or 1 (fake), got 0.5"),
        (["a.png"], "row 1: a path without a label, in a list that is not called real.pickle"),
        (
            [("manipulated_sequences/FaceSwap/c40/images/1_2/0.png", 1)],
            "row 1: c40 in the path, c23 in the list's name: manipulated_seq",
        ),
        (
            [(FORENSICS[0][0].replace("c40", "c23"), 1)],
            "row 1: the list says 1 (fake), the path says real: original_sequences/youtube/c23/images/071/12.png "
            "(1 of 1 rows so); swap the labels",
        ),
    ],
)
def test_lists_that_are_not_as_documented_are_refused_by_row(tmp_path, items, fault):
    with pytest.raises(ManifestError) as error:
        read(saved(tmp_path / "train_c23.pickle", items))
    assert f"train_c23.pickle: {fault}" in str(error.value)
