"""Folded forms, reset, and the place from which the arrow keys of a picture go on."""

import asyncio

import ipywidgets as widgets
import numpy as np
import pytest

from cs231n_viz.explore import ClickablePicture, Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import SCALE
from cs231n_viz.explore.toolkit.controls import dropdown, slider

BLACK = np.zeros((40, 60, 3), np.uint8)


def names_in(box, controls):
    """The names of the controls inside a box."""
    inside = {id(box)} | {id(child) for child in walk(box)}
    return [name for name, control in controls.items() if id(control) in inside]


def walk(box):
    for child in getattr(box, "children", ()):
        yield child
        yield from walk(child)


def folded(explorer):
    fold = next(box for box in walk(explorer) if "cs231n-more" in box._dom_classes)
    return names_in(fold, explorer.controls)


def seven(**options):
    controls = {name: slider(name, 0, 9) for name in "abcdefg"}
    return Explorer(lambda **_: BLACK, controls, panel=["ab", "cd", "ef", "g"], **options)


def test_five_controls_are_seen_at_first_and_none_is_lost():
    explorer = seven()
    assert folded(explorer) == ["f", "g"]
    assert names_in(explorer, explorer.controls) == list("abcdefg")


def test_an_explorer_may_choose_what_is_seen_first():
    assert folded(seven(first=["a", "g"])) == ["b", "c", "d", "e", "f"]
    with pytest.raises(ValueError, match="first names x; the panel has a, b"):
        seven(first=["a", "x"])


def test_buttons_stay_below_the_fold():
    controls = {name: slider(name, 0, 9) for name in "abcdef"} | {"go": widgets.Button(description="go")}
    explorer = Explorer(lambda a: BLACK, controls, panel=["abc", "def", widgets.HBox([controls["go"]])])
    form = explorer.children[0]
    assert folded(explorer) == ["f"]
    assert form.children[-1].children == (controls["go"],)
    assert form.children.index(explorer.bar) < len(form.children) - 2


def test_reset_gives_back_the_first_values_also_of_what_follows_from_another_control():
    network, layer = dropdown("network", ["one", "two"]), dropdown("layer", ["a", "b"], value="b")
    network.observe(lambda change: setattr(layer, "options", ["a", "b"] if change.new == "one" else ["c"]), "value")
    seen = []
    explorer = Explorer(
        lambda network, layer: seen.append((network, layer)) or BLACK, {"network": network, "layer": layer}
    )
    network.value = "two"
    assert layer.value == "c"
    explorer.bar._handle_custom_msg({"kind": "reset"}, [])
    assert seen[-1] == ("one", "b")
    assert (network.value, layer.value) == ("one", "b")


def test_reset_in_a_loop_is_one_drawing():
    calls = []
    explorer = Explorer(lambda a, b: calls.append((a, b)) or BLACK, {"a": slider("a", 1, 9), "b": slider("b", 2, 9)})

    async def move_and_reset():
        explorer.controls["a"].value = explorer.controls["b"].value = 7
        await asyncio.sleep(0)
        explorer.reset()
        await asyncio.sleep(0)

    asyncio.run(move_and_reset())
    assert calls == [(1, 2), (7, 7), (1, 2)]


def test_keys_go_on_from_where_the_sliders_are_and_nobody_takes_that_for_a_click():
    view, clicks = ClickablePicture(), []
    view.observe(lambda change: clicks.append(change.new), names="position")
    explorer = Explorer(lambda x: Drawing(BLACK, at=(x, 5)), {"x": slider("x", 3, 20)}, view=view)
    assert view.at == view.position == (round(5 * SCALE), round(3 * SCALE))
    explorer.controls["x"].value = 11
    assert view.at == view.position == (round(5 * SCALE), round(11 * SCALE))
    assert clicks == []
    view.position = (1, 2)  # what the page sends
    assert clicks == [(1, 2)]


def test_what_a_kernel_that_is_gone_leaves_says_so():
    explorer = Explorer(lambda: BLACK, {})
    gone = [part for part in explorer.children if "cs231n-gone" in part._dom_classes]
    assert "kernel" in gone[0].value
    assert 'role="alert"' in gone[0].value
