"""The references against PyTorch and the package, on many inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import cs231n_viz as viz
from cs231n_viz.exercises import find
from cs231n_viz.exercises.n01_first_layer.dominant_orientation import grating
from tests.mutants.n00_cnn_review.receptive_field import by_gradient_support

pytestmark = pytest.mark.usefixtures("one_thread")


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_output_size_is_that_of_torch_or_refused(size, kernel, stride, padding):
    output_size = find("output_size").reference
    room = size + 2 * padding - kernel
    if room < 0 or room % stride:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, kernel=kernel, stride=stride, padding=padding)
    else:
        out = functional.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), stride=stride, padding=padding)
        assert output_size(size, kernel=kernel, stride=stride, padding=padding) == out.shape[-1]


@pytest.mark.parametrize("bias", [True, False])
def test_parameter_count_is_that_of_torch(bias):
    layer = nn.Conv2d(3, 7, 5, bias=bias)
    assert find("parameter_count").reference(3, 7, 5, bias=bias) == sum(p.numel() for p in layer.parameters())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_conv2d_and_max_pool_are_those_of_torch(channels, kernel, stride, filters, padding):
    generator = torch.Generator().manual_seed(kernel)
    image = torch.randn(channels, 7, 9, generator=generator, dtype=torch.float64)
    kernels = torch.randn(filters, channels, kernel, 2, generator=generator, dtype=torch.float64)
    expected = functional.conv2d(image[None], kernels, stride=stride, padding=padding)[0]
    torch.testing.assert_close(find("conv2d").reference(image, kernels, stride=stride, padding=padding), expected)
    pooled = functional.max_pool2d(image[None], kernel, stride)[0]
    torch.testing.assert_close(find("max_pool").reference(image, kernel, stride), pooled)


@pytest.mark.parametrize("stack", [[(11, 4), (3, 2), (5, 1), (3, 2)], [(3, 1), (2, 2), (3, 1)], [(1, 3), (2, 1)]])
def test_receptive_field_is_the_support_of_the_gradient(stack):
    assert find("receptive_field").reference(stack) == by_gradient_support(stack)


def test_normalise_filters_is_that_of_the_package():
    weights = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    weights[2] = 0
    torch.testing.assert_close(find("normalise_filters").reference(weights), viz.normalise_filters(weights))


@pytest.mark.parametrize("frequency", [0.15, 0.2, 0.25, 0.3])
def test_dominant_orientation_is_within_five_degrees_for_every_angle(frequency):
    for angle in range(0, 180, 3):
        orientation = find("dominant_orientation").reference(grating(angle, frequency=frequency))
        assert 0 <= orientation < 180
        assert abs((orientation - angle + 90) % 180 - 90) < 5
