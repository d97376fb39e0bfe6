"""Old names work, and the warning at the caller's line says what to write now."""

from dataclasses import dataclass

import pytest

from cs231n_viz.deprecation import moved_keywords, renamed


@dataclass(frozen=True)
class Loss:
    style: float = 10.0
    tv: float = 30.0

    def __post_init__(self):
        if self.tv < 0:
            raise ValueError(f"tv must be at least 0, got {self.tv}")


@moved_keywords(style_weight="loss.style", tv_weight="loss.tv", average="average_pooling")
def paint(picture, *, loss=Loss(), average_pooling=False):
    """Paint."""
    return picture, loss, average_pooling


def test_new_forms_do_not_warn(recwarn):
    assert paint(1) == (1, Loss(), False)
    assert paint(1, loss=Loss(tv=2.0), average_pooling=True) == (1, Loss(tv=2.0), True)
    assert not recwarn


def test_old_keywords_go_to_their_new_places_and_one_warning_says_where():
    with pytest.warns(DeprecationWarning, match="is now") as warned:
        assert paint(1, tv_weight=0.0, style_weight=5.0, average=True) == (1, Loss(5.0, 0.0), True)
    assert len(warned) == 1
    assert str(warned[0].message) == (
        "paint(style_weight=…, tv_weight=…, average=…) is now paint(loss=Loss(style=…, tv=…), average_pooling=…)"
    )
    assert warned[0].filename == __file__


def test_an_old_keyword_changes_its_field_only():
    with pytest.warns(DeprecationWarning, match="is now"):
        assert paint(1, loss=Loss(tv=1.0), style_weight=5.0) == (1, Loss(5.0, 1.0), False)


def test_values_are_checked_as_in_the_new_form():
    with pytest.raises(ValueError, match="tv must be at least 0, got -1"):
        paint(1, tv_weight=-1)  # the error comes first, and its words are those of the new form
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        paint(1, weight=1)


def test_the_function_looks_as_before():
    assert paint.__name__ == "paint"
    assert paint.__doc__ == "Paint."


def test_a_renamed_function_warns_and_is_the_new_one():
    old = renamed(paint, "draw")
    with pytest.warns(DeprecationWarning, match=r"^draw\(\) is now paint\(\)$") as warned:
        assert old(2, average_pooling=True) == (2, Loss(), True)
    assert warned[0].filename == __file__
    assert old.__name__ == "draw"
