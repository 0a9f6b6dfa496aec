from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from realface.core.errors import MissingInputError, RecipeError
from realface.core.recipe import Section, apply_overrides, check_recipe, load_recipe, save_recipe


class Optim(Section):
    lr: float = Field(1e-3, gt=0)
    name: Literal["adam", "sgd"] = "adam"

    @field_validator("lr")
    @classmethod
    def _not_huge(cls, value: float) -> float:
        if value > 10:
            raise ValueError(f"a learning rate of {value:g} never worked")
        return value


class Recce(Section):
    name: Literal["recce"] = "recce"
    dropout: float = 0.2


class MAE(Section):
    name: Literal["mae"]
    mask_ratio: float = 0.75


class Source(Section):
    manifest: str


class Recipe(Section):
    seed: int
    optim: Optim = Optim()
    method: Annotated[Recce | MAE, Field(discriminator="name")] = Recce()
    train: list[Source] = Field(default_factory=list)
    note: Optim | None = None


def recipe_file(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(document: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        check_recipe(Recipe, document, where="recipe")
    return caught.value.faults


def test_a_recipe_is_read_and_its_defaults_are_filled_in(tmp_path: Path) -> None:
    recipe = load_recipe(Recipe, recipe_file(tmp_path, "seed: 3\noptim: {lr: 0.01}\n"))
    assert recipe == Recipe(seed=3, optim=Optim(lr=0.01, name="adam"), method=Recce())


def test_a_section_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Optim().lr = 1  # type: ignore[misc]


def test_a_saved_recipe_loads_as_an_equal_one(tmp_path: Path) -> None:
    recipe = Recipe(seed=1, method=MAE(name="mae", mask_ratio=0.5), train=[Source(manifest="Zoë.parquet")])
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(Recipe, tmp_path / "saved.yaml") == recipe
    assert "Zoë.parquet" in (tmp_path / "saved.yaml").read_text(encoding="utf-8")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"recipe .*none\.yaml does not exist; check the path"):
        load_recipe(Recipe, tmp_path / "none.yaml")


def test_all_faults_come_at_once_with_places_and_hints(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "optim:\n  lrr: 1\n  name: adm\nseed: many\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(Recipe, path)
    assert str(caught.value).splitlines() == [
        f"{path}: 3 faults",
        "  seed: must be a valid integer, unable to parse string as an integer, got 'many'",
        "  optim.name: must be 'adam' or 'sgd', got 'adm'; did you mean adam?",
        "  optim.lrr: no such setting; did you mean lr?",
    ]


def test_text_that_is_no_yaml_is_one_fault_on_one_line(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "seed: [1\noptim: }")
    with pytest.raises(RecipeError) as caught:
        load_recipe(Recipe, path)
    assert len(caught.value.faults) == 1
    assert "\n" not in caught.value.faults[0]


def test_a_recipe_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("name: José\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"not UTF-8 text \(byte 9\); save it as UTF-8"):
        load_recipe(Recipe, path)


def test_a_list_as_a_key_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="found unhashable key"):
        load_recipe(Recipe, recipe_file(tmp_path, "? [seed, name]\n: 1\n"))


def test_a_recipe_that_is_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="expected a mapping of sections, got list"):
        load_recipe(Recipe, recipe_file(tmp_path, "- seed: 1\n"))


def test_a_key_given_twice_is_a_fault_and_not_silently_the_last_one(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="line 2: 'seed' is given twice"):
        load_recipe(Recipe, recipe_file(tmp_path, "seed: 1\nseed: 2\n"))


def test_an_empty_recipe_lacks_what_is_required(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="seed: required, but not given"):
        load_recipe(Recipe, recipe_file(tmp_path, "# nothing yet\n"))


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "seed: 1\noptim: {lr: 0.5}\n")
    recipe = load_recipe(Recipe, path, overrides=["optim.lr=1.0e-4", "optim.name=sgd", "seed=9"])
    assert recipe == Recipe(seed=9, optim=Optim(lr=1e-4, name="sgd"))


