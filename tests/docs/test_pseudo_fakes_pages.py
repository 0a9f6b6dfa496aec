"""Every kind of pseudo-fake and every degradation stands in the documents, as the code has it."""

from pathlib import Path

from realface.data.degradations.draw import OPERATORS
from realface.data.pseudo_fakes.kinds import KINDS
from realface.data.pseudo_fakes.mixture import DEFAULT_SHARES

DOCS = Path(__file__).parents[2] / "docs"


def rows_of(page):
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_page_lists_every_kind_with_its_summary_and_share():
    rows = rows_of("pseudo-fakes.md")
    assert {name: row[0] for name, row in rows.items()} == {name: entry.summary for name, entry in KINDS.items()}
    assert {name: float(row[2]) for name, row in rows.items()} == {name: DEFAULT_SHARES.get(name, 0) for name in KINDS}


def test_every_kind_that_needs_no_stored_image_is_shown():
    page = (DOCS / "pseudo-fakes.md").read_text(encoding="utf-8")
    for name, entry in KINDS.items():
        if entry.partner != "stored":
            assert f"(images/pseudo-fakes/{name}.jpg)" in page
            assert (DOCS / "images" / "pseudo-fakes" / f"{name}.jpg").is_file()


def test_the_page_lists_every_degradation_with_its_levels():
    rows = rows_of("degradations.md")
    assert {name: tuple(row[:5]) for name, row in rows.items()} == {name: op.levels for name, op in OPERATORS.items()}
