import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from realface.core.crop_spec import CropSpec
from realface.core.errors import CropSpecError, ManifestError
from realface.manifest.columns import Columns
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.manifest.schema import COLUMNS


def manifest_in(root, *paths, crop=None, sources=None, **columns):
    header = ManifestHeader(crop=crop or CropSpec.unknown(), sources=sources or {}, skipped={"no face": 1})
    return Manifest.from_rows([{"path": path, "label": 0, **columns} for path in paths], root=root, header=header)


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".jsonl", ".csv"])
def test_a_manifest_moves_with_its_folder(tmp_path, suffix):
    manifest_in(tmp_path / "old" / "crops", "a.png").write(tmp_path / "old" / f"m{suffix}")
    shutil.move(tmp_path / "old", tmp_path / "new")
    moved = Manifest.read(tmp_path / "new" / f"m{suffix}")
    assert moved.file_of(0) == tmp_path / "new" / "crops" / "a.png"


def test_written_to_another_folder_it_still_finds_its_crops(tmp_path):
    manifest_in(tmp_path / "crops", "a.png").write(tmp_path / "lists" / "deep" / "m.csv")
    back = Manifest.read(tmp_path / "lists" / "deep" / "m.csv")
    assert back.header.root == "../../crops"
    assert back.file_of(0) == tmp_path / "crops" / "a.png"


def test_a_root_given_to_read_wins(tmp_path):
    (tmp_path / "m.json").write_text('[{"path": "a.png", "label": 1}]')
    assert Manifest.read(tmp_path / "m.json", root=tmp_path / "base").file_of(0) == tmp_path / "base" / "a.png"


def test_a_manifest_behind_a_linked_folder_finds_its_crops(tmp_path):
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "deep", target_is_directory=True)
    manifest_in(tmp_path / "disk" / "crops", "a.png").write(tmp_path / "link" / "m.csv")
    assert Manifest.read(tmp_path / "link" / "m.csv").file_of(0) == tmp_path / "disk" / "crops" / "a.png"


def test_absolute_paths_stay_and_path_objects_get_slashes(tmp_path):
    manifest = manifest_in(tmp_path, "/data/a.png", Path("b") / "c.png")
    assert manifest.file_of(0) == Path("/data/a.png")
    assert manifest.column("path")[1] == "b/c.png"


def test_rows_without_optional_columns_have_them_as_null():
    manifest = manifest_in(".", "a.png")
    assert manifest.table.column_names == list(COLUMNS)
    assert manifest.column("video") == [None]
    assert len(manifest) == 1


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"path": "a", "label": 2}, r"row 2: label must be 0 \(real\) or 1 \(fake\), got 2"),
        ({"path": "a", "label": 300}, r"row 2: label must be 0 \(real\) or 1 \(fake\), got 300"),
        ({"path": "a", "label": None}, "row 2: label is missing"),
        ({"path": "a", "label": 0, "frame": 1.5}, "row 2: frame must be a whole number, got 1.5"),
        ({"path": "a", "label": 0, "landmarks": [float("nan")]}, "row 2: landmarks must be finite numbers"),
        ({"path": "a", "label": 0, "identities": 71}, "row 2: identities must be a list of texts, got 71"),
        ({"path": "a", "label": 0, "methd": "x"}, "rows: no such column 'methd'; did you mean 'method'?"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row, fault):
    with pytest.raises(ManifestError, match=fault):
        Manifest.from_rows([{"path": "fine", "label": 1}, row], root=".")


