import pytest
import torch
from torch import nn

from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import centre_square, load_image
from cs231n_viz.style.fast import FastStyle
from cs231n_viz.style.training import CONTENT, style_terms, train_style
from cs231n_viz.synthesis.ascent import AscentError
from cs231n_viz.texture.neural import gram_distance, grams, style_layers


@pytest.fixture(scope="module")
def critic() -> nn.Module:
    return load_model("mini_vgg")


@pytest.fixture
def network() -> FastStyle:
    torch.manual_seed(0)
    return FastStyle(["a", "b"]).eval().requires_grad_(False)


def training(network: FastStyle, **options):
    given = {"pictures": [load_image("cat")], "steps": 3, "batch": 1, "size": 64, "progress": False} | options
    return train_style(network, given.pop("name", "c"), given.pop("painting", load_image("coffee")), **given)


def test_only_the_new_row_is_trained_and_all_else_stays_bit_for_bit(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    run = training(network)
    run.finish()
    after = run.network.state_dict()
    assert run.network.styles == ["a", "b", "c"]
    for key, old in before.items():
        new = after[key]
        assert torch.equal(new[: len(old)], old), key
        if key.endswith(("gamma", "beta")):
            assert not torch.equal(new[-1], old.mean(0)), key
    image = torch.rand(1, 3, 32, 32)
    for weights in ([1.0, 0.0], [0.3, 0.7]):
        made = run.network(image, torch.tensor([*weights, 0.0]))
        torch.testing.assert_close(made, network(image, torch.tensor(weights)), atol=1e-5, rtol=0)
    assert not any(parameter.requires_grad for parameter in run.network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_loss_falls(network):
    run = training(network, steps=12, lr=0.05)
    run.finish()
    assert len(run.scores) == run.total == 13
    assert run.scores[-1] > 0.8 * run.scores[0]  # both negative: at least a fifth less
    assert run.latest.image.shape == (1, 3, 64, 64)


def test_the_same_seed_gives_the_same_style(network):
    first, again, other = (training(network, seed=seed).finish().image for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_critic_is_left_as_it_was(network, critic):
    modes = [module.training for module in critic.modules()]
    training(network, critic=critic).finish()
    assert [module.training for module in critic.modules()] == modes
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_the_terms_are_relative_distances(network, critic):
    class Copy(nn.Module):
        def forward(self, images, weights):
            return images

    image = centre_square(load_image("cat"), 96)
    targets = grams(critic, centre_square(load_image("coffee"), 96), style_layers(critic))
    terms = style_terms(Copy(), critic, image, weights=torch.ones(1, 1), targets=targets, factors=(1.0, 1.0, 0.0))
    assert terms["content"] < 1e-6
    assert terms["variation"] == 0
    wanted = gram_distance(grams(critic, image, list(targets)), targets)
    assert terms["style"].item() == pytest.approx(wanted.item(), rel=0.03)  # bfloat16
    assert CONTENT in [layer.name for layer in critic.layers()]


def test_a_loss_that_is_no_number_stops_the_training_before_it_spreads(network):
    with pytest.raises(AscentError, match="smaller lr"):
        training(network, painting=torch.full((3, 64, 64), float("nan"))).finish()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "a"}, ValueError, "already"),
        ({"like": "z"}, KeyError, "there are a, b"),
        ({"painting": torch.rand(1, 3, 64, 64)}, ValueError, r"must be \(3, h, w\)"),
        ({"pictures": [torch.rand(3, 8, 64)]}, ValueError, "at least 16 px"),
        ({"pictures": []}, ValueError, "got 0"),
        ({"steps": 0}, ValueError, ">= 1"),
    ],
)
def test_what_cannot_be_learned_is_refused_at_once(network, options, error, message):
    with pytest.raises(error, match=message):
        training(network, **options)
