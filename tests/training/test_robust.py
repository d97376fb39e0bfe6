import math

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from cs231n_viz.network.shipped import ARCHITECTURES, fold_batch_norm
from training import pictures, robust
from training.classifiers import MEAN, STD


class Linear(nn.Module):
    """Two logits, the second minus the first the sum of weights * normalised pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images):
        score = (images * self.weights).sum((1, 2, 3))
        return torch.stack([-score / 2, score / 2], 1)


def test_the_attack_on_a_linear_network_ends_where_the_ball_touches_the_gradient():
    weights = torch.randn(3, 8, 8)
    images = torch.full((2, 3, 8, 8), 0.5)
    attacked = robust.l2_attack(Linear(weights), images, torch.tensor([0, 1]), epsilon=0.1, steps=30, step=0.05, seed=0)
    direction = weights / torch.tensor(STD).view(3, 1, 1)  # of the normalised picture's score, with respect to RGB
    expected = 0.1 * direction / direction.norm()
    torch.testing.assert_close(attacked - images, torch.stack([expected, -expected]), atol=2e-3, rtol=0)


def test_the_attack_stays_within_its_ball_and_within_the_colours():
    images = torch.rand(4, 3, 8, 8).round()  # black and white: every change that leaves [0, 1] is clipped
    attacked = robust.l2_attack(
        Linear(torch.randn(3, 8, 8)), images, torch.zeros(4, dtype=torch.long), epsilon=0.7, steps=3, step=1.0, seed=1
    )
    assert (attacked - images).flatten(1).norm(dim=1).max() <= 0.7 + 1e-5
    assert 0 <= attacked.min()
    assert attacked.max() <= 1


def test_each_picture_of_an_attacked_batch_stays_in_its_own_ball():
    torch.manual_seed(0)
    images, radii = torch.full((20, 3, 8, 8), 0.5), torch.linspace(0.05, 1, 20)
    attacked = robust.l2_attack(
        Linear(torch.randn(3, 8, 8)),
        images,
        torch.zeros(20, dtype=torch.long),
        epsilon=radii.view(-1, 1, 1, 1),
        steps=1,
        step=3 * radii.view(-1, 1, 1, 1),
        seed=0,
    )
    torch.testing.assert_close((attacked - images).flatten(1).norm(dim=1), radii)


def test_a_third_of_the_views_is_faded_and_every_depth_is_as_likely():
    contrasts = robust.random_contrasts(40_000, seed=0).flatten()
    faded = contrasts[contrasts < 1]
    assert len(faded) / len(contrasts) == pytest.approx(0.35, abs=0.01)
    assert faded.min() >= 0.03
    assert faded.log().mean() == pytest.approx(math.log(0.03) / 2, abs=0.03)  # uniform from log 0.03 to 0


def test_new_batch_norms_change_nothing_and_fold_away():
    torch.manual_seed(0)
    plain, views = ARCHITECTURES["mini_vgg"](4).eval(), torch.randn(8, 3, 64, 64)
    averaging = ARCHITECTURES["mini_vgg_robust"](4).eval()
    averaging.load_state_dict(plain.state_dict())
    expected = averaging(views)
    twin = robust.insert_batch_norms(plain, views)
    torch.testing.assert_close(twin(views), expected, atol=1e-5, rtol=1e-4)
    folded = fold_batch_norm(twin, ARCHITECTURES["mini_vgg_robust"](4))
    torch.testing.assert_close(folded(views), expected, atol=1e-5, rtol=1e-4)


def test_accuracy_under_attack_of_a_linear_network_is_the_share_with_a_larger_margin():
    weights = torch.ones(3, 4, 4)
    levels = torch.tensor([100, 110, 120, 140, 150, 160], dtype=torch.uint8)
    crops = levels.view(6, 1, 1, 1).expand(6, 3, 4, 4)
    network = Linear(weights)
    with torch.no_grad():
        labels = network(robust.normalise(crops / 255)).argmax(1)
    # The distance of each grey from the boundary, at which the sum over (x - mean) / std is 0.
    per_channel = 1 / torch.tensor(STD)
    normal = per_channel.view(3, 1, 1).expand(3, 4, 4)
    score = ((crops / 255 - torch.tensor(MEAN).view(3, 1, 1)) * normal).sum((1, 2, 3))
    distance = score.abs() / normal.norm()
    for epsilon in (0.0, 0.1, 0.3, 0.6):
        expected = (distance > epsilon).float().mean().item()
        measured = robust.accuracy_under_attack(network, crops, labels, epsilon=epsilon, steps=20)
        assert measured == pytest.approx(expected)


def run_for(root, out, epochs, *, more=()):
    arguments = [str(root), "--batch", "8", "--epochs", "3", "--out", str(out), *more]
    run = robust.Run(robust.parser().parse_args(arguments), pictures.find(root))
    for epoch in range(len(run.history), epochs):
        run.epoch(epoch)
        run.save()
    return run


def test_the_last_epochs_have_larger_pictures_and_more_steps_of_the_attack():
    run = object.__new__(robust.Run)
    run.args = robust.parser().parse_args(["root", "--epochs", "3", "--steps", "2"])
    assert [run.size(epoch) for epoch in range(3)] == [96, 96, 128]
    assert [run.steps(epoch) for epoch in range(3)] == [1, 1, 2]


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(root, tmp_path, monkeypatch):
    monkeypatch.setattr(robust, "_SMALL", 32)
    monkeypatch.setattr(robust, "SIZE", 48)
    whole = run_for(root, tmp_path / "whole", 3)
    run_for(root, tmp_path / "parts", 1)
    resumed = run_for(root, tmp_path / "parts", 3)
    assert [row["size"] for row in resumed.history] == [32, 32, 48]
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key]), key
    best = torch.load(tmp_path / "parts/mini_vgg_robust/best.pt", weights_only=True)
    assert best["history"][-1]["attacked"] == max(row["attacked"] for row in resumed.history)


def test_a_collapse_ends_the_run():
    run = object.__new__(robust.Run)
    run.history = [{"attacked": 0.3}, {"attacked": 0.5}, {"attacked": 0.26}]
    assert not run.collapsed()
    run.history.append({"attacked": 0.24})
    assert run.collapsed()


def test_one_step_of_plain_ascent_adds_the_unit_gradient_to_the_mean_colour():
    weights = torch.randn(3, 8, 8)
    model = viz.wrap(Linear(weights), ["a", "b"], mean=(0.4, 0.5, 0.6), std=(1.0, 1.0, 1.0), input_size=8)
    images = robust.plain_ascent(model, torch.tensor([1, 0]), size=8, steps=1)
    grey = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    expected = torch.stack([grey + weights / weights.norm(), grey - weights / weights.norm()]).clamp(0, 1)
    torch.testing.assert_close(images, expected)
