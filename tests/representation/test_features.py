import copy

import pytest
import torch

import cs231n_viz as viz


class Pictures:
    """Random pictures, made when they are asked for; notes which."""

    def __init__(self, n, side=224):
        self.n, self.side, self.asked, self.key = n, side, [], f"random({n})"

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.asked.append(index)
        return torch.rand(3, self.side, self.side, generator=torch.Generator().manual_seed(index)), index % 2


@pytest.fixture(scope="module")
def model():
    return viz.load_model("mini_alexnet", weights=None)


def test_features_are_the_flattened_activations_of_every_picture_in_order(model):
    model, pictures = copy.deepcopy(model).double(), Pictures(5)
    rows = viz.features(model, pictures, "conv5", batch=2, progress=False)
    images = torch.stack([pictures[i][0] for i in range(5)]).double()
    exact = viz.activations(model, images, ["conv5"])["conv5"].float()
    assert rows.shape == (5, 128 * 13 * 13)
    torch.testing.assert_close(rows, exact.flatten(1))
    pools = {"mean": exact.mean((2, 3)), "max": exact.amax((2, 3))}
    for pool, expected in pools.items():
        part = viz.features(model, pictures, "conv5", pool=pool, progress=False)
        torch.testing.assert_close(part, expected)


def test_pooling_leaves_vectors_alone(model):
    pictures = Pictures(2)
    plain = viz.features(model, pictures, "fc7", progress=False)
    assert plain.shape == (2, 512)
    assert torch.equal(plain, viz.features(model, pictures, "fc7", pool="max", progress=False))


def test_each_picture_is_asked_for_once_and_later_layers_never_run(model):
    pictures, ran = Pictures(5), []
    handle = model.network.fc6.register_forward_hook(lambda *_: ran.append(1))
    viz.features(model, pictures, "pool1", pool="mean", batch=2, progress=False)
    handle.remove()
    assert pictures.asked == [0, 1, 2, 3, 4]
    assert not ran


def test_pixels_are_the_picture_itself_squeezed():
    image = torch.rand(3, 4, 4)
    assert torch.equal(viz.pixels([(image, 0)], side=4), image.flatten()[None])
    even = torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, 8, 16)
    expected = torch.tensor([0.2, 0.4, 0.6]).repeat_interleave(4)[None]
    torch.testing.assert_close(viz.pixels([(even, 0)], side=2), expected)
    bright_left = torch.zeros(3, 8, 16)
    bright_left[:, :, :8] = 1
    left, right = viz.pixels([(bright_left, 0)], side=2).view(3, 2, 2).unbind(2)
    assert (left > 0.8).all()
    assert (right < 0.2).all()


def test_unfit_features_are_refused(model):
    with pytest.raises(KeyError, match="fc7"):
        viz.features(model, Pictures(1), "fc77")
    with pytest.raises(ValueError, match="empty"):
        viz.features(model, [], "fc7")
    with pytest.raises(ValueError, match="empty"):
        viz.pixels([])
    with pytest.raises(ValueError, match="'mean' or 'max', got 'sum'"):
        viz.features(model, Pictures(1), "conv5", pool="sum")
