"""The stack calculator: published numbers, and what does not fit is named."""

from cs231n_viz import explore, load_model
from cs231n_viz.exercises import find
from cs231n_viz.explore.n00_cnn_review.stack_sizes import PRESETS, Stage, compute_stack
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, press


def test_stack_of_the_lecture():
    rows = compute_stack(*PRESETS["39 × 31 × 1, of lecture notes"])
    assert [row.shape for row in rows[:2]] == [(36, 28, 20), (18, 14, 20)]
    assert (rows[0].weights, rows[0].biases) == (320, 20)


def test_stack_of_alexnet_has_the_published_numbers():
    rows = compute_stack(*PRESETS["AlexNet"])
    assert sum(row.weights + row.biases for row in rows) == 61_100_840
    assert [rows[6].field, rows[7].field] == [163, 195]
    assert "54.25" in rows[0].note


def test_the_preset_of_a_shipped_network_is_that_network():
    model, (size, stages) = load_model("mini_vgg"), PRESETS["mini_vgg"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert size == (model.input_size, model.input_size, 3)
    rows = compute_stack(size, stages)
    assert sum(row.weights + row.biases for row in rows) == parameters
    kinds = {"Conv2d", "MaxPool2d", "AdaptiveAvgPool2d", "Linear"}
    shapes = [layer.shape for layer in model.layers() if layer.kind in kinds]
    assert [row.shape[::-1] for row in rows] == [(*shape, 1, 1)[:3] for shape in shapes]


def test_a_click_on_a_block_chooses_its_layer():
    explorer = explore.stack_calculator()
    explorer.controls["preset"].value = "AlexNet"
    slot = (860 - 16) / 12  # the input and eleven layers
    explorer.view.position = (200, round((8 + 3.5 * slot) * SCALE))
    assert explorer.controls["layer"].value == 2
    press(explorer, "right")
    assert explorer.controls["layer"].value == 3
    explorer.view.position = (200, round((8 + 0.5 * slot) * SCALE))  # the input
    assert explorer.controls["layer"].value == 3


def test_stack_where_a_window_does_not_fit():
    rows = compute_stack((5, 5, 1), [Stage("convolution", 2, kernel=7), Stage("pooling", kernel=2, stride=2)])
    assert rows[0].shape is None
    assert "larger than its input of 5" in rows[0].note
    assert rows[1].note == "has no input"


def test_stack_where_a_convolution_follows_a_fully_connected_layer():
    rows = compute_stack((5, 5, 1), [Stage("fully connected", 4), Stage("convolution", 2, kernel=1)])
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
        output_size=find("output_size").reference,
        parameter_count=find("parameter_count").reference,
        receptive_field=find("receptive_field").reference,
    )
    for preset in PRESETS:
        explorer.controls["preset"].value = preset
        ours = explore.stack_calculator()
        ours.controls["preset"].value = preset
        assert explorer.text.value == ours.text.value
    doubled = explore.stack_calculator(parameter_count=lambda i, o, k, *, bias: 2 * i * o * k * k + bias * o)
    assert ">640<" in doubled.text.value


def test_stack_calculator_updates_are_fast():
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.stack_calculator()
    assert median_seconds(explorer, "height", range(40, 60)) < 0.1
    assert len(explorer.seconds) >= len(range(40, 60))
