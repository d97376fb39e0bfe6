"""The loop, on objectives whose maximum is known."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from cs231n_viz.synthesis.ascent import Ascent, AscentError, ascend
from cs231n_viz.synthesis.objectives import redirected
from cs231n_viz.synthesis.parameterisation import Pixels


def start(value=0.5, count=1, side=4):
    return torch.full((count, 3, side, side), value)


def closeness(target):
    return lambda image: -(image - target).square().sum()


class Free(nn.Module):
    """Any values as they are, without a range."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self):
        return self.values


TARGET = torch.linspace(0.2, 0.8, 48).reshape(1, 3, 4, 4)
WAYS = {
    "adam": {"lr": 0.05, "steps": 150},
    "plain": {"lr": 0.25, "steps": 40},
    "unit": {"lr": 0.004, "steps": 400},
    "mean": {"lr": 0.002, "steps": 400},
    "sign": {"lr": 0.002, "steps": 200},
    "lbfgs": {"lr": 1.0, "steps": 5},
}


@pytest.mark.parametrize("rule", WAYS)
def test_every_rule_reaches_a_known_maximum(rule):
    *_, last = ascend(Pixels(start()), closeness(TARGET), rule=rule, **WAYS[rule])
    torch.testing.assert_close(last.image, TARGET, atol=0.005, rtol=0)
    assert last.score == pytest.approx(0, abs=1e-3)


def test_lbfgs_solves_a_badly_scaled_quadratic_in_few_steps():
    curvature = torch.logspace(0, 2, 8)

    def valley(values):
        return -(curvature * (values - 3).square()).sum() / 2

    *_, by_lbfgs = ascend(Free(torch.zeros(1, 8)), valley, rule="lbfgs", lr=1.0, steps=25)
    *_, by_gradient = ascend(Free(torch.zeros(1, 8)), valley, rule="plain", lr=1 / 100, steps=25)  # the longest stable
    assert by_lbfgs.score > -1e-4
    assert by_gradient.score < -1


@pytest.mark.parametrize(("rule", "length"), [("unit", lambda d: d.norm()), ("mean", lambda d: d.abs().mean())])
def test_normalised_steps_have_the_length_that_was_asked_for_in_each_picture(rule, length):
    weights = torch.randn(2, 3, 4, 4) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1)
    steps = list(ascend(Free(start(count=2)), lambda x: (weights * x).sum(), rule=rule, lr=0.3, steps=3))
    for before, after in pairwise(steps):
        for moved, gradient in zip(after.image - before.image, weights, strict=True):
            assert length(moved).item() == pytest.approx(0.3, rel=1e-4)
            assert nn.functional.cosine_similarity(moved.flatten(), gradient.flatten(), dim=0) > 1 - 1e-5


def test_plain_and_sign_steps_are_the_gradient_and_its_sign():
    weights = torch.randn(1, 3, 4, 4)
    for rule, direction in (("plain", weights), ("sign", weights.sign())):
        _, last = ascend(Free(start()), lambda x: (weights * x).sum(), rule=rule, lr=0.1, steps=1)
        torch.testing.assert_close(last.image - start(), 0.1 * direction)


def test_the_first_step_is_the_start_and_every_score_belongs_to_its_picture():
    steps = list(ascend(Pixels(start()), closeness(TARGET), steps=5))
    assert [step.index for step in steps] == [0, 1, 2, 3, 4, 5]
    assert torch.equal(steps[0].image, start())
    for step in steps:
        assert step.score == pytest.approx(closeness(TARGET)(step.image).item())
        assert not step.image.requires_grad


def test_no_step_leaves_the_start():
    (only,) = ascend(Pixels(start()), closeness(TARGET), steps=0)
    assert torch.equal(only.image, start())


def test_a_picture_that_was_yielded_stays_what_it_was():
    steps = ascend(Pixels(start()), closeness(TARGET), steps=3)
    first = next(steps)
    kept = first.image.clone()
    next(steps)
    assert torch.equal(first.image, kept)


def test_the_projection_keeps_pixels_in_their_range():
    *_, last = ascend(Pixels(start()), lambda x: x[:, 0].sum() - x[:, 1].sum(), rule="sign", lr=0.2, steps=6)
    assert torch.equal(last.image[:, 0], torch.ones(1, 4, 4))
    assert torch.equal(last.image[:, 1], torch.zeros(1, 4, 4))


