"""Each explorer: every control moves the picture, a learner's function feeds it, a wrong one is named."""

import time
from collections import OrderedDict

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from torch import nn

from cs231n_viz import explore, load_image, wrap
from cs231n_viz.exercises import cnn_review, cnn_sizes
from cs231n_viz.explore.n00_cnn_review.convolution import KERNELS
from cs231n_viz.explore.n00_cnn_review.stack_sizes import PRESETS, Stage, work_out
from cs231n_viz.explore.toolkit.canvas import SCALE


@pytest.fixture(scope="module")
def model():
    """Two convolutions, a pool and a head, at 48 px; big enough that fields are clipped at the border."""
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 6, 7, stride=2, padding=3),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 4, 3, padding=1),
        gap=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(4, 3),
    )
    torch.manual_seed(0)
    return wrap(nn.Sequential(layers).eval(), ["a", "b", "c"], input_size=48)


def other_values(control):
    """Some values a control can take beside the one it has."""
    if isinstance(control, widgets.Checkbox):
        return [not control.value]
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    else:
        values = np.unique(np.linspace(control.min, min(control.max, 40), 4).round().astype(int)).tolist()
    return [value for value in values if value != control.value][:4]


def move_every_control(explorer, skip=()):
    """Move each control on its own; whatever it was moved to, the picture must have changed and nothing failed."""
    for name, control in explorer.controls.items():
        if name in skip or isinstance(control, widgets.Button | widgets.Play | widgets.GridBox):
            continue
        before, values, start = explorer.picture, other_values(control), control.value
        assert values, name
        changed = False
        for value in values:
            control.value = value
            assert explorer.error is None, (name, value, explorer.error)
            changed |= explorer.picture.shape != before.shape or bool((explorer.picture != before).any())
        assert changed, f"{name} does not change the picture"
        control.value = start


def median_seconds(explorer, name, values):
    """Seconds of processor time per update, so that a busy machine does not decide the result."""
    spent = []
    for value in values:
        start = time.process_time()
        explorer.controls[name].value = value
        spent.append(time.process_time() - start)
    return np.median(spent)


def test_convolution_follows_every_control():
    explorer = explore.convolution()
    assert explorer.picture.dtype == np.uint8
    move_every_control(explorer, skip={"preset"})
    before = explorer.picture
    explorer.controls["kernel"].children[4].value = 7.5
    assert (explorer.picture != before).any()
    assert explorer.controls["preset"].value == "your own"


@pytest.mark.parametrize("preset", list(KERNELS))
def test_convolution_presets_fill_in_the_kernel(preset):
    explorer = explore.convolution()
    explorer.controls["preset"].value = preset
    assert explorer.controls["kernel"].value == tuple(np.ravel(KERNELS[preset]))
    assert explorer.controls["preset"].value == preset
    assert explorer.error is None


def test_convolution_says_the_sum_of_the_nine_products():
    explorer = explore.convolution(np.arange(9).reshape(3, 3) / 10)
    explorer.controls["preset"].value = "sharpen"
    assert "output[0, 0]" in explorer.text.value
    assert f"<b>{5 * 0.4 - 0.1 - 0.3 - 0.5 - 0.7:.3f}</b>" in explorer.text.value.replace("−", "-").replace(
        "-0.0", "0.0"
    )


def test_convolution_says_where_the_steps_do_not_divide():
    explorer = explore.convolution()
    assert explorer.message.value == ""
    explorer.controls["stride"].value = 2
    assert "(12 − 3) / 2 = 4.5 is not a whole number" in explorer.message.value
    assert "last row and column are never seen" in explorer.message.value
    explorer.controls["stride"].value = 3
    assert explorer.message.value == ""


def test_convolution_runs_through_all_output_cells():
    explorer = explore.convolution()
    explorer.controls["stride"].value = 3
    assert explorer.controls["cell"].max == explorer.controls["play"].max == 4 * 4 - 1
    explorer.controls["play"].value = 5
    assert explorer.controls["cell"].value == 5
    assert "output[1, 1]" in explorer.text.value


def test_convolution_is_fed_by_a_learners_function():
    ours, theirs = explore.convolution(), explore.convolution(conv2d=cnn_review.conv2d)
    assert theirs.error is None
    np.testing.assert_array_equal(ours.picture, theirs.picture)