def test_filter_takes_values_sequences_and_null():
    manifest = Manifest.from_rows(
        [
            {"path": "a", "label": 0, "split": "train"},
            {"path": "b", "label": 1, "split": "train", "method": "Deepfakes"},
            {"path": "c", "label": 1, "split": "val", "method": "FaceSwap"},
        ],
        root=".",
    )
    assert manifest.filter(split="train").column("path") == ["a", "b"]
    assert manifest.filter(method=["FaceSwap", None]).column("path") == ["a", "c"]
    assert manifest.filter(split="train", label=1).column("path") == ["b"]
    assert len(manifest.filter(split="test")) == 0
    assert manifest.filter(label=np.array([1])).filter(split={"val"}).column("path") == ["c"]
    assert manifest.filter().column("path") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ({"splits": "train"}, "no such column 'splits'; did you mean 'split'?"),
        ({"identities": "071"}, "filter: column 'identities' contains lists"),
        ({"label": "fake"}, "filter: column 'label' holds int8, got 'fake'"),
        ({"label": [0, 0.5]}, r"filter: column 'label' holds int8, got \[0, 0\.5\]"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(wanted, fault):
    with pytest.raises(ManifestError, match=fault):
        manifest_in(".", "a").filter(**wanted)


def test_take_keeps_the_given_order():
    assert manifest_in(".", "a", "b", "c").take(np.array([2, 0])).column("path") == ["c", "a"]


def test_labels_are_int64():
    labels = manifest_in(".", "a", "b").labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 0]


def test_video_keys_tell_methods_and_compressions_apart_and_fall_back_to_the_path():
    rows = [
        {"path": "a", "label": 1, "dataset": "ff", "method": "Deepfakes", "compression": "c23", "video": "071_054"},
        {"path": "b", "label": 1, "dataset": "ff", "method": "FaceSwap", "compression": "c23", "video": "071_054"},
        {"path": "c", "label": 0},
    ]
    keys = Manifest.from_rows(rows, root=".").video_keys()
    assert keys == ["ff/Deepfakes/c23/071_054", "ff/FaceSwap/c23/071_054", "///c"]


def test_with_column_replaces_one_column_and_refuses_unknown_ones():
    assert manifest_in(".", "a", "b").with_column("split", ["train", None]).column("split") == ["train", None]
    with pytest.raises(ManifestError, match="no such column 'splt'"):
        manifest_in(".", "a").with_column("splt", ["train"])


def test_the_hash_follows_rows_and_crop_spec_but_not_chunks_root_or_note(tmp_path):
    one = manifest_in(tmp_path, "a", "b", video="v", box=[0, 1, 2, 3])
    chunked = Manifest.concatenate([one.take([0]), one.take([1])])
    elsewhere = Manifest(one.columns, one.header.model_copy(update={"note": "x"}), tmp_path / "other")
    assert chunked.sha256() == one.sha256() == elsewhere.sha256()
    others = [
        one.take([1, 0]),
        one.with_column("video", ["v", None]),
        one.with_column("video", ["v", ""]),
        one.with_column("box", [[0, 1, 2, 3], [0, 1, 2, 4]]),
        manifest_in(tmp_path, "a", "b", video="v", box=[0, 1, 2, 3], crop=CropSpec()),
        manifest_in(tmp_path, "ab", "c", video="v", box=[0, 1, 2, 3]),
    ]
    assert len({one.sha256(), *(other.sha256() for other in others)}) == len(others) + 1


def test_the_hash_is_that_of_each_columns_name_validity_lengths_and_bytes():
    rows = [
        {"path": "a", "label": 0, "box": [0, 1, 2, 3]},
        {"path": "é", "label": 1, "video": "v", "identities": ["x", "yz"]},
        {"path": "c", "label": 1, "identities": []},
    ]
    parts = [
        CropSpec.unknown().model_dump_json().encode(),
        b"path" + bytes([0b11100000]) + np.array([1, 2, 1], np.int32).tobytes() + "aéc".encode(),
        b"label" + bytes([0b11100000]) + np.array([0, 1, 1], np.int8).tobytes(),
        b"datasetsplitmethodcompression",
        b"video" + bytes([0b01000000]) + np.array([1], np.int32).tobytes() + b"v",
        b"frametime_strack",
        b"identities" + bytes([0b01100000]) + np.array([2, 0, 1, 2], np.int32).tobytes() + b"xyz",
        b"sourceoriginal",
        b"box" + bytes([0b10000000]) + np.array([4], np.int32).tobytes() + np.array([0, 1, 2, 3.0]).tobytes(),
        b"landmarksmasksha256",
    ]
    manifest = Manifest.from_rows(rows, root=".")
    assert manifest.sha256() == hashlib.sha256(b"".join(parts)).hexdigest()
    assert manifest.take([0, 1, 2]).sha256() == manifest.sha256()


