"""The names of the explorers."""

import inspect
import pkgutil

import pytest

from cs231n_viz import explore


def test_every_public_name_is_a_function_or_a_class_and_hides_no_module():
    modules = {module.name for module in pkgutil.iter_modules(explore.__path__)}
    assert not modules & set(explore.__all__)
    for name in explore.__all__:
        assert inspect.isfunction(getattr(explore, name)) or inspect.isclass(getattr(explore, name))


@pytest.mark.parametrize(("old", "new"), [("judge", "deletion"), ("outline", "segmentation")])
def test_old_names_still_work_and_say_the_new_ones(old, new):
    with pytest.warns(DeprecationWarning, match=f"viz.explore.{old} is now viz.explore.{new}") as caught:
        assert getattr(explore, old) is getattr(explore, new)
    assert caught[0].filename == __file__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'climb'"):
        _ = explore.climb
