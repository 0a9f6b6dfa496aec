import pytest

from realface.core.process_number import VARIABLES, process_number, warn_once


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_process_that_nobody_numbered_is_the_first():
    assert process_number() == 0


@pytest.mark.parametrize("name", VARIABLES)
def test_number_is_the_launchers(monkeypatch, name):
    monkeypatch.setenv(name, "3")
    assert process_number() == 3


def test_number_over_all_machines_counts_before_that_on_one(monkeypatch):
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_number() == 5


def test_only_the_first_process_tells(monkeypatch, capsys):
    warn_once("warning: one")
    monkeypatch.setenv("LOCAL_RANK", "1")
    warn_once("warning: two")
    assert capsys.readouterr().err == "realface: warning: one\n"
