"""Averages of gradients, on networks where they are known in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

import cs231n_viz as viz
from tests.explicit import NETWORKS, classifier, pictures, relative_error

X = pictures(2, 6)
BASES = pictures(4, 6, seed=9)


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, 6, 6, dtype=torch.float64))

    def forward(self, images):
        return torch.einsum("nchw,kchw->nk", images, self.weight) + 0.7


class Quadratic(Linear):
    """Σ w x², and a product of neighbours."""

    def forward(self, images):
        products = images[..., :-1] * images[..., 1:]
        return torch.einsum("nchw,kchw->nk", images**2, self.weight) + products.sum((1, 2, 3))[:, None]


def test_without_noise_one_sample_is_the_gradient():
    model, images = classifier("mini_vgg"), pictures(2, 32)
    average = viz.smooth_grad(model, images, 4, samples=1, noise=0.0)
    assert torch.equal(average, viz.gradient(model, images, 4))


def test_smooth_grad_of_a_quadratic_is_its_gradient_up_to_the_mean_of_the_noise():
    """The mean of 2 w (x + noise) is known when the noise is."""
    model = Quadratic()
    model.weight.data.fill_(1.0)
    exact = viz.gradient(model, X, 0)
    few, many = (viz.smooth_grad(model, X, 0, samples=n, noise=0.2, seed=3) - exact for n in (4, 400))
    spread = 0.2 * (X.amax((1, 2, 3)) - X.amin((1, 2, 3)))
    for error, n in ((few, 4), (many, 400)):
        # Each inner derivative is 2 x + left + right, so the deviation of its mean is σ √6 / √n.
        inner = error[..., 1:-1].flatten(1).std(1) * (n / 6) ** 0.5 / spread
        assert ((inner > 0.85) & (inner < 1.15)).all()


def test_smooth_grad_is_decided_by_its_seed_alone():
    model = Quadratic()
    first = viz.smooth_grad(model, X, 0, samples=3, seed=5)
    torch.rand(7)
    assert torch.equal(first, viz.smooth_grad(model, X, 0, samples=3, seed=5))
    assert not torch.equal(first, viz.smooth_grad(model, X, 0, samples=3, seed=6))


@pytest.mark.parametrize("baseline", [0.0, 0.3, BASES[0], BASES[:2]])
@pytest.mark.parametrize("steps", [1, 2, 64])
def test_integrated_gradients_of_a_quadratic_in_closed_form(baseline, steps):
    """(x - b) times the gradient in the middle between both."""
    model = Quadratic()
    start = torch.as_tensor(baseline).to(X).expand_as(X)
    right = (X - start) * viz.gradient(model, (X + start) / 2, 1)
    attribution = viz.integrated_gradients(model, X, 1, baseline=baseline, steps=steps)
    assert relative_error(attribution, right) <= 1e-12
    assert viz.completeness_error(model, X, 1, attribution, baseline=baseline).max() <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_with_fitted_weights_are_complete_on_every_network(name):
    model, images = classifier(name), pictures(1, NETWORKS[name][0])
    attribution = viz.integrated_gradients(model, images, 4, steps=16, complete=True)
    assert viz.completeness_error(model, images, 4, attribution).max() <= 1e-10


@pytest.mark.parametrize("steps", [1, 6])
def test_integrated_gradients_are_the_plain_quadrature_unless_asked_otherwise(steps):
    """The published formula: x times the weighted mean of the gradients at the nodes."""
    model, images = classifier("mini_vgg"), pictures(1, 32)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    gradients = [viz.gradient(model, images * float(node), 4) for node in (nodes + 1) / 2]
    right = images * sum(float(weight) / 2 * one for weight, one in zip(weights, gradients, strict=True))
    assert relative_error(viz.integrated_gradients(model, images, 4, steps=steps), right) <= 1e-12


def test_the_plain_rule_is_not_complete_and_little_changes_to_make_it_so():
    model, images = classifier("mini_vgg"), pictures(2, 32)
    whole, plain = (viz.integrated_gradients(model, images, 4, complete=complete) for complete in (True, False))
    assert viz.completeness_error(model, images, 4, plain).min() > 1e-3
    assert viz.completeness_error(model, images, 4, whole).max() <= 1e-10
    assert relative_error(whole, plain) < 0.05


@pytest.mark.parametrize("steps", [8, 64])
def test_the_weights_are_the_nearest_whose_sum_is_right(steps):
    """Against the least-squares problem itself: min Σ (W - w)² / w with Σ W = 1 and Σ W s = rise."""
    model, images = classifier("mini_vgg"), pictures(1, 32)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    points = [images * float(node) for node in (nodes + 1) / 2]
    parts = torch.stack([viz.gradient(model, point, 4) * images for point in points])
    slopes = parts.flatten(1).sum(1).numpy()
    with torch.no_grad():
        rise = (model(images) - model(torch.zeros_like(images)))[0, 4].item()
    conditions = np.stack([np.ones(steps), slopes])
    root = np.sqrt(weights / 2)
    change = np.linalg.lstsq(conditions * root, [0, rise - weights / 2 @ slopes], rcond=None)[0] * root
    right = torch.tensordot(torch.from_numpy(weights / 2 + change), parts, dims=1)
    assert (weights / 2 + change).min() > 0
    assert relative_error(viz.integrated_gradients(model, images, 4, steps=steps, complete=True), right) <= 1e-10


class Bent(nn.Module):
    """The mean colour, and slopes that come on top where it passes a place."""

    def __init__(self, *bends):
        super().__init__()
        self.bends = bends

    def forward(self, images):
        mean = images.mean((1, 2, 3))
        return (mean + sum(slope * (mean - place).relu() for slope, place in self.bends))[:, None]


@pytest.mark.parametrize(("bends", "seen"), [([(100, 0.95)], 1.0), ([(100, 0.95), (0.1, 0.5)], 1.1)])
def test_no_weight_becomes_negative_for_the_sake_of_the_sum(bends, seen):
    """What no node saw is not made up for: at most the steepest slope that one saw, and the rest is reported."""
    model, images = Bent(*bends), torch.ones(1, 3, 4, 4, dtype=torch.float64)
    attribution = viz.integrated_gradients(model, images, 0, steps=2, complete=True)
    assert attribution.sum().item() == pytest.approx(seen)
    rise = 1 + sum(slope * (1 - place) for slope, place in bends)
    assert viz.completeness_error(model, images, 0, attribution).item() == pytest.approx(1 - seen / rise)


class Lifted(Bent):
    """The same, so far up that float32 does not know what it rises by."""

    def forward(self, images):
        return super().forward(images) + 1e8


def test_a_rise_that_rounding_hides_changes_no_weights():
    images = torch.ones(1, 3, 4, 4)
    for model, alike in ((Bent((3.0, 0.6)), False), (Lifted((3.0, 0.6)), True)):
        whole, plain = (viz.integrated_gradients(model, images, 0, steps=8, complete=how) for how in (True, False))
        assert torch.equal(whole, plain) == alike


def test_completeness_error_measures_what_is_missing():
    model = Linear()
    attribution = viz.integrated_gradients(model, X, 0)
    error = viz.completeness_error(model, X, 0, 1.25 * attribution)
    torch.testing.assert_close(error, torch.full((2,), 0.25, dtype=X.dtype))
    assert viz.completeness_error(model, X, 0, torch.zeros_like(X), baseline=X).tolist() == [0, 0]


@pytest.mark.parametrize("samples", [4, 12])
def test_expected_gradients_of_a_linear_network(samples):
    """All baselines are drawn equally often, so that nothing is left to chance: w (x - mean of the baselines)."""
    model = Linear()
    attribution = viz.expected_gradients(model, X, 1, baselines=BASES, samples=samples, seed=2)
    assert relative_error(attribution, model.weight[1].detach() * (X - BASES.mean(0))) <= 1e-12


def test_expected_gradients_do_not_favour_the_first_baselines():
    model = Linear()
    attributions = [viz.expected_gradients(model, X, 0, baselines=BASES, samples=1, seed=seed) for seed in range(200)]
    starts = torch.stack([X - one / model.weight[0].detach() for one in attributions])
    drawn = (starts[:, :, None] - BASES).abs().amax((3, 4, 5)).argmin(2)
    shares = drawn.flatten().bincount(minlength=4) / drawn.numel()
    assert (shares - 0.25).abs().max() < 0.08


def test_expected_gradients_of_a_quadratic_near_the_mean_over_baselines():
    model = Quadratic()
    right = torch.stack([viz.integrated_gradients(model, X, 1, baseline=base) for base in BASES]).mean(0)
    errors = [
        relative_error(viz.expected_gradients(model, X, 1, baselines=BASES, samples=n), right) for n in (16, 1024)
    ]
    assert errors[1] < errors[0] / 3
    assert errors[1] < 0.05


def test_settings_without_meaning_are_refused():
    model = Linear()
    with pytest.raises(ValueError, match=r"got 0 and 0\.1"):
        viz.smooth_grad(model, X, 0, samples=0, noise=0.1)
    with pytest.raises(ValueError, match="got 1 and -1"):
        viz.smooth_grad(model, X, 0, samples=1, noise=-1)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        viz.integrated_gradients(model, X, 0, steps=0)
    with pytest.raises(ValueError, match=r"baselines \(1, 3, 5, 5\)"):
        viz.expected_gradients(model, X, 0, baselines=pictures(1, 5))
    with pytest.raises(ValueError, match="divide by 255"):
        viz.expected_gradients(model, X, 0, baselines=BASES * 255)
