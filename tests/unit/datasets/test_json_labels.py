import pytest

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.datasets.json_labels import LabelledName, read_json_labels


def read(tmp_path, text):
    (tmp_path / "metadata.json").write_text(text)
    return read_json_labels(tmp_path / "metadata.json")


def test_labels_are_read_in_any_case_with_all_that_stands_beside(tmp_path):
    named = read(tmp_path, '{"a.mp4": {"label": "FAKE", "original": "b.mp4"}, "b.mp4": {"label": "real"}}')
    assert {name: one.label for name, one in named.items()} == {"a.mp4": Label.FAKE, "b.mp4": Label.REAL}
    assert named["a.mp4"].fields["original"] == "b.mp4"


def test_back_slashes_become_slashes(tmp_path):
    assert list(read(tmp_path, r'{"method_A\\1\\x.mp4": {"label": "fake"}}')) == ["method_A/1/x.mp4"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", r"metadata\.json: not JSON"),
        ("[]", r'metadata\.json: expected a table such as {"x\.mp4": {"label": "FAKE"}}'),
        ("{}", r"metadata\.json: expected a table such as"),
        ('{"a": {"label": 1}}', r"metadata\.json: a: label must be real or fake, got 1"),
        ('{"a": {}}', r"metadata\.json: a: label must be real or fake, got None"),
        ('{"a": "FAKE"}', r"metadata\.json: a: label must be real or fake, got None"),
        ('{"a": {"label": "REAL"}, "a": {"label": "FAKE"}}', r"metadata\.json: names a twice; restore the file"),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, text, fault):
    with pytest.raises(DatasetError, match=fault):
        read(tmp_path, text)


def test_a_split_is_one_of_those_allowed_or_none():
    named = LabelledName(Label.REAL, {"set": "train"})
    assert named.split("set", ("train", "test"), where="here") == "train"
    assert named.split("split", ("train", "test"), where="here") is None
    with pytest.raises(DatasetError, match="here: set must be val or test, got 'train'"):
        named.split("set", ("val", "test"), where="here")
