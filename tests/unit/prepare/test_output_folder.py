from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from realface.core.labels import Label
from realface.prepare.output_folder import crop_folder


def test_names_that_differ_only_in_kind_or_suffix_get_folders_of_their_own(make_item):
    same = [
        make_item(Path("x/1.mp4")),
        make_item(Path("x/1.mp4"), method="Other"),
        make_item(Path("x/1.mp4"), compression="c40"),
        make_item(Path("x/1.mp4"), label=Label.REAL, method=None),
        make_item(Path("x/1.mp4"), method=None),
        make_item(Path("x/1.avi")),
        make_item(Path("x/1.MP4")),
        make_item(Path("x/1.mp4"), video="b_a"),
    ]
    assert len({crop_folder(one) for one in same}) == len(same)


def test_a_videos_name_cannot_leave_the_output_folder(make_item):
    folder = crop_folder(make_item(Path("x.mp4"), video="../../etc", dataset="..", method="a/b"))
    assert ".." not in folder.parts
    assert not folder.is_absolute()


def test_names_too_long_for_a_file_system_are_shortened_and_stay_different(make_item):
    first, second = (crop_folder(make_item(Path("x.mp4"), video="é" * 200 + end)) for end in "ab")
    assert first != second
    assert max(len(part.encode()) for part in first.parts) < 150


def test_letters_of_any_alphabet_and_spaces_are_kept(make_item):
    assert "тест 1.mp4" in crop_folder(make_item(Path("тест 1.mp4"), video="тест 1")).parts


def test_new_folders_replace_what_an_earlier_run_left(output):
    folder = PurePosixPath("set/a.mp4")
    for name in ("old.png", "new.png"):
        with output.new_folders(folder, "crops") as new:
            (new["crops"] / name).write_text(name)
    assert [path.name for path in (output.out / "crops" / folder).iterdir()] == ["new.png"]
    assert not (output.out / "masks").exists()
    assert list(output.scratch.iterdir()) == []


def test_masks_that_a_second_try_does_not_make_again_are_gone(output):
    folder = PurePosixPath("set/a.mp4")
    for kinds in (("crops", "masks"), ("crops",)):
        with output.new_folders(folder, *kinds):
            pass
    assert (output.out / "crops" / folder).is_dir()
    assert not (output.out / "masks" / folder).exists()


def test_a_worker_that_outlives_its_run_moves_nothing_any_more(output):
    """The next run takes the scratch folder away, makes the same crops, and the old worker comes to its end."""
    folder = PurePosixPath("set/a.mp4")
    left_over = output.new_folders(folder, "crops")
    (left_over.__enter__()["crops"] / "a.png").write_text("old")
    output.scratch.rename(output.scratch.with_name("taken away"))
    later = replace(output, scratch=output.scratch.with_name("later"))
    later.scratch.mkdir()
    with later.new_folders(folder, "crops") as new:
        (new["crops"] / "a.png").write_text("new")
    with pytest.raises(FileNotFoundError):
        left_over.__exit__(None, None, None)
    with pytest.raises(FileNotFoundError):
        output.new_folders(PurePosixPath("set/b.mp4"), "crops").__enter__()
    assert (output.out / "crops" / folder / "a.png").read_text() == "new"


def test_after_a_failure_nothing_is_there(output):
    def fail():
        with output.new_folders(PurePosixPath("set/a.mp4"), "crops", "masks") as new:
            (new["crops"] / "a.png").write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert not (output.out / "crops").exists()
    assert list(output.scratch.iterdir()) == []


def test_a_source_elsewhere_keeps_its_whole_path(output):
    assert output.relative(output.source_root / "a" / "b.mp4") == "a/b.mp4"
    assert output.relative(Path("/elsewhere/b.mp4")) == "/elsewhere/b.mp4"