def test_distinct_values_come_in_the_order_of_their_first_rows():
    manifest = manifest_in(".", "a", "b", "c", "d").with_column("split", ["val", None, "train", "val"])
    assert manifest.distinct("split") == ["val", None, "train"]
    with pytest.raises(ManifestError, match="no such column 'splt'"):
        manifest.distinct("splt")


def test_opening_and_filtering_a_parquet_file_keep_no_other_columns(tmp_path):
    manifest_in(tmp_path, "a", "b", video="v", split="val").write(tmp_path / "m.parquet")
    manifest = Manifest.read(tmp_path / "m.parquet")
    asked = []
    recorded = Columns(len(manifest), lambda name: asked.append(name) or manifest.columns.look(name))
    chosen = Manifest(recorded, manifest.header, manifest.root).filter(split="val", label=0).take([1])
    both = Manifest.concatenate([chosen, Manifest(recorded, manifest.header, tmp_path / "deep")])
    assert len(both) == 3
    assert asked == ["split", "label"]
    assert both.column("path") == ["b", "deep/a", "deep/b"]


def test_concatenating_two_roots_leads_to_the_same_files(tmp_path):
    one = manifest_in(tmp_path / "x", "a.png", mask="m.png", source="s.mp4", sources={"s.mp4": "1" * 64})
    two = manifest_in(tmp_path / "y" / "z", "a.png", "/abs.png", source="s.mp4", sources={"s.mp4": "2" * 64})
    both = Manifest.concatenate([one, two])
    assert both.root == tmp_path
    assert [both.file_of(row) for row in range(3)] == [
        tmp_path / "x" / "a.png",
        tmp_path / "y" / "z" / "a.png",
        Path("/abs.png"),
    ]
    assert both.column("mask") == ["x/m.png", None, None]
    assert both.column("source") == ["x/s.mp4", "y/z/s.mp4", "y/z/s.mp4"]
    assert both.header.sources == {"x/s.mp4": "1" * 64, "y/z/s.mp4": "2" * 64}
    assert both.header.skipped == {"no face": 2}


def test_concatenating_keeps_one_spec_refuses_two_and_loses_it_beside_unknown_crops():
    known, other = manifest_in(".", "a", crop=CropSpec()), manifest_in(".", "b", crop=CropSpec(margin=0.5))
    assert Manifest.concatenate([known, known]).header.crop == CropSpec()
    assert Manifest.concatenate([known, manifest_in(".", "c")]).header.crop.is_unknown
    with pytest.raises(CropSpecError, match=r"put together: \[mtcnn, margin 0\.3.*\] and \[mtcnn, margin 0\.5"):
        Manifest.concatenate([known, other])


def test_concatenating_nothing_or_sources_that_contradict_is_refused():
    with pytest.raises(ManifestError, match="no manifests to put together"):
        Manifest.concatenate([])
    with pytest.raises(ManifestError, match=r"two source files are called s\.mp4 but differ in content"):
        Manifest.concatenate(
            [manifest_in(".", "a", sources={"s.mp4": "1"}), manifest_in(".", "b", sources={"s.mp4": "2"})]
        )


def test_crops_that_differ_in_the_number_of_frames_only_are_put_together():
    few, many = (
        Manifest.from_rows([{"path": f"{frames}.png", "label": 0}], root="crops", header=ManifestHeader(crop=spec))
        for frames, spec in ((4, CropSpec(frames=4)), (32, CropSpec(frames=32)))
    )
    assert Manifest.concatenate([few, many]).header.crop == CropSpec(frames=32)


def test_filled_writes_a_text_where_there_is_none(tmp_path):
    manifest = Manifest.from_rows([{"path": "a", "label": 0, "split": "val"}, {"path": "b", "label": 1}], root=tmp_path)
    assert manifest.filled(split="train", dataset=None).column("split") == ["val", "train"]
    assert manifest.filled(dataset=None).table.equals(manifest.table)
    with pytest.raises(ManifestError, match="no such column 'splt'; did you mean 'split'"):
        manifest.filled(splt="train")
