import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from realface.cli import report
from realface.report import page

app = Typer()
app.command()(report.command)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_pages_path_is_printed(monkeypatch, as_json):
    calls = []
    monkeypatch.setattr(page, "write_report", lambda folders, out: calls.append(([str(f) for f in folders], str(out))))
    result = CliRunner().invoke(app, ["one", "two", "--out", "page.html", *(["--json"] if as_json else [])])
    assert calls == [(["one", "two"], "page.html")]
    assert result.exit_code == 0
    assert (json.loads(result.stdout) if as_json else result.stdout) == (
        {"report": "page.html"} if as_json else "report: page.html\n"
    )
