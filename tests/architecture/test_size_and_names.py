from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SOURCE = CHECKOUT / "src" / "realface"
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}


def found_in(folder: Path, look: Callable[[Path], object]) -> dict[str, object]:
    """What `look` finds in each Python file below `folder`, where it finds anything."""
    answers = {str(path.relative_to(CHECKOUT)): look(path) for path in sorted(folder.rglob("*.py"))}
    assert answers, f"no Python file below {folder}"
    return {path: found for path, found in answers.items() if found}


def found_everywhere(look: Callable[[Path], object]) -> dict[str, object]:
    return found_in(CHECKOUT / "src", look) | found_in(CHECKOUT / "tests", look)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_file_stays_under_500_lines() -> None:
    def too_long(path: Path) -> object:
        length = len(text_of(path).splitlines())
        return length if length >= 500 else None

    assert found_everywhere(too_long) == {}


def test_a_function_stays_under_60_lines() -> None:
    def too_long(path: Path) -> object:
        functions = [
            node
            for node in ast.walk(ast.parse(text_of(path)))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
        return {name: length for name, length in lengths.items() if length >= 60}

    assert found_everywhere(too_long) == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    def empty_words(path: Path) -> object:
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        return {word for part in parts for word in part.split("_")} & FORBIDDEN_NAMES

    assert found_everywhere(empty_words) == {}


def test_only_the_top_of_the_command_line_catches_everything() -> None:
    def catches(path: Path) -> object:
        return len(re.findall(r"except(?: Exception\b.*)?:$", text_of(path), flags=re.MULTILINE))

    assert found_in(SOURCE, catches) == {"src/realface/cli/main.py": 1}


def test_an_ignored_check_says_which() -> None:
    def bare(path: Path) -> object:
        return re.findall(r"# (?:type: ignore(?!\[)|noqa(?!:)).*", text_of(path))

    here = Path(__file__)
    assert found_everywhere(lambda path: None if path == here else bare(path)) == {}


def test_a_package_says_in_one_line_what_it_holds_and_exports_nothing() -> None:
    def more_than_a_line(path: Path) -> object:
        if path.name != "__init__.py" or path.parent == SOURCE:
            return None
        body = ast.parse(text_of(path)).body
        is_docstring = len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        return not is_docstring or len(text_of(path).strip().splitlines()) != 1

    assert found_in(SOURCE, more_than_a_line) == {}


def test_every_package_has_its_docstring() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
