import pytest
import torch
from torch import nn

from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import centre_square, load_image
from cs231n_viz.representation.gram import gram_distance, grams, style_layers
from cs231n_viz.style.fast import FastStyle
from cs231n_viz.style.loss import StyleLoss
from cs231n_viz.style.training import STYLE_PIXELS, StyleTraining, random_view, style_targets, style_terms, train_style
from cs231n_viz.synthesis.ascent import AscentError


@pytest.fixture(scope="module")
def critic() -> nn.Module:
    return load_model("mini_vgg")


@pytest.fixture
def network() -> FastStyle:
    torch.manual_seed(0)
    return FastStyle(["a", "b"]).eval().requires_grad_(False)


def training(network: FastStyle, **options):
    how = {"steps": 3, "batch": 1, "size": 64} | {
        name: options.pop(name) for name in ("steps", "lr") if name in options
    }
    given = {"pictures": [load_image("cat")], "training": StyleTraining(**how), "progress": False} | options
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
    targets = grams(critic, centre_square(load_image("coffee"), 96), style_layers(critic, pools=True))
    loss = StyleLoss(content=1.0, style=1.0, tv=0.0)
    terms = style_terms(Copy(), critic, image, weights=torch.ones(1, 1), targets=targets, loss=loss)
    assert list(terms) == ["content", "style", "tv"]
    assert terms["content"] < 1e-6
    assert terms["tv"] == 0
    wanted = gram_distance(grams(critic, image, list(targets)), targets)
    assert terms["style"].item() == pytest.approx(wanted.item(), rel=0.03)  # bfloat16
    both = style_terms(
        Copy(),
        critic,
        torch.cat([image, image]),
        weights=torch.ones(2, 1),
        targets={layer: target.expand(2, -1, -1) for layer, target in targets.items()},
        loss=loss,
    )
    assert both["style"].item() == pytest.approx(terms["style"].item(), rel=0.01)  # a mean, not a sum
    far = {layer: target / 100 for layer, target in targets.items()}
    terms = style_terms(Copy(), critic, image, weights=torch.ones(1, 1), targets=far, loss=loss)
    assert terms["style"].item() == pytest.approx(20)


def test_the_targets_are_those_of_the_middle_square(critic):
    painting = load_image("coffee")
    targets = style_targets(critic, painting)
    expected = grams(critic, centre_square(painting, STYLE_PIXELS), style_layers(critic, pools=True))
    assert all(torch.equal(targets[layer], matrix) for layer, matrix in expected.items())


def test_a_view_is_a_large_square_of_the_picture_sometimes_mirrored():
    places = torch.linspace(0, 1, 100).expand(3, 80, 100).contiguous()
    views = [random_view(places, 32, torch.Generator().manual_seed(seed)) for seed in range(30)]
    widths = [view[0, 0, 0].max() - view[0, 0, 0].min() for view in views]
    assert all(view.shape == (1, 3, 32, 32) for view in views)
    assert 0.4 < min(widths) < 0.55 < 0.7 < max(widths) < 0.82  # of the columns: 60 to 100 % of 80 out of 100
    rising = [bool(view[0, 0, 0, -1] > view[0, 0, 0, 0]) for view in views]
    assert 5 < sum(rising) < 25
    bytes_ = (places * 255).round().to(torch.uint8)
    same = random_view(bytes_, 32, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, views[0], atol=3e-3, rtol=0)


def test_the_options_of_the_training_may_still_be_given_directly(network):
    new = training(network, steps=2)
    with pytest.warns(
        DeprecationWarning, match=r"is now train_style\(training=StyleTraining\(steps=…, batch=…, size=…"
    ):
        old = train_style(
            network, "c", load_image("coffee"), pictures=[load_image("cat")], steps=2, batch=1, size=64, progress=False
        )
    assert old.settings == new.settings
    assert torch.equal(old.image, new.image)


def test_a_loss_that_is_no_number_stops_the_training_before_it_spreads(network):
    network.last.bias.data.fill_(float("nan"))
    with pytest.raises(AscentError, match="smaller lr"):
        training(network).finish()
    with pytest.raises(ValueError, match="finite; these hold NaN"):
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
