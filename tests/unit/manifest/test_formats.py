import dataclasses
import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realface.core.crop_spec import CropSpec
from realface.core.errors import ManifestError, MissingInputError
from realface.manifest import formats
from realface.manifest.manifest import Manifest, ManifestHeader

SUFFIXES = [".parquet", ".json", ".jsonl", ".csv"]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**31), 2**31 - 1)
optional_columns = {
    **dict.fromkeys(["dataset", "split", "method", "compression", "video", "source", "original", "mask"], texts),
    **dict.fromkeys(["frame", "track"], whole),
    "time_s": numbers,
    "sha256": texts,
    "identities": st.lists(texts, max_size=2),
    "box": st.lists(numbers, min_size=4, max_size=4),
    "landmarks": st.lists(numbers, max_size=10),
}
rows = st.fixed_dictionaries(
    {"path": names, "label": st.sampled_from([0, 1])},
    optional={name: st.none() | values for name, values in optional_columns.items()},
)
headers = st.builds(
    ManifestHeader,
    crop=st.builds(CropSpec, margin=st.floats(0, 4), size=st.integers(16, 4096)),
    sources=st.dictionaries(texts, texts, max_size=2),
    skipped=st.dictionaries(texts, st.integers(0, 9), max_size=2),
    note=texts,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=st.lists(rows, max_size=5), header=headers)
def test_every_column_and_the_header_survive_every_format(tmp_path, suffix, given_rows, header):
    manifest = Manifest.from_rows(given_rows, root=tmp_path, header=header)
    manifest.write(tmp_path / f"m{suffix}")
    back = Manifest.read(tmp_path / f"m{suffix}")
    assert back.table.equals(manifest.table)
    assert back.header == header
    assert back.root == tmp_path
    assert back.sha256() == manifest.sha256()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_null_and_empty_text_stay_apart(tmp_path, suffix):
    manifest = Manifest.from_rows(
        [{"path": "a.png", "label": 0, "method": ""}, {"path": "b.png", "label": 1}], root=tmp_path
    )
    manifest.write(tmp_path / f"m{suffix}")
    assert Manifest.read(tmp_path / f"m{suffix}").column("method") == ["", None]


