from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType

import pytest
import typer
from packaging.requirements import Requirement
from typer.testing import CliRunner

from realface.cli import doctor
from realface.cli.doctor import Check

app = typer.Typer()
app.command()(doctor.command)


def answer_of(*checks: Check) -> Callable[[], list[Check]]:
    return lambda: list(checks)


def requirement(text: str) -> list[Requirement]:
    return [Requirement(text)]


@pytest.fixture
def broken_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> ModuleType:
        raise ImportError("libGL.so.1: cannot open shared object file:\n No such file or directory")

    monkeypatch.setattr(doctor, "import_module", refuse)


def test_on_this_machine_everything_required_works() -> None:
    checks = doctor.all_checks()
    assert [check for check in checks if check.state == "broken"] == []
    states = {check.name: check.state for check in checks}
    assert states["torch"] == states["face detector"] == states["codec h264"] == "ok"


def test_a_package_is_named_with_its_version() -> None:
    assert list(doctor.package_checks(requirement("pyyaml>=6"))) == [
        Check("installed", "pyyaml", "ok", metadata.version("pyyaml"))
    ]


def test_a_package_that_is_not_installed_is_broken_and_says_how_to_install_it() -> None:
    assert list(doctor.package_checks(requirement("no-such-package-anywhere>=2"))) == [
        Check(
            "installed",
            "no-such-package-anywhere",
            "broken",
            "not installed",
            "pip install 'no-such-package-anywhere>=2'",
        )
    ]


def test_a_package_that_is_too_old_says_which_version_is_needed() -> None:
    (check,) = doctor.package_checks(requirement("pyyaml>=999"))
    assert (check.state, check.remedy) == ("broken", "pip install 'pyyaml>=999'")
    assert check.detail == f"{metadata.version('pyyaml')}, but >=999 is needed"


def test_a_package_whose_shared_library_is_missing_is_broken_in_one_line(broken_module: None) -> None:
    (check,) = doctor.package_checks(requirement("pyyaml"))
    version = metadata.version("pyyaml")
    assert check.state == "broken"
    assert check.detail == (
        f"{version}, cannot be imported: ImportError: libGL.so.1: cannot open shared object file: "
        "No such file or directory"
    )
    assert check.remedy == f"pip install --force-reinstall 'pyyaml=={version}'"


def test_an_extra_whose_package_is_not_here_is_missing_and_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "installed_version", lambda name: None)
    checks = {check.name: check for check in doctor.extra_checks(requirement("mypy; extra == 'dev'"))}
    assert checks["dev"] == Check("extras", "dev", "missing", "lacks mypy", "pip install 'realface[dev]'")


def test_without_a_browser_only_the_tests_of_the_report_lack_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert doctor.browser_check() == Check(
        "found", "chromium", "missing", "only the tests of the report use it", "install chromium"
    )


def test_a_codec_that_pyav_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_codec(name: str, mode: str) -> None:
        raise ValueError(name)

    monkeypatch.setattr("av.codec.Codec", no_codec)
    assert [(check.name, check.state) for check in doctor.video_checks()] == [
        ("codec h264", "broken"),
        ("codec libx264", "missing"),
    ]


def test_a_face_detector_that_cannot_load_its_weights_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_weights(name: str) -> None:
        raise FileNotFoundError("pnet.pt")

    monkeypatch.setattr("realface.faces.detectors.registry.build_face_detector", no_weights)
    check = doctor.face_detector_check()
    assert (check.state, check.detail) == ("broken", "mtcnn: FileNotFoundError: pnet.pt")


def test_a_broken_package_ends_the_examination_before_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Check("installed", "torch", "broken", "not installed", "pip install torch")
    monkeypatch.setattr(doctor, "package_checks", lambda requirements: [fault])
    monkeypatch.setitem(sys.modules, "torch", None)
    assert fault in doctor.all_checks()


def test_all_well_is_said_and_ends_with_code_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "all_checks", answer_of(Check("installed", "torch", "ok", "2.15.0")))
    answer = CliRunner().invoke(app)
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[1:] == [
        "",
        "installed",
        "  ok       torch                    2.15.0",
        "",
        "everything that is required works",
    ]


def test_something_broken_is_told_with_its_remedy_and_ends_with_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "all_checks", answer_of(Check("installed", "torch", "broken", "not installed", "pip install torch"))
    )
    answer = CliRunner().invoke(app)
    assert answer.exit_code == 1
    assert "  broken   torch                    not installed; pip install torch" in answer.stdout
    assert answer.stdout.endswith("realface cannot work until what is broken is mended\n")


def test_a_missing_option_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "all_checks", answer_of(Check("extras", "dev", "missing", "lacks mypy")))
    assert CliRunner().invoke(app).exit_code == 0


def test_json_holds_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "all_checks", answer_of(Check("installed", "torch", "ok", "2.15.0")))
    document = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    assert document["works"] is True
    assert document["checks"] == [
        {"group": "installed", "name": "torch", "state": "ok", "detail": "2.15.0", "remedy": ""}
    ]