def test_what_follows_a_step_sees_its_gradient_and_may_change_the_picture():
    seen = []

    def after(image_of, gradients, index):
        seen.append((index, gradients[0].clone()))
        image_of.pixels.fill_(0.25)

    *_, last = ascend(Pixels(start()), lambda x: 3 * x.sum(), rule="plain", lr=0.01, steps=2, after=after)
    assert [index for index, _ in seen] == [0, 1]
    assert all(torch.equal(gradient, torch.full((1, 3, 4, 4), 3.0)) for _, gradient in seen)
    assert torch.equal(last.image, start(0.25))


def test_a_network_on_the_way_gets_no_gradients():
    network = nn.Conv2d(3, 2, 3)
    list(ascend(Pixels(start()), lambda x: network(x).sum(), steps=2))
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("grad", [True, False])
def test_it_works_whatever_the_callers_gradient_mode(grad):
    with torch.set_grad_enabled(grad):
        first, last = ascend(Pixels(start()), closeness(TARGET), steps=1)
        assert last.score > first.score
        assert torch.is_grad_enabled() is grad


def test_a_score_that_is_no_number_is_said():
    with pytest.raises(AscentError, match="the score is nan after 0 steps; try a smaller lr"):
        list(ascend(Pixels(start()), lambda x: (x.sum() * 0).log() * 0))
    steps = ascend(Free(start()), lambda x: x.square().sum() ** 4, rule="plain", lr=1e9)
    with pytest.raises(AscentError, match="try a smaller lr"):
        list(steps)


def test_a_gradient_that_is_no_number_is_said():
    with pytest.raises(AscentError, match="the gradient is not finite after 0 steps"):
        list(ascend(Pixels(start(0.0)), lambda x: x.sqrt().sum()))


def test_a_dead_objective_is_said_and_the_advice_works():
    def dead(image):
        return (image - 0.9).relu().sum()

    with pytest.raises(AscentError, match=r"dead.*redirected\(objective\)"):
        list(ascend(Pixels(start()), dead))
    *_, last = ascend(Pixels(start()), redirected(dead), steps=20)
    assert last.score > 0


def test_an_objective_must_be_one_number_that_depends_on_the_picture():
    with pytest.raises(ValueError, match=r"one number, got \(2,\); sum it"):
        list(ascend(Pixels(start(count=2)), lambda x: x.mean(dim=(1, 2, 3))))
    with pytest.raises(ValueError, match="does not depend on the picture"):
        list(ascend(Pixels(start()), lambda x: x.detach().sum()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": -1}, "steps=-1"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": math.nan}, "lr must be a number, got NaN"),
        ({"rule": "newton"}, "adam, lbfgs, plain, unit, mean, sign; got 'newton'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        list(ascend(Pixels(start()), closeness(TARGET), **options))


def test_a_parameterisation_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter to change"):
        list(ascend(nn.Identity(), closeness(TARGET)))


# Ascent: what the recipes return.


def an_ascent(steps=4, **options):
    return Ascent(ascend(Pixels(start()), closeness(TARGET), steps=steps), steps + 1, progress=False, **options)


def test_an_ascent_counts_what_was_made_and_what_is_left():
    ascent = an_ascent(settings={"seed": 3})
    assert (ascent.total, len(ascent), ascent.latest, ascent.scores) == (5, 5, None, [])
    first = next(ascent)
    assert (ascent.latest, len(ascent), ascent.scores) == (first, 4, [first.score])
    assert ascent.settings == {"seed": 3}


def test_image_and_score_make_the_steps_that_are_left():
    ascent = an_ascent()
    next(ascent)
    image = ascent.image
    assert ascent.latest.index == 4
    assert torch.equal(image, ascent.latest.image)
    assert ascent.score == ascent.latest.score == ascent.scores[-1]
    assert len(ascent) == 0
    assert len(ascent.scores) == 5
    assert list(ascent) == []


def test_the_same_ascent_gives_the_same_picture():
    assert torch.equal(an_ascent().image, an_ascent().image)


def test_an_interrupt_keeps_what_was_reached():
    calls = []

    def objective(image):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return closeness(TARGET)(image)

    ascent = Ascent(ascend(Pixels(start()), objective, steps=4), 5, progress=False)
    with pytest.raises(KeyboardInterrupt):
        ascent.finish()
    assert ascent.latest.index == 1
    assert len(ascent.scores) == 2
    assert torch.equal(ascent.image, ascent.latest.image)  # nothing is left to do: what was reached is the end


def test_the_bar_is_shown_on_request_only(capsys):
    an_ascent().finish()
    assert capsys.readouterr().err == ""
    Ascent(ascend(Pixels(start()), closeness(TARGET), steps=2), 3).finish()
    assert "3/3" in capsys.readouterr().err
