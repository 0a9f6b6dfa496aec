from pathlib import Path

import pytest

from realface.core.errors import MissingInputError, RecipeError
from realface.core.recipe import check_recipe, load_recipe, save_recipe
from realface.core.shipped import find_recipe
from realface.training.recipe import recipe_schema

SMALLEST = {
    "method": {"name": "recce"},
    "data": {"manifests": ["faces.parquet"]},
    "optim": {"name": "adam"},
    "trainer": {"steps": 10},
}


def check(**sections):
    return check_recipe(recipe_schema(), {**SMALLEST, **sections}, where="recipe")


def fields_of(schema):
    for section in [schema, *schema.get("$defs", {}).values()]:
        for name, field in section.get("properties", {}).items():
            yield f"{section['title']}.{name}", field


def test_manifests_are_relative_to_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check().data.manifests == [tmp_path / "faces.parquet"]


def test_train_and_val_read_the_common_manifests_unless_they_name_their_own():
    data = check(data={"manifests": ["/a.csv"], "val": {"manifests": ["/b.csv"]}}).data
    assert (data.manifests_of(data.train), data.manifests_of(data.val)) == ([Path("/a.csv")], [Path("/b.csv")])


def test_splits_are_train_and_val_unless_said_otherwise():
    data = check().data
    assert (data.train.filters, data.val.filters) == ({"split": "train"}, {"split": "val"})


def test_saved_recipe_is_the_same_from_anywhere(tmp_path, monkeypatch):
    recipe = check(schedule={"name": "cosine"})
    save_recipe(recipe, tmp_path / "recipe.yaml")
    monkeypatch.chdir(tmp_path)
    assert load_recipe(recipe_schema(), tmp_path / "recipe.yaml") == recipe


def test_method_section_is_the_methods_own_config():
    assert check(method={"name": "tiny", "dropout": 0.5}).method.dropout == 0.5


@pytest.mark.parametrize("split", ["test", ["val", "test"]])
def test_selection_on_the_test_split_is_refused(split):
    with pytest.raises(RecipeError, match="would choose the best step and the threshold on the test set"):
        check(data={"manifests": ["a.csv"], "val": {"filters": {"split": split}}})


def test_filter_on_an_unknown_column_is_refused():
    with pytest.raises(RecipeError, match=r"no such column 'splt'; did you mean 'split'\?"):
        check(data={"manifests": ["a.csv"], "train": {"filters": {"splt": "train"}}})


def test_recipe_without_manifests_says_how_to_name_them():
    with pytest.raises(RecipeError, match=r"data: no manifest is named; give `manifests`"):
        check(data={"train": {"manifests": ["a.csv"]}})


def test_stored_residuals_with_degraded_crops_are_refused():
    train = {"flip": 0, "degradations": {}}
    with pytest.raises(RecipeError, match=r"`residuals` were computed from undegraded crops; remove `train\.degr"):
        check(data={"manifests": ["a.csv"], "residuals": "store", "train": train})


def test_degradations_of_a_recipe_have_defaults():
    assert check(data={"manifests": ["a.csv"]}).data.train.degradations is None
    section = check(
        data={"manifests": ["a.csv"], "train": {"degradations": {"probability": 0.2}}}
    ).data.train.degradations
    assert section.probability == 0.2
    assert section.operators["jpeg"] == 3


def test_stored_residuals_with_mirrored_crops_are_refused():
    with pytest.raises(RecipeError, match=r"data: `residuals` are those of faces as they are, .*set `train\.flip: 0`"):
        check(data={"manifests": ["a.csv"], "residuals": "store"})
    data = check(data={"manifests": ["a.csv"], "residuals": "/store", "train": {"flip": 0}}).data
    assert data.residuals == Path("/store")


def test_three_faults_are_all_named():
    with pytest.raises(RecipeError) as caught:
        check(optim={"name": "adm"}, trainer={"steps": 0}, selection={"metrik": "auc"})
    assert caught.value.faults == (
        "optim.name: must be one of 'sgd', 'adam', 'adamw', 'asgd', 'adamax', 'adadelta', 'adagrad', 'rmsprop', "
        "got 'adm'; did you mean adam?",
        "trainer.steps: must be greater than or equal to 1, got 0",
        "selection.metrik: no such setting; did you mean metric?",
    )


def test_faults_of_the_method_stand_under_the_key_to_type():
    with pytest.raises(RecipeError) as caught:
        check(method={"name": "recce", "lamda_1": 1, "input_size": 3})
    assert caught.value.faults == (
        "method.input_size: must be greater than or equal to 64, got 3",
        "method.lamda_1: no such setting; did you mean lambda_1?",
    )


def test_method_without_a_name_is_told_the_names():
    with pytest.raises(RecipeError, match=r"method\.name: required, .*; known: recce, rffr-mae, rffr, baseline"):
        check(method={"encoder": "light_xception"})


def test_file_goes_before_a_shipped_recipe_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("", encoding="utf-8")
    assert find_recipe("demo") == Path("demo")


def test_folder_named_as_a_shipped_recipe_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert find_recipe("demo").name == "demo.yaml"


def test_unknown_recipe_lists_the_shipped_ones():
    with pytest.raises(MissingInputError, match=r"recipe dmo does not exist; check .*: .*, demo, .*recce-ffpp-c23"):
        find_recipe("dmo")


def test_every_field_is_described():
    fields = dict(fields_of(recipe_schema().model_json_schema()))
    undescribed = [name for name, field in fields.items() if not field.get("description")]
    assert [name for name in undescribed if not name.startswith("Tiny")] == []
