import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realface.bench import decode_probe
from realface.bench.decode_probe import find_reader, main, time_reading

OLD_READER = """
def spread_frames(path, count, *, threads=0):
    yield from (("old", str(path), threads) for _ in range(count))
"""
NEW_READER = """
class Reader:
    def __init__(self, path, threads):
        self.path, self.threads = path, threads

    def frames(self, count):
        yield from (("new", str(self.path), self.threads) for _ in range(count))

def open_media(path, *, threads=0):
    return Reader(path, threads)
"""


def write_media(sources: Path, **modules: str) -> Path:
    """Write a package that has only these modules of `realface.media`."""
    folder = sources / "realface" / "media"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return sources


def run_probe(sources: Path, *words: str) -> dict[str, object]:
    """Run the probe as a program, with a package that has its own way to read."""
    environment = {"PYTHONPATH": str(sources), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, decode_probe.__file__, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_program_reads_as_either_commit_does(tmp_path: Path) -> None:
    files = tmp_path / "files.json"
    files.write_text(json.dumps(["a.mp4", "b.mp4"]))
    for name, modules in (
        ("old", {"videos": OLD_READER}),
        ("new", {"videos": "", "opening": NEW_READER}),
    ):
        timed = run_probe(write_media(tmp_path / name, **modules), str(files), "3", "1", "2")
        assert timed["count"] == 6
        assert [len(timed[key]) for key in ("wall_s", "cpu_s")] == [2, 2]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "modules"),
    [("old", {"videos": OLD_READER}), ("new", {"videos": OLD_READER, "opening": NEW_READER})],
)
def test_files_threads_and_the_newest_reader_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, modules: dict[str, str]
) -> None:
    monkeypatch.syspath_prepend(str(write_media(tmp_path, **modules)))
    for loaded in [word for word in sys.modules if word.partition(".")[0] == "realface"]:
        monkeypatch.delitem(sys.modules, loaded)
    assert list(find_reader()(Path("a.mp4"), 2, 4)) == [(name, "a.mp4", 4)] * 2


def test_the_first_reading_does_not_count_and_all_files_are_read() -> None:
    asked: list[tuple[Path, int, int]] = []

    def read(path: Path, count: int, threads: int) -> Iterator[int]:
        asked.append((path, count, threads))
        yield from range(count)

    timed = time_reading(read, [Path("a"), Path("b")], count=4, threads=1, reads=2)
    assert asked == [(Path("a"), 4, 1), (Path("b"), 4, 1)] * 3
    assert timed["count"] == 8
    assert (len(timed["wall_s"]), len(timed["cpu_s"])) == (2, 2)


def test_this_tree_reads_a_real_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from realface.bench.clip import ClipSize, write_clip

    clip = write_clip(tmp_path / "a.mp4", ClipSize(height=36, width=64, fps=5, duration_s=2))
    (tmp_path / "files.json").write_text(json.dumps([str(clip)]))
    main(str(tmp_path / "files.json"), "3", "1", "1")
    assert json.loads(capsys.readouterr().out)["count"] == 3
