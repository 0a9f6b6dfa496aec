from pathlib import Path

import pytest

from realface.bench.references import has_reference, load_reference
from realface.core.errors import BenchmarkError


@pytest.mark.parametrize("method", ["recce", "rffr"])
def test_a_checkout_has_the_reference_of_each_release(method: str) -> None:
    assert has_reference(method)
    assert load_reference(method) is load_reference(method)


def test_without_a_checkout_a_missing_reference_is_a_clear_error(tmp_path: Path) -> None:
    assert not has_reference("recce", tmp_path)
    with pytest.raises(BenchmarkError) as caught:
        load_reference("recce", tmp_path)
    assert caught.value.text == (
        "benchmark recce compares with a re-implementation of the authors' release that is not installed: "
        f"{tmp_path / 'recce.py'} is missing"
    )
    assert caught.value.hint == "clone the repository, install it with `pip install -e .`, and run the benchmark there"


def test_a_reference_that_fails_to_import_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import missing_module\n")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="missing_module"):
            load_reference("broken", tmp_path)
