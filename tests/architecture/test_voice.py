"""Texts that people read follow the project's style; `python tools/check_voice.py PATH` lists the faults of a file."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tools"))

import check_voice as voice  # noqa: E402

# Folders and files that do not follow the style yet. Remove an entry once check_voice.py finds no fault below it.
PENDING = (
    "docs/datasets.md",
    "docs/manifest.md",
    "docs/methods/recce.md",
    "docs/methods/rffr.md",
    "docs/model-card.md",
    "docs/reference/from-the-releases.md",
    "docs/reference/recipe.md",
    "src/realface/__",
    "src/realface/cli/",
    "src/realface/datasets/",
    "src/realface/detection/",
    "src/realface/evaluation/",
    "src/realface/faces/",
    "src/realface/manifest/importers/",
    "src/realface/media/images.py",
    "src/realface/media/input_files.py",
    "src/realface/media/pillow_files.py",
    "src/realface/models/artifact.py",
    "src/realface/models/baseline/config.py",
    "src/realface/models/baseline/encoders.py",
    "src/realface/models/catalog.py",
    "src/realface/models/checkpoints.py",
    "src/realface/models/pickles.py",
    "src/realface/models/recce/config.py",
    "src/realface/models/rffr/branches.py",
    "src/realface/models/rffr/config.py",
    "src/realface/models/rffr/mae_network.py",
    "src/realface/models/rffr/released.py",
    "src/realface/models/weights.py",
    "src/realface/prepare/",
    "src/realface/report/",
    "src/realface/training/",
)

BEFORE = [
    "says how probably each is forged",
    "find forged ones by what does not fit",
    "who publishes or removes something on its ground alone is wrong too often",
    "less than a third of the frames with faces, unless nobody is seen longer",
    "Example faces: so many hardest and easiest fakes and reals each.",
    "Which rows; `all` for every one. Else the test rows where there are any.",
    "Who is kept: the one that a fake's mask marks, else the largest; or one rule for all.",
    "Try again what was lost for it, or for `all`.",
    "--merge goes alone: it finds no faces; give --shard, --redo and --cluster before it",
    "not used, by reason; --redo REASON tries again, each stands in losses.csv:",
    "crops in which their mask marks nothing, so perhaps of somebody else: 3",
    "realface: broken off",
    "Deal out the rows of this split alone; others keep theirs.",
    "with --root another folder is looked in",
    "The prior predicts each patch less its mean, by its contrast.",
    "run holds no run that could be taken up; name the recipe too, and it is begun",
    "12 of 90 fakes name no real of theirs and are left out of the pairs",
    "59 persons stand in two splits; numbers on these data say little of people whom the detector has not seen",
    "X does not have the layout celeb_df: it lacks a folder Celeb-real",
    "column 'x' is there twice",
    "A recipe with faults is answered with all of them at once, one line each, with the word that was probably meant.",
    "a detector learns to call everything what there is more of",
    "what was computed beforehand for each row, by the name under which the task takes it",
    "keeping what hangs together together",
]
"""Sentences in the old style."""

AFTER = [
    "estimates how likely each face is to be fake",
    "detect fakes as deviations from real faces",
    "never publish or remove content on the score alone",
    "people who appear in fewer than a third of the frames are ignored, unless no one appears more often",
    "Number of hardest and easiest examples to save per class.",
    "Split to evaluate (`all` = every row). Default: `test` if present, otherwise all rows.",
    "Which face to keep: `mask` (the manipulated one, else the largest), `largest` or `all`.",
    "Retry files skipped for this reason (`all` = every skipped file).",
    "--merge cannot be combined with --shard, --redo or --cluster",
    "skipped files by reason (details in skipped.csv; retry with --redo REASON):",
    "3 crops contain no manipulated pixels; they may show another person",
    "realface: interrupted",
    "Re-split only the rows of this split.",
    "use --root to set the folder that contains them",
    "The MAE was trained with per-patch normalised targets (norm_pix_loss).",
    "error: no run to resume in run",
    "hint: give a recipe to start one",
    "12 of 90 fakes have no matching real video and are excluded from pairing",
    "59 identities appear in two splits, so results will not show how well unseen people are handled",
    "X is not a celeb_df dataset: missing folder Celeb-real",
    "duplicate column 'x'",
    "All errors in a recipe are reported at once, one per line, with suggestions for misspelt keys.",
    "a detector learns to predict the majority class",
    "precomputed per-sample inputs, keyed by the task's keyword argument",
    "keeping connected videos and identities in the same split",
]
"""The same sentences, rewritten."""


def faults_of(function: str) -> list[str]:
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef)
    return list(voice.check_docstring(node, ast.get_docstring(node) or ""))


def test_texts_follow_the_style() -> None:
    files = voice.files_below(CHECKOUT / name for name in voice.READ_BY_DEFAULT)
    assert len(files) > 100
    settled = [path for path in files if not path.relative_to(CHECKOUT).as_posix().startswith(PENDING)]
    assert [str(finding) for path in settled for finding in voice.check_file(path)] == []


def test_every_array_parameter_has_a_shape() -> None:
    files = voice.files_below([CHECKOUT / "src"])
    findings = [str(each) for path in files if path.suffix == ".py" for each in voice.check_file(path)]
    assert [each for each in findings if "gives no shape" in each] == []


@pytest.mark.parametrize("sentence", BEFORE)
def test_a_sentence_in_the_old_style_is_found(sentence: str) -> None:
    assert voice.banned_in(sentence) != []


@pytest.mark.parametrize("sentence", AFTER)
def test_a_plain_sentence_passes(sentence: str) -> None:
    assert voice.banned_in(sentence) == []


BANNED = (
    "alone anew likewise beforehand lacks thereof wherein whom told lies persons pictures finder evidence forged",
    "stands in|takes up|gone on|holds a face|broken off|so many|such that|as it lies|at hand|of theirs|a face a person",
    "of the two|as they stand|there is no file that fits|holds a file that fits|the prior|losses.csv|dataset's layout",
)


@pytest.mark.parametrize("words", [*BANNED[0].split(), *"|".join(BANNED[1:]).split("|")])
def test_a_banned_word_is_found(words: str) -> None:
    assert voice.banned_in(f"A face {words}.") != []


@pytest.mark.parametrize(
    "first_line",
    ["What a worker does.", "Whether it is a fake.", "How many faces there are.", "The score of a face.", "Read faces"],
)
def test_a_docstring_without_a_first_sentence_is_found(first_line: str) -> None:
    assert faults_of(f'def score() -> int:\n    """{first_line}"""') != []


def test_a_plain_docstring_passes() -> None:
    text = '"""Return the score.\n\n    Args:\n        faces: (N, 3, H, W), uint8.\n    """'
    assert faults_of(f"def score(faces: Tensor) -> int:\n    {text}") == []


def test_a_property_may_be_a_noun_phrase() -> None:
    assert faults_of('@property\ndef score() -> int:\n    """The score of the face."""') == []


def test_an_array_without_a_shape_is_found() -> None:
    faults = faults_of('def score(faces: Tensor, mask: NDArray[np.bool_]) -> int:\n    """Return the score."""')
    assert faults == ["docstring gives no shape for faces, mask"]


def test_a_vague_entry_is_found() -> None:
    text = '"""Return the score.\n\n    Args:\n        face: likewise.\n        run: what was trained.\n    """'
    assert len(faults_of(f"def score(face: str, run: str) -> int:\n    {text}")) == 2


def test_markdown_is_read_outside_code(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Plain.\n\n```\nothers stay\n```\n\nText, `others`\nand others.\n")
    assert [(each.line, each.text) for each in voice.check_file(page)] == [(7, "others: 'others'")]


def test_python_is_read_in_docstrings_comments_and_texts(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    lines = [
        '"""Score faces, likewise."""',
        "others = ['others']  # others stay",
        'print(f"{others} lacks a face")',
        "",
    ]
    module.write_text("\n".join(lines))
    found = [(each.line, each.text.partition(":")[0]) for each in voice.check_file(module)]
    assert found == [(1, "likewise"), (2, "others"), (3, "lacks")]