def test_an_exponent_without_a_point_is_a_number_too(tmp_path: Path) -> None:
    # YAML 1.1 reads 1e-4 as text; what users type must still work
    recipe = load_recipe(Recipe, recipe_file(tmp_path, "seed: 1\n"), overrides=["optim.lr=1e-4"])
    assert recipe.optim.lr == 1e-4


def test_a_fault_of_an_override_names_the_setting_and_not_the_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(Recipe, recipe_file(tmp_path, "seed: 1\n"), overrides=["optim.lr=1e-4", "optim.nam=sgd"])
    assert str(caught.value) == "--set: 1 fault\n  --set optim.nam=sgd: optim.nam: no such setting; did you mean name?"


def test_faults_of_the_file_and_of_an_override_are_told_apart(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "sed: 1\nseed: 2\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(Recipe, path, overrides=["optim={lr: 0, name: sgd}"])
    assert str(caught.value).startswith(f"{path}: 2 faults\n")
    assert caught.value.faults == (
        "--set optim={lr: 0, name: sgd}: optim.lr: must be greater than 0, got 0",
        "sed: no such setting; did you mean seed?",
    )


def test_overrides_make_a_section_that_the_file_lacks() -> None:
    assert apply_overrides({}, ["optim.lr=1"]) == {"optim": {"lr": 1}}


def test_overrides_leave_the_document_as_it_was() -> None:
    document = {"optim": {"lr": 1}}
    apply_overrides(document, ["optim.lr=2"])
    assert document == {"optim": {"lr": 1}}


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("optim.lr", "--set optim.lr: expected KEY=VALUE, such as optim.lr=1e-4"),
        ("=3", "--set =3: expected KEY=VALUE, such as optim.lr=1e-4"),
        ("seed.inner=3", "--set seed.inner=3: seed is a value, not a section"),
        ("optim.lr=[1", "--set optim.lr=[1: '[1' is not a YAML value"),
    ],
)
def test_a_setting_that_cannot_be_applied_says_why(setting: str, fault: str) -> None:
    with pytest.raises(RecipeError) as caught:
        apply_overrides({"seed": 1}, [setting])
    assert caught.value.faults == (fault,)


def test_all_faults_of_settings_come_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        apply_overrides({"seed": 1}, ["a", "b"])
    assert len(caught.value.faults) == 2


def test_an_unknown_setting_without_a_near_word_lists_what_there_is() -> None:
    assert faults_of({"seed": 1, "optim": {"zzz": 1}}) == ("optim.zzz: no such setting; known: lr, name",)


def test_a_wrong_setting_of_the_chosen_method_is_compared_with_that_methods_settings() -> None:
    assert faults_of({"seed": 1, "method": {"name": "mae", "mask_ration": 1}}) == (
        "method.mask_ration: no such setting; did you mean mask_ratio?",
    )


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    assert faults_of({"seed": 1, "method": {"name": "recc"}}) == (
        "method.name: must be one of 'recce', 'mae', got 'recc'; did you mean recce?",
    )


def test_a_method_without_a_name_is_told_so() -> None:
    assert faults_of({"seed": 1, "method": {"dropout": 0.1}}) == (
        "method.name: required, but not given; known: recce, mae",
    )


def test_a_fault_inside_a_list_names_the_position() -> None:
    assert faults_of({"seed": 1, "train": [{"manifest": "a"}, {"manifests": "b"}]}) == (
        "train.1.manifest: required, but not given",
        "train.1.manifests: no such setting; did you mean manifest?",
    )


def test_a_fault_inside_an_optional_section_knows_its_settings() -> None:
    assert faults_of({"seed": 1, "note": {"nam": "adam"}}) == ("note.nam: no such setting; did you mean name?",)


def test_a_rule_of_our_own_is_quoted_without_pydantics_words() -> None:
    assert faults_of({"seed": 1, "optim": {"lr": 11}}) == ("optim.lr: a learning rate of 11 never worked",)


def test_a_number_out_of_range_says_what_came() -> None:
    assert faults_of({"seed": 1, "optim": {"lr": -1}}) == ("optim.lr: must be greater than 0, got -1",)