def test_json_is_the_list_that_rffr_reads(tmp_path):
    Manifest.from_rows([{"path": "a.png", "label": 0}, {"path": "ü b.png", "label": 1}], root=tmp_path).write(
        tmp_path / "m.json"
    )
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8")) == [
        {"path": "a.png", "label": 0},
        {"path": "ü b.png", "label": 1},
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.json", r'[{"path": "real\\a.png", "label": 0}]'),
        ("m.jsonl", r'{"path": "real\\a.png", "label": 0}'),
        ("m.csv", "path,label\nreal\\a.png,0\n"),
        ("m.csv", "\ufeffpath,label\r\nreal\\a.png,0\r\n"),
    ],
)
def test_back_slashes_of_foreign_lists_become_slashes(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    manifest = Manifest.read(tmp_path / name)
    assert manifest.column("path") == ["real/a.png"]
    assert manifest.header.crop.is_unknown


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("m.csv", "path,label\na.png,0\nb.png,2\n", r"m\.csv:3: label must be 0 \(real\) or 1 \(fake\), got 2"),
        ("m.csv", "path,label\na.png,0\nb.png,fake\n", r'm\.csv:3: label must be 0 \(real\) or 1 \(fake\), got "fake"'),
        ("m.csv", 'path,label\n\n"a\nb",0\nb,2\n', r"m\.csv:5: label must be 0"),
        ("m.csv", "path,label\na.png,\n", r"m\.csv:2: label is missing"),
        ("m.csv", "path,label\n,1\n", r"m\.csv:2: path is missing"),
        ("m.csv", 'path,label\n"",1\n', r"m\.csv:2: path is empty"),
        (
            "m.csv",
            "# realface {}\npath,label,frame\na,0,1\na,0,x\n",
            r'm\.csv:4: frame must be a whole number, got "x"',
        ),
        ("m.csv", "path,label,time_s\na,0,x\n", r'm\.csv:2: time_s must be a number, got "x"'),
        ("m.csv", "path,label,time_s\na,0,nan\n", r"m\.csv:2: time_s must be a finite number, got nan"),
        ("m.csv", "path,label,box\na,0,12\n", r'm\.csv:2: box must be a list of numbers, got "12"'),
        ("m.csv", 'path,label,box\na,0,"[1],[2]"\nb,0,\n', r"m\.csv:2: box must be a list of numbers"),
        ("m.csv", "path,label,identities\na,0,[071]\n", r'm\.csv:2: identities must be a list of texts, got "\[071\]"'),
        (
            "m.csv",
            'path,label,identities\nb,0,x\na,0,"alice, bob"\n',
            r"m\.csv:3: identities must be separated by semicolons or be a JSON list such as .*, got 'alice, bob'",
        ),
        (
            "m.json",
            '[{"path": "a", "label": 0, "identities": "alice, bob"}]',
            r"m\.json: row 1: identities must be separated by semicolons",
        ),
        ("m.csv", "path,label,identities\na,0,[null]\n", r"m\.csv:2: identities must be texts without null"),
        ("m.csv", "file,label\na,0\n", r"m\.csv: no such column 'file'; known: path, label"),
        ("m.csv", "path,label,vidoe\na,0,1\n", r"m\.csv: no such column 'vidoe'; did you mean 'video'\?"),
        ("m.csv", "path,label,path\na,0,b\n", r"m\.csv: duplicate column 'path'"),
        ("m.csv", "path\na\n", r"m\.csv: column 'label' is missing; add it: path and label are required"),
        ("m.csv", "", r"m\.csv: missing line of column names"),
        ("m.csv", "path,label\na,0,1\n", r"m\.csv: not a CSV table"),
        ("m.jsonl", '{"path": "a", "label": 0}\n\n{"path": "b", "label": 3}\n', r"m\.jsonl:3: label must be 0"),
        (
            "m.jsonl",
            '{"path": "a", "label": "fake"}',
            r'm\.jsonl:1: label must be 0 \(real\) or 1 \(fake\), got "fake"',
        ),
        ("m.jsonl", '{"path": "a", "label": 0.5}', r"m\.jsonl:1: label must be 0 \(real\) or 1 \(fake\), got 0\.5"),
        ("m.jsonl", '{"path": "a", "label": 0}\n{"path"', r"m\.jsonl:2: not JSON"),
        ("m.jsonl", 'null{"path": "a", "label": 0}\n', r"m\.jsonl:1: not JSON"),  # kills Arrow's reader
        ("m.jsonl", '{"path": "a", "label": 0}, {"path": "b", "label": 0}', r"m\.jsonl:1: not JSON"),
        ("m.jsonl", '{"path": "a", "label": 0}\n[1]\n', r"m\.jsonl:2: expected a row such as"),
        ("m.jsonl", '{"realface": {}}\n{"path": "a", "label": 7}', r"m\.jsonl:2: label must be 0"),
        ("m.jsonl", '{"realface": []}\n', r"m\.jsonl: the header must be an object, got list"),
        ("m.json", '[{"path": "a", "label": 0}, {"path": "b", "label": -1}]', r"m\.json: row 2: label must be 0"),
        ("m.json", '[{"path": "a", "label": 0, "box": [1, 2]}]', r"m\.json: row 1: box must be four numbers"),
        ("m.json", '[{"path": 7, "label": 0}]', r"m\.json: row 1: path must be a text, got 7"),
        ("m.json", '{"path": "a"}', r"m\.json: expected a list of rows such as"),
        ("m.json", "text", r"m\.json: not JSON"),
        ("m.json", b"\xff\xfe", r"m\.json: UTF-16 text; save it as UTF-8"),
        ("m.json", b"\xfc", r"m\.json: not UTF-8 text \(byte 0\); save it as UTF-8"),
        ("m.parquet", "text", r"m\.parquet: not a Parquet file, or a damaged one"),
        ("m.txt", "a 0", r"m\.txt: a manifest ends in \.parquet, \.json, \.jsonl, \.csv, got \.txt"),
        ("m", "a 0", r"a manifest ends in .*, got no suffix"),
        (
            "m.csv",
            '# realface {"format": 3}\npath,label\n',
            r"manifest format 3 is newer than this realface, which reads 2",
        ),
        (
            "m.csv",
            '# realface {"format": 1}\npath,label\n',
            r"manifest format 1 is too old, expected 2; run `realface prepare` again",
        ),
        (
            "m.csv",
            '# realface {"roots": "x"}\npath,label\n',
            r"m\.csv: header.*roots: no such setting; did you mean root\?",
        ),
        ("m.csv", "# realface {\npath,label\n", r"m\.csv: header: not JSON, because the header line was changed"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, name, content, fault):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=rf"(?s){fault}"):
        Manifest.read(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.floats(0, 1), cut=st.integers(0, 9), put=st.sampled_from([b"", b"null", b'"', b"\n", b"{", b"]", b"\xff"])
)
def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(tmp_path, suffix, place, cut, put):
    file = tmp_path / f"m{suffix}"
    rows = [{"path": f"{i}.png", "label": 0, "identities": ["a"], "box": [0, 1, 2, 3]} for i in range(2)]
    Manifest.from_rows(rows, root=tmp_path).write(file)
    content = file.read_bytes()
    start = round(place * len(content))
    file.write_bytes(content[:start] + put + content[start + cut :])
    with suppress(ManifestError):
        assert Manifest.read(file).table.num_rows >= 0


