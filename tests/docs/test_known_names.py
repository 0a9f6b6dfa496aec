"""Every dataset and list that the code reads stands in the documents, and nothing else does."""

import re
from pathlib import Path

import pytest

from realface.core.crop_spec import CropSpec
from realface.datasets.registry import READERS
from realface.faces.detectors.registry import FILE_DETECTORS
from realface.manifest.importers.registry import IMPORTERS
from realface.manifest.manifest import ManifestHeader
from realface.manifest.schema import COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
DATASETS, MANIFESTS, PREPARE, DETECT = (
    (DOCS / name).read_text(encoding="utf-8")
    for name in ("datasets.md", "manifest.md", "guides/prepare.md", "guides/detect.md")
)
EXPLAINED_IN_PREPARE = {"plain", "faceforensics"}


def table_below(page, header):
    """The rows of the table that has this header, as cells."""
    lines = page.partition(f"{header}\n")[2].splitlines()
    end = next(number for number, line in enumerate([*lines, ""]) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:end]]


def test_the_table_of_data_sets_names_every_dataset_but_plain():
    rows = table_below(DATASETS, "| data set | what it is | how to get it | terms, in short | read now |")
    named = [set(re.findall(r"`(\w+)`", row[-1])) for row in rows]
    assert all(named)
    assert set().union(*named) == READERS.keys() - {"plain"}


def test_every_dataset_is_explained_in_a_section_of_its_own():
    sections = re.findall(r"^### .*: `(\w+)`$", DATASETS, re.MULTILINE)
    assert sorted(sections) == sorted(READERS.keys() - EXPLAINED_IN_PREPARE)


@pytest.mark.parametrize("name", sorted(EXPLAINED_IN_PREPARE))
def test_the_other_datasets_lead_to_the_guide(name):
    assert f"`{name}`" in DATASETS.partition("explained in [Prepare]")[0].splitlines()[-1]


def test_the_guide_has_what_the_other_datasets_need():
    for folder in ("`real/`", "`fake/`", "`train/`", "`manipulated_sequences`", "`train.json`"):
        assert folder in PREPARE


def test_the_table_of_lists_names_every_list():
    rows = table_below(MANIFESTS, "| name | the list | label, split and more |")
    assert {row[0].strip("`") for row in rows} == IMPORTERS.keys()


def test_the_table_of_columns_names_every_column_in_order():
    rows = table_below(MANIFESTS, "| column | type | meaning |")
    assert [row[0].strip("`") for row in rows] == list(COLUMNS)


def test_the_table_of_the_header_names_every_field_in_order():
    rows = table_below(MANIFESTS, "| field | meaning |")
    assert [row[0].strip("`") for row in rows] == list(ManifestHeader.model_fields)


def test_the_table_of_face_detectors_names_every_one_that_comes_as_a_file():
    rows = table_below(DETECT, "| `--face-detector` | the ONNX file |")
    assert [row[0].strip("`") for row in rows] == [f"{name}=FILE" for name in FILE_DETECTORS]


def test_the_table_of_cuts_has_the_defaults_of_the_crop_spec():
    rows = table_below(PREPARE, "| option | effect |")
    given = dict(words for row in rows if len(words := row[0].strip("`").split()) == 2)
    assert float(given["--margin"]) == CropSpec.model_fields["margin"].default
    assert int(given["--size"]) == CropSpec.model_fields["size"].default
