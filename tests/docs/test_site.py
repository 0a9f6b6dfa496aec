"""The documentation site: its pages, its generated parts, and that it loads nothing from elsewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.main import get_command

import realface
from realface.cli.main import app

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
CONFIG = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("site_pages", CHECKOUT / "tools" / "site_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(hook, page):
    text = (DOCS / page).read_text(encoding="utf-8")
    return hook.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page)))


def pages_of(nav):
    for entry in nav:
        inner = entry if isinstance(entry, str) else next(iter(entry.values()))
        yield from [inner] if isinstance(inner, str) else pages_of(inner)


def options_of(command, words):
    yield words, [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    for name, inner in getattr(command, "commands", {}).items():
        yield from options_of(inner, [*words, name])


def test_the_navigation_has_every_page_once():
    named = list(pages_of(CONFIG["nav"]))
    assert sorted(named) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_the_page_of_commands_has_every_command_with_its_options(hook):
    sections = re.split(r"^## ", rendered(hook, "reference/cli.md"), flags=re.MULTILINE)
    by_title = {section.partition("\n")[0]: section for section in sections}
    for words, options in options_of(get_command(app), ["realface"]):
        section = by_title[" ".join(words)]
        assert [option for option in options if option != "--help" and option not in section] == []


def test_the_page_of_the_api_has_every_public_name(hook):
    named = re.findall(r"^::: realface\.(\w+)$", rendered(hook, "reference/api.md"), re.MULTILINE)
    assert named == [name for name in realface.__all__ if not name.startswith("_")]


def test_comments_for_tests_are_not_on_the_site(hook):
    for path in sorted(DOCS.rglob("*.md")):
        page = str(path.relative_to(DOCS))
        if page != "reference/recipe.md":
            assert "<!--" not in rendered(hook, page), page


def test_the_theme_loads_no_fonts_and_no_scripts_from_elsewhere():
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["extra"]["polyfills"] == ["assets/iframe-worker.js"]
    assert [name for name in [*CONFIG["extra_css"], *CONFIG.get("extra_javascript", [])] if "://" in name] == []


@pytest.mark.long
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        str(CHECKOUT / "mkdocs.yml"),
        "-d",
        str(tmp_path),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    script, style = r"<(?:script|img|iframe)[^>]* src=", r"<link[^>]* rel=\"?stylesheet[^>]* href="
    loaded = rf"(?:{script}|{style})\"?(https?:[^\s>\"]+)"
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(pages_of(CONFIG["nav"])))
    assert [(page.name, found) for page in pages for found in re.findall(loaded, page.read_text("utf-8"))] == []
    assert "load_network" in (tmp_path / "reference" / "api.html").read_text("utf-8")