def test_a_parquet_column_that_damage_made_shorter_is_refused_when_it_is_read(tmp_path, monkeypatch):
    """One byte of the footer is enough; Arrow reads such a column without a word."""
    Manifest.from_rows([{"path": f"{i}.png", "label": 0} for i in range(2)], root=tmp_path).write(
        tmp_path / "m.parquet"
    )
    manifest = Manifest.read(tmp_path / "m.parquet")
    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", lambda *_, **__: iter(()))
    with pytest.raises(ManifestError, match=r"m\.parquet: damaged in column 'mask' \(0 of 2 rows are readable\)"):
        manifest.column("mask")


@pytest.mark.parametrize(
    ("text", "fault"), [(b"label", "not a Parquet file, or a damaged one"), (b"anna", "damaged in column 'video'")]
)
def test_text_in_parquet_that_is_no_utf_8_is_refused(tmp_path, text, fault):
    table = pa.table({"path": ["a"], "label": [0], "video": ["anna"]})
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet", compression="none", use_dictionary=False)
    content = (tmp_path / "m.parquet").read_bytes()
    (tmp_path / "m.parquet").write_bytes(content.replace(text, b"\xff" * len(text)))
    with pytest.raises(ManifestError, match=fault):
        Manifest.read(tmp_path / "m.parquet").column("video")


def test_parquet_of_other_types_is_read_when_values_fit_and_refused_when_not(tmp_path):
    fits = pa.table({"label": pa.array([0, 1], pa.int64()), "path": pa.array(["a", "b"]).dictionary_encode()})
    pyarrow.parquet.write_table(fits, tmp_path / "fits.parquet")
    assert Manifest.read(tmp_path / "fits.parquet").column("label") == [0, 1]
    pyarrow.parquet.write_table(pa.table({"label": ["fake"], "path": ["a"]}), tmp_path / "not.parquet")
    with pytest.raises(ManifestError, match=r"not\.parquet: column 'label' must be int8, got string"):
        Manifest.read(tmp_path / "not.parquet")
    pyarrow.parquet.write_table(pa.table({"label": [0, 5], "path": ["a", "b"]}), tmp_path / "five.parquet")
    with pytest.raises(ManifestError, match=r"five\.parquet: row 2: label must be 0 \(real\) or 1 \(fake\), got 5"):
        Manifest.read(tmp_path / "five.parquet")


def test_parquet_with_a_fault_in_another_column_is_refused_when_that_is_read(tmp_path):
    table = pa.table({"path": ["a", "b"], "label": [0, 1], "box": [[0.0] * 4, [1.0]], "frame": ["one", "two"]})
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert manifest.labels.tolist() == [0, 1]
    with pytest.raises(
        ManifestError, match=r"m\.parquet: row 2: box must be four numbers \(x0, y0, x1, y1\), got \[1.0\]"
    ):
        manifest.column("box")
    with pytest.raises(ManifestError, match=r"m\.parquet: column 'frame' must be int32, got string"):
        manifest.column("frame")