def test_convolution_shows_what_a_wrong_function_says():
    def flipped(image, kernels, *, stride=1, padding=0):
        return cnn_review.conv2d(image, kernels.flip(2, 3), stride=stride, padding=padding)

    explorer = explore.convolution(conv2d=flipped)
    assert explorer.error is None
    assert "Your conv2d says" in explorer.text.value


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, kernels, *, stride, padding: image, "output size formula says"),
        (lambda image, kernels, *, stride, padding: image[0], "must return"),
        (lambda image, kernels: image, "unexpected keyword"),
    ],
)
def test_convolution_reports_a_function_that_cannot_be_used(function, message):
    explorer = explore.convolution(conv2d=function)
    assert message in str(explorer.error)
    assert "Not drawn" in explorer.message.value


def test_patches_have_limits():
    with pytest.raises(ValueError, match="3 to 16"):
        explore.convolution(np.zeros((40, 40)))


def test_pooling_follows_every_control_and_a_learners_function():
    explorer = explore.pooling("astronaut")
    move_every_control(explorer)
    ours, theirs = explore.pooling(), explore.pooling(max_pool=cnn_review.max_pool)
    np.testing.assert_array_equal(ours.picture, theirs.picture)


def test_pooling_says_which_value_wins():
    explorer = explore.pooling(np.array([[0.1, 0.9, 0], [0.2, 0.3, 0], [0, 0, 0]]))
    explorer.controls["cell"].value = 0
    assert "max(0.10, 0.90, 0.20, 0.30) = <b>0.900</b>" in explorer.text.value
    explorer.controls["kind"].value = "average"
    assert "<b>0.375</b>" in explorer.text.value


def test_stack_of_the_lecture():
    rows = work_out(*PRESETS["the lecture's example"])
    assert [row.shape for row in rows[:2]] == [(36, 28, 20), (18, 14, 20)]
    assert (rows[0].weights, rows[0].biases) == (320, 20)


def test_stack_of_alexnet_has_the_published_numbers():
    rows = work_out(*PRESETS["AlexNet"])
    assert sum(row.weights + row.biases for row in rows) == 61_100_840
    assert [rows[6].field, rows[7].field] == [163, 195]
    assert "54.25" in rows[0].note


def test_stack_where_a_window_does_not_fit():
    rows = work_out((5, 5, 1), [Stage("convolution", 2, kernel=7), Stage("pooling", kernel=2, stride=2)])
    assert rows[0].shape is None
    assert "larger than its input of 5" in rows[0].note
    assert rows[1].note == "has no input"


def test_stack_where_a_convolution_follows_a_fully_connected_layer():
    rows = work_out((5, 5, 1), [Stage("fully connected", 4), Stage("convolution", 2, kernel=1)])
    assert rows[1].shape is None
    assert "cannot follow" in rows[1].note


def test_stack_calculator_follows_every_control():
    explorer = explore.stack_calculator()
    move_every_control(explorer)


def test_stack_calculator_edits_adds_and_removes():
    explorer = explore.stack_calculator()
    explorer.controls["add"].click()
    assert len(explorer.controls["layer"].options) == 4
    explorer.controls["kernel"].value = 3
    assert "34×26×20" in explorer.text.value
    explorer.controls["remove"].click()
    assert len(explorer.controls["layer"].options) == 3
    assert "34×26×20" not in explorer.text.value
    for _ in range(5):
        explorer.controls["remove"].click()
    assert len(explorer.controls["layer"].options) == 1  # the last one stays
    assert explorer.error is None


def test_stack_calculator_uses_a_learners_functions():
    explorer = explore.stack_calculator(
        output_size=cnn_sizes.output_size,
        parameter_count=cnn_sizes.parameter_count,
        receptive_field=cnn_sizes.receptive_field,
    )
    for preset in PRESETS:
        explorer.controls["preset"].value = preset
        ours = explore.stack_calculator()
        ours.controls["preset"].value = preset
        assert explorer.text.value == ours.text.value
    doubled = explore.stack_calculator(parameter_count=lambda i, o, k, *, bias: 2 * i * o * k * k + bias * o)
    assert ">640<" in doubled.text.value


def test_receptive_fields_follows_every_control(model):
    explorer = explore.receptive_fields(model)
    move_every_control(explorer)
    assert list(explorer.controls["layer"].options) == ["conv1", "relu1", "pool1", "conv2", "gap"]


