import hashlib
import json
import tarfile

import numpy as np
import pytest

from realface.core.errors import ManifestError, MissingInputError
from realface.manifest import webdataset
from realface.manifest.manifest import Manifest
from realface.manifest.webdataset import require_shard_name, shards_there, write_webdataset


def crops(root, *rows):
    """A manifest whose files hold their own names."""
    manifest = Manifest.from_rows(
        [{"path": f"crops.d/{i}.png", "label": i % 2, **row} for i, row in enumerate(rows)], root=root
    )
    for name in [*manifest.column("path"), *(mask for mask in manifest.column("mask") if mask)]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return manifest


def samples(path):
    """As readers of WebDataset do: files one after the other, grouped by what stands before the first dot."""
    grouped = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, name = member.name.partition(".")
            grouped.setdefault(key, {})[name] = tar.extractfile(member).read()
    return grouped


def test_a_sample_holds_image_row_label_and_mask(tmp_path):
    manifest = crops(tmp_path, {"video": "Änne", "box": [0, 1, 2.5, 3]}, {"mask": "masks/1.png", "split": "test"})
    assert write_webdataset(manifest, tmp_path / "out" / "all.tar", quiet=True) == [tmp_path / "out" / "all.tar"]
    first, second = samples(tmp_path / "out" / "all.tar").items()
    assert (first[0], second[0]) == ("000000000", "000000001")
    assert json.loads(first[1].pop("json")) == {
        "path": "crops.d/0.png",
        "label": 0,
        "video": "Änne",
        "box": [0, 1, 2.5, 3],
    }
    assert first[1] == {"png": b"crops.d/0.png", "cls": b"0"}
    del second[1]["json"]
    assert second[1] == {"png": b"crops.d/1.png", "cls": b"1", "mask.png": b"masks/1.png"}


def test_images_keep_their_format_under_its_usual_suffix(tmp_path):
    names = ["a.JPEG", "b.jpg", "c.webp"]
    manifest = crops(tmp_path, *({"path": name} for name in names))
    write_webdataset(manifest, tmp_path / "all.tar", quiet=True)
    assert [next(iter(files)) for files in samples(tmp_path / "all.tar").values()] == ["jpg", "jpg", "webp"]


def test_numbered_shards_hold_the_rows_in_order(tmp_path):
    manifest = crops(tmp_path, *[{}] * 7)
    shards = write_webdataset(manifest, tmp_path / "s-%03d.tar", shard_size=3, quiet=True)
    assert [path.name for path in shards] == ["s-000.tar", "s-001.tar", "s-002.tar"]
    rows = [int(key) for path in shards for key in samples(path)]
    assert rows == list(range(7))
    assert [len(samples(path)) for path in shards] == [3, 3, 1]


def test_shuffling_keeps_every_sample_with_its_row(tmp_path):
    manifest = crops(tmp_path, *[{}] * 50)
    write_webdataset(manifest, tmp_path / "s.tar", generator=np.random.default_rng(3), quiet=True)
    read = samples(tmp_path / "s.tar")
    assert list(read) != sorted(read)
    assert {key: files["png"] for key, files in read.items()} == {
        f"{row:09d}": f"crops.d/{row}.png".encode() for row in range(50)
    }


def test_the_same_manifest_gives_the_same_bytes(tmp_path):
    manifest = crops(tmp_path, *[{}] * 5)
    digests = set()
    for name in ("a.tar", "b.tar"):
        (shard,) = write_webdataset(manifest, tmp_path / name, quiet=True)
        digests.add(hashlib.sha256(shard.read_bytes()).hexdigest())
        with tarfile.open(shard) as tar:
            assert {(member.mtime, member.uid, member.uname, member.mode) for member in tar} == {(0, 0, "", 0o644)}
        (tmp_path / "crops.d" / "0.png").touch()
    assert len(digests) == 1


def test_missing_crops_and_masks_are_counted_before_anything_is_written(tmp_path):
    manifest = crops(tmp_path, {"mask": "m.png"}, {}, {}, {}, {})
    for name in ("m.png", "crops.d/1.png", "crops.d/2.png", "crops.d/3.png"):
        (tmp_path / name).unlink()
    text = (
        rf"4 of 6 crops and masks are not in {tmp_path}: crops.d/1.png, crops.d/2.png, crops.d/3.png and 1 more; "
        "nothing was written"
    )
    with pytest.raises(MissingInputError, match=text):
        write_webdataset(manifest, tmp_path / "new" / "all.tar", quiet=True)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_shards_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="the manifest is empty"):
        write_webdataset(crops(tmp_path), tmp_path / "all.tar", quiet=True)
    with pytest.raises(
        ManifestError, match=r"^bare has no suffix, which readers of shards need to recognise an image; rename it"
    ):
        write_webdataset(crops(tmp_path, {"path": "bare"}), tmp_path / "all.tar", quiet=True)
    for name in ("all.tgz", "all.TAR", "%s.tar", "%d-%d.tar", "100%.tar"):
        with pytest.raises(ManifestError, match=r"shards must be called NAME.tar, or NAME-%06d.tar"):
            require_shard_name(tmp_path / name)


def test_the_shards_that_are_there_are_those_with_a_number(tmp_path):
    for name in ("s-1.tar", "s-000002.tar", "s-.tar", "s-x.tar", "t-1.tar", "s-1.tar.gz"):
        (tmp_path / name).touch()
    assert [path.name for path in shards_there(tmp_path / "s-%06d.tar")] == ["s-000002.tar", "s-1.tar"]
    assert [path.name for path in shards_there(tmp_path / "s-1.tar")] == ["s-1.tar"]
    assert shards_there(tmp_path / "gone" / "s-%d.tar") == []


@pytest.mark.parametrize("stopped_at", ["write", "place"])
def test_a_run_that_is_stopped_leaves_the_older_shards_and_nothing_else(tmp_path, monkeypatch, stopped_at):
    manifest = crops(tmp_path, *[{}] * 6)
    out = tmp_path / "out" / "s-%d.tar"
    write_webdataset(manifest.take([0, 1]), out, shard_size=1, quiet=True)
    before = {path.name: path.read_bytes() for path in out.parent.iterdir()}
    calls = []

    def stopping(call, at):
        def stopped(*arguments):
            calls.append(arguments)
            if len(calls) == at:
                raise KeyboardInterrupt
            return call(*arguments)

        return stopped

    if stopped_at == "write":
        monkeypatch.setattr(webdataset, "_write_shard", stopping(webdataset._write_shard, 3))
    else:
        monkeypatch.setattr(webdataset.Path, "rename", stopping(webdataset.Path.rename, 4))
    with pytest.raises(KeyboardInterrupt):
        write_webdataset(manifest, out, shard_size=2, quiet=True)
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == before