def test_faults_of_parquet_files_are_named_by_their_row_in_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "READ_ROWS", 2)
    labels, lists = [0, 0, 0, 1, 0], [["x"], [], ["x"], ["x"], [None]]
    pyarrow.parquet.write_table(
        pa.table({"path": list("abcde"), "label": labels, "identities": lists}), tmp_path / "m.parquet"
    )
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert manifest.column("path") == list("abcde")
    with pytest.raises(ManifestError, match=r"row 5: identities must be texts without null, got \[None\]"):
        manifest.column("identities")
    pyarrow.parquet.write_table(pa.table({"path": ["a", "b", "c", ""], "label": [0] * 4}), tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match="row 4: path is empty"):
        Manifest.read(tmp_path / "m.parquet")


def test_a_damaged_column_of_a_parquet_file_is_named(tmp_path):
    file = tmp_path / "m.parquet"
    rows = [{"path": f"{number}.png", "label": 0, "sha256": f"{number:064d}"} for number in range(100)]
    Manifest.from_rows(rows, root=tmp_path).write(file)
    place = pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(0)
    content = bytearray(file.read_bytes())
    start = place.dictionary_page_offset
    content[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    file.write_bytes(content)
    with pytest.raises(ManifestError, match=r"m\.parquet: damaged in column 'path' \("):
        Manifest.read(file)


def test_a_manifest_goes_on_reading_its_own_file_when_another_is_written_in_its_place(tmp_path):
    file = tmp_path / "m.parquet"
    Manifest.from_rows([{"path": "old.png", "label": 0, "video": "old"}], root=tmp_path).write(file)
    manifest = Manifest.read(file)
    Manifest.from_rows([{"path": "new.png", "label": 1, "video": "new"}] * 2, root=tmp_path).write(file)
    assert manifest.column("video") == ["old"]
    assert Manifest.read(file).column("video") == ["new", "new"]


def test_a_manifest_can_be_written_over_its_own_file(tmp_path):
    file = tmp_path / "m.parquet"
    Manifest.from_rows([{"path": "a.png", "label": 0, "video": "v"}] * 2, root=tmp_path).write(file)
    Manifest.read(file).take([1]).filled(split="val").write(file)
    assert [Manifest.read(file).column(name) for name in ("path", "video", "split")] == [["a.png"], ["v"], ["val"]]


def test_back_slashes_of_a_foreign_parquet_file_become_slashes(tmp_path):
    table = pa.table({"path": ["real\\a.png"], "label": [0], "mask": ["m\\a.png"], "video": ["v\\1"]})
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    manifest = Manifest.read(tmp_path / "m.parquet")
    assert [manifest.column(name) for name in ("path", "mask", "source", "video")] == [
        ["real/a.png"],
        ["m/a.png"],
        [None],
        ["v\\1"],
    ]


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"manifest .*gone\.csv does not exist"):
        Manifest.read(tmp_path / "gone.csv")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.png", "label": 0}], root=tmp_path)
    manifest.write(tmp_path / "m.csv")
    with pytest.raises(ManifestError, match="a manifest ends in"):
        manifest.write(tmp_path / "m.doc")
    assert [file.name for file in tmp_path.iterdir()] == ["m.csv"]


def test_a_json_manifest_that_cannot_be_written_leaves_its_old_header(tmp_path, monkeypatch):
    path = tmp_path / "faces.json"
    rows = [{"path": "a.png", "label": 0}]
    Manifest.from_rows(rows, root=tmp_path, header=ManifestHeader(note="old")).write(path)

    def fail(*_):
        raise OSError("disk full")

    broken = dataclasses.replace(formats.FORMATS[".json"], write=fail)
    monkeypatch.setitem(formats.FORMATS, ".json", broken)
    with pytest.raises(OSError, match="disk full"):
        Manifest.from_rows(rows, root=tmp_path, header=ManifestHeader(note="new")).write(path)
    monkeypatch.undo()
    assert Manifest.read(path).header.note == "old"


def test_a_parquet_header_longer_than_arrows_own_limit_is_read(tmp_path):
    """The hashes of 700,000 source files take that much; Arrow writes 100 MB and more, and by default reads it not."""
    header = ManifestHeader(note="x" * 101_000_000)
    Manifest.from_rows([{"path": "a.png", "label": 0}], root=tmp_path, header=header).write(tmp_path / "a.parquet")
    assert Manifest.read(tmp_path / "a.parquet").header == header