def test_receptive_fields_clicks_choose_units(model):
    explorer = explore.receptive_fields(model)
    explorer.controls["layer"].value = "conv2"  # 12×12 units
    on_map = (int((32 + 404 * 2.5 / 12) * SCALE), int((448 + 404 * 7.5 / 12) * SCALE))
    explorer.view.position = on_map
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (2, 7)
    explorer.view.position = (int((32 + 404 * 0.99) * SCALE), int((8 + 404 * 0.01) * SCALE))
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (11, 0)
    assert explorer.error is None
    top, left, bottom, right = model.layer("conv2").field.box(11, 0)
    assert f"rows {top} to {bottom - 1}, columns {left} to {right - 1}" in explorer.text.value
    assert "padding" in explorer.text.value


def test_receptive_fields_keeps_the_place_when_the_layer_changes(model):
    explorer = explore.receptive_fields(model)
    explorer.controls["layer"].value = "conv1"
    explorer.controls["row"].value, explorer.controls["col"].value = 20, 4
    explorer.controls["layer"].value = "conv2"
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (10, 2)


def test_filters_follow_every_control_and_clicks():
    explorer = explore.filters()
    move_every_control(explorer)
    explorer.controls["network"].value = "mini_alexnet"
    pitch = int(400 * SCALE) // 8
    explorer.view.position = (int(32 * SCALE) + pitch + 5, int(8 * SCALE) + 3 * pitch + 5)
    assert explorer.controls["filter"].value == 11
    explorer.view.position = (0, 0)  # beside the grid
    assert explorer.controls["filter"].value == 11


def test_filters_of_a_network_that_cannot_be_had_are_reported_in_place(model, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr("torchvision.models.get_model", unreachable)
    explorer = explore.filters(["mini_alexnet", "resnet18"])
    explorer.controls["network"].value = "resnet18"
    assert "resnet18" in str(explorer.error)
    assert "Offline, these work" in explorer.message.value
    explorer.controls["network"].value = "mini_alexnet"
    assert explorer.error is None


def test_filters_use_a_learners_functions(model):
    explorer = explore.filters(
        {"mine": model}, normalise_filters=lambda w: w * 0 + 0.5, dominant_orientation=lambda w: 37.4
    )
    assert explorer.error is None
    assert "37°" in explorer.text.value
    assert (explorer.picture[int(60 * SCALE), int(470 * SCALE)] == 128).all()
    broken = explore.filters({"mine": model}, normalise_filters=lambda w: w * 100)
    assert "must lie in [0, 1]" in str(broken.error)


def test_responses_follow_every_control_and_run_the_network_once_per_photograph(model, monkeypatch):
    runs = []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    explorer = explore.responses(model)
    for _ in range(2):
        for photograph in ("coffee", "cat"):
            explorer.controls["photograph"].value = photograph
    assert len(runs) == 2
    move_every_control(explorer)


def test_responses_show_the_true_maximum(model):
    explorer = explore.responses(model, "coffee")
    explorer.controls["filter"].value = 3
    with torch.no_grad():
        images = model.prepare(load_image("coffee"))
        expected = model.network[0]((images - model.mean) / model.std)[0, 3]
    assert f"{expected.max():.2f}".replace("-", "−") in explorer.text.value
    assert f"{(expected > 0).float().mean():.0%} of the positions" in explorer.text.value


def test_second_layer_follows_every_control(model):
    explorer = explore.second_layer(model)
    move_every_control(explorer)
    with pytest.raises(ValueError, match="wants a second one"):
        explore.second_layer(wrap(nn.Sequential(model.network[0], model.network[4], nn.Flatten()), list("abcdef")))


@pytest.mark.parametrize(
    ("build", "name", "values"),
    [
        (lambda model: explore.convolution(), "cell", range(20)),
        (lambda model: explore.pooling(), "cell", range(20)),
        (lambda model: explore.stack_calculator(), "height", range(40, 60)),
        (lambda model: explore.receptive_fields(model), "row", range(12)),
        (lambda model: explore.filters({"mini": model}), "filter", range(6)),
        (lambda model: explore.responses(model), "filter", range(6)),
        (lambda model: explore.second_layer(model), "unit", range(4)),
    ],
    ids=["convolution", "pooling", "stack_calculator", "receptive_fields", "filters", "responses", "second_layer"],
)
def test_updates_are_fast(build, name, values, model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = build(model)
    assert median_seconds(explorer, name, values) < 0.1
    assert len(explorer.seconds) >= len(values)
