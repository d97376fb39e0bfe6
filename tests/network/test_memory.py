"""The memory that gradients need is estimated before they are taken."""

import psutil
import pytest
import torch

from cs231n_viz.network import memory
from cs231n_viz.network.memory import bytes_per_pixel, check_memory, free_memory
from tests.networks import small_classifier


def test_the_estimate_counts_every_activation_up_to_the_deepest_layer():
    model = small_classifier()
    shallow, deep = bytes_per_pixel(model, ["relu1"]), bytes_per_pixel(model, ["relu2"])
    # Four copies in float32. conv1 and relu1: 6 channels at half the side, so a quarter of the pixels.
    assert shallow == pytest.approx(4 * 4 * 2 * 6 / 4)
    # And pool1: 6 channels, conv2 and relu2: 10 channels, all at a sixteenth of the pixels.
    assert deep == pytest.approx(shallow + 4 * 4 * (6 + 10 + 10) / 16)


@pytest.mark.parametrize("copies", [0, 40])
def test_what_would_not_fit_is_refused_with_the_largest_size_that_does(copies, monkeypatch):
    model = small_classifier()
    each = bytes_per_pixel(model, ["relu2"]) + 3 * 4 * copies
    monkeypatch.setattr(memory, "free_memory", lambda device: each * 300 * 200 / 0.8)
    check_memory(model, ["relu2"], (300, 200), copies=copies)
    with pytest.raises(ValueError, match=r"^the style at 400 × 600 pixels would take .* a longer side of 300$"):
        check_memory(model, ["relu2"], (600, 400), what="style", copies=copies)


def test_free_memory_is_between_what_is_unused_and_what_there_is():
    system = psutil.virtual_memory()
    assert 0.5 * system.free < free_memory(torch.device("cpu")) < system.total
