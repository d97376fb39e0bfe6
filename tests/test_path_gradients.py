"""Averages of gradients, on networks whose answers are known."""

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from benchmarks.explicit import classifier, pictures, relative_error

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
    found = viz.smooth_grad(model, images, 4, samples=1, noise=0.0)
    assert torch.equal(found, viz.gradient(model, images, 4))


def test_smooth_grad_of_a_quadratic_is_its_gradient_up_to_the_mean_of_the_noise():
    """The mean of 2 w (x + noise) is known when the noise is."""
    model = Quadratic()
    model.weight.data.fill_(1.0)
    exact = viz.gradient(model, X, 0)
    few, many = (viz.smooth_grad(model, X, 0, samples=n, noise=0.2, seed=3) - exact for n in (4, 400))
    spread = 0.2 * (X.amax((1, 2, 3)) - X.amin((1, 2, 3)))
    for found, n in ((few, 4), (many, 400)):
        # Each inner derivative is 2 x + left + right, so the deviation of its mean is σ √6 / √n.
        inner = found[..., 1:-1].flatten(1).std(1) * (n / 6) ** 0.5 / spread
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
    found = viz.integrated_gradients(model, X, 1, baseline=baseline, steps=steps)
    assert relative_error(found, right) <= 1e-12
    assert viz.completeness_error(model, X, 1, found, baseline=baseline).max() <= 1e-12


def test_completeness_error_measures_what_is_missing():
    model = Linear()
    found = viz.integrated_gradients(model, X, 0)
    error = viz.completeness_error(model, X, 0, 1.25 * found)
    torch.testing.assert_close(error, torch.full((2,), 0.25, dtype=X.dtype))
    assert viz.completeness_error(model, X, 0, torch.zeros_like(X), baseline=X).tolist() == [0, 0]


@pytest.mark.parametrize("samples", [4, 12])
def test_expected_gradients_of_a_linear_network(samples):
    """All baselines are drawn equally often, so that nothing is left to chance: w (x - mean of the baselines)."""
    model = Linear()
    found = viz.expected_gradients(model, X, 1, baselines=BASES, samples=samples, seed=2)
    assert relative_error(found, model.weight[1].detach() * (X - BASES.mean(0))) <= 1e-12


def test_expected_gradients_do_not_favour_the_first_baselines():
    model = Linear()
    found = [viz.expected_gradients(model, X, 0, baselines=BASES, samples=1, seed=seed) for seed in range(200)]
    starts = torch.stack([X - part / model.weight[0].detach() for part in found])
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
