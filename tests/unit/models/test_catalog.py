from importlib.metadata import EntryPoint, EntryPoints

import pytest
import torch

from realface.core.errors import MethodError, TrainingError
from realface.models import catalog
from realface.models.catalog import METHODS, get_method, known_methods
from realface.models.method import Method

OTHER = Method("other", "a method of another package", METHODS["recce"].config_type, None, None)
CLASHING = Method("recce", "takes a name that is taken", METHODS["recce"].config_type, None, None)
NOT_A_METHOD = "text"


@pytest.fixture
def install(monkeypatch):
    """Pretends that a package offers an entry point of this module's attribute."""

    def with_attribute(attribute):
        point = EntryPoint("addon", f"{__name__}:{attribute}", catalog.ENTRY_POINT_GROUP)
        monkeypatch.setattr(EntryPoint, "load", lambda _: globals()[attribute])
        monkeypatch.setattr(catalog, "entry_points", lambda group: EntryPoints([point]).select(group=group))

    return with_attribute


def test_methods_stand_under_their_own_name():
    assert all(name == method.name for name, method in METHODS.items())


@pytest.mark.parametrize("name", METHODS)
def test_configs_carry_the_methods_name_and_an_input_size(name):
    config = METHODS[name].config_type()
    assert config.name == name
    assert config.input_size > 0


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.frozen_part])
def test_a_frozen_part_comes_from_a_method_of_the_catalog_that_learns_from_real_faces(name):
    assert METHODS[METHODS[name].frozen_part.method].real_only is not None


def test_a_run_of_the_mae_needs_as_many_real_faces_as_its_fit():
    mae = METHODS["rffr-mae"]
    config = mae.config_type(size="tiny", input_size=40, patch_size=8)
    fewest = mae.real_only.fewest_faces
    mae.real_only.fit(mae.build_network(config), [torch.rand(fewest, 3, 40, 40)])
    with pytest.raises(TrainingError, match=f"at least {fewest} of them"):
        mae.real_only.fit(mae.build_network(config), [torch.rand(fewest - 1, 3, 40, 40)])


def test_an_unknown_method_is_refused_with_the_likely_one():
    with pytest.raises(MethodError, match=r"no method is called 'recc'; did you mean recce\? known: .*recce"):
        get_method("recc")


def test_an_installed_package_can_offer_a_method(install):
    install("OTHER")
    assert get_method("other") is OTHER


def test_an_entry_point_that_is_no_method_is_refused(install):
    install("NOT_A_METHOD")
    with pytest.raises(MethodError, match=r"addon = .*NOT_A_METHOD must be a realface.models.method.Method, got str"):
        known_methods()


def test_an_entry_point_cannot_replace_a_method(install):
    install("CLASHING")
    with pytest.raises(MethodError, match=r"offers the method 'recce', which exists already"):
        known_methods()
