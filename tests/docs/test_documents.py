"""Runs what the README and the documentation tell a reader to run.

Every `sh` and `python` block is run, in the order of its document, on a desk: a folder with what the document takes as
given (`<!-- desk: videos, run -->`, named in `PIECES`). A block that cannot be run here says why, in the line above it:
`<!-- not run: REASON -->`; its commands are still checked against the command line's real options.
`<!-- save as: NAME -->` puts a block of another language into a file.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from realface.cli.main import app, run

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(CHECKOUT)) for path in DOCUMENTS]
LANGUAGES = {"sh", "python", "yaml", "json", ""}
PIECES = {
    "videos": ["my_videos", "their_video.mp4", "their_picture.jpg"],
    "ffpp": ["FaceForensics"],
    "faces": ["faces"],
    "run": ["run"],
    "demo": ["demo"],
    "mae": ["mae"],
}
SMALLER = {
    "prepare": ["--workers=0", "--frames=2"],
    "train": [f"--set={setting}" for setting in ("trainer.steps=2", "trainer.batch_size=8", "data.workers=0")],
    "evaluate": ["--resamples=20"],
}
"""What makes a command quick, in addition to its own options."""

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, first line and the comments in the lines right above it."""

    language: str
    text: str
    line: int
    comments: tuple[str, ...]

    def comment(self, name: str) -> str | None:
        """What stands behind `name:` in a comment above the block."""
        return next((text.partition(":")[2].strip() for text in self.comments if text.startswith(f"{name}:")), None)

    @property
    def is_run(self) -> bool:
        return self.comment("not run") is None

    def commands(self) -> Iterator[list[str]]:
        """The commands of a shell block, as words."""
        for line in self.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def blocks_of(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = re.finditer(
        r"(?P<comments>(?:^<!--[^\n]*-->\n)*)^```(?P<language>\w*)\n(?P<text>.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return [
        Block(
            match["language"],
            match["text"],
            text.count("\n", 0, match.start("text")) + 1,
            tuple(re.findall(r"<!-- *(.*?) *-->", match["comments"])),
        )
        for match in found
    ]


def desk_pieces(document: Path) -> list[str]:
    named = re.findall(r"<!-- desk: (.*?) -->", document.read_text(encoding="utf-8"))
    return sorted({piece.strip() for names in named for piece in names.split(",")})


def realface_words(words: Sequence[str]) -> list[str] | None:
    """The words behind `realface`, also where it is called by its path; None for other programs."""
    return list(words[1:]) if words[0] in {"realface", ".venv/bin/realface"} else None


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every piece that a document can ask for."""
    from realface.demo.sample_study.study import StudySize, write_sample_study
    from realface.media.images import write_image
    from realface.media.videos import VideoReader

    folder = tmp_path_factory.mktemp("warehouse")
    study = write_sample_study(folder / "FaceForensics", size=StudySize.tiny(), workers=1, quiet=True)
    reals = sorted((study / "original_sequences").rglob("*.mp4"))[:4]
    fakes = sorted((study / "manipulated_sequences" / "FaceSwap" / "c23").rglob("*.mp4"))[:4]
    for name, videos in (("real", reals), ("fake", fakes)):
        (folder / "my_videos" / name).mkdir(parents=True)
        for video in videos:
            shutil.copy(video, folder / "my_videos" / name / video.name)
    shutil.copy(reals[0], folder / "their_video.mp4")
    write_image(folder / "their_picture.jpg", next(VideoReader.open(reals[0]).frames(1)).image)
    recipe = ["--set", f"data.manifests=[{folder / 'faces' / 'manifest.parquet'}]", *SMALLER["train"]]
    assert run(["prepare", str(study), str(folder / "faces"), *SMALLER["prepare"]]) == 0
    assert run(["train", "demo", "--out", str(folder / "run"), *recipe]) == 0
    shutil.copytree(folder / "run", folder / "demo" / "run")
    shutil.copytree(folder / "faces", folder / "demo" / "faces")
    write_mae(folder / "mae" / "artifact", crops=folder / "faces" / "manifest.parquet")
    return folder


def write_mae(folder: Path, *, crops: Path) -> None:
    """An artifact of RFFR's smallest MAE, with random weights and a score fitted on noise."""
    import torch

    from realface.core.artifact import ArtifactCard
    from realface.manifest.manifest import Manifest
    from realface.models.artifact import save_artifact
    from realface.models.rffr.config import MaeConfig
    from realface.models.rffr.mae_network import RffrMae, fit_statistics
    from realface.models.rffr.statistics import FEWEST_FACES

    config = MaeConfig(size="tiny", input_size=40, patch_size=8)
    card = ArtifactCard(
        method=config.name,
        config=config.model_dump(mode="json"),
        input_size=config.input_size,
        crop=Manifest.read(crops).header.crop,
    )
    network = RffrMae(config)
    fit_statistics(network, [torch.rand(FEWEST_FACES, 3, config.input_size, config.input_size)])
    save_artifact(folder, network, card)


@pytest.fixture
def desk(document: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a document's blocks run."""
    pieces = desk_pieces(document)
    if pieces:
        warehouse: Path = request.getfixturevalue("warehouse")
        for name in (name for piece in pieces for name in PIECES[piece]):
            copy = shutil.copytree if (warehouse / name).is_dir() else shutil.copy
            copy(warehouse / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@by_document
def test_every_block_runs_in_the_order_of_the_document(document: Path, desk: Path) -> None:
    for block in blocks_of(document):
        where = f"{document.relative_to(CHECKOUT)}:{block.line}"
        if name := block.comment("save as"):
            (desk / name).write_text(block.text, encoding="utf-8")
        elif block.language == "python" and block.is_run:
            exec(compile(block.text, where, "exec"), {"__name__": "__main__"})
        elif block.language == "sh" and block.is_run:
            for words in block.commands():
                run_command(words, where)


def run_command(words: Sequence[str], where: str) -> None:
    """Run a `realface` command with its smaller settings; of `make`, see that there is the target."""
    arguments = realface_words(words)
    if arguments is not None:
        assert run([*arguments, *SMALLER.get(arguments[0], [])]) == 0, f"{where}: {' '.join(words)}"
        return
    program, *rest = words
    assert program == "make", f"{where}: {program} cannot be run by a test; say why in <!-- not run: ... -->"
    assert {word for word in rest if "=" not in word} <= make_targets(), where


@by_document
def test_every_command_has_the_options_and_arguments_that_it_is_given(document: Path) -> None:
    for block in blocks_of(document):
        for words in block.commands() if block.language == "sh" else ():
            command, arguments = get_command(app), realface_words(words)
            if arguments is None:
                continue
            while arguments and arguments[0] in getattr(command, "commands", {}):
                command = command.commands[arguments.pop(0)]  # type: ignore[attr-defined]
            command.make_context("realface", arguments)


@by_document
def test_no_block_is_overlooked(document: Path) -> None:
    fences = re.findall(r"^```", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert 2 * len(blocks_of(document)) == len(fences)


@by_document
def test_every_block_says_its_language_and_every_desk_its_known_pieces(document: Path) -> None:
    assert {block.language for block in blocks_of(document)} <= LANGUAGES
    assert set(desk_pieces(document)) <= PIECES.keys()


@by_document
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    files = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in files if not os.path.exists(document.parent / link)] == []  # noqa: PTH110 (with ..)


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [CHECKOUT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        todo += [(page.parent / link).resolve() for link in links]
    assert [str(page) for page in DOCUMENTS if page.resolve() not in {path.resolve() for path in seen}] == []
