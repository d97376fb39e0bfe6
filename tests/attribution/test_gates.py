"""Gates without a gradient are refused, dropouts that are always on too; weights computed from parameters are right."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import cs231n_viz as viz
from tests.explicit import pictures, relative_error
from tests.networks import small

X = pictures(2, 8)
METHODS = {
    "guided": viz.guided_backprop,
    "deconvnet": viz.deconvnet,
    "deep_lift": viz.deep_lift,
    "lrp": viz.lrp,
}


def assigned(maps):
    maps = maps.clone()
    maps[maps < 0] = 0
    return maps


def gathered(maps):
    out = torch.zeros_like(maps)
    out[maps > 0] = maps[maps > 0]
    return out


def without_grad(maps):
    with torch.no_grad():
        mask = (maps > 0).to(maps)
    return maps * mask


def through_data(maps):
    maps.data.clamp_(min=0)
    return maps


def written(maps):
    gate = torch.ones_like(maps)
    gate[maps < 0] = 0
    return maps * gate


GATES = {
    "mask": lambda maps: maps * (maps > 0),
    "mask from the left": lambda maps: (maps > 0).double().mul(maps),
    "data": lambda maps: maps * (maps.data > 0),
    "heaviside": lambda maps: maps * torch.heaviside(maps.detach(), torch.zeros((), dtype=maps.dtype)),
    "sigmoid": lambda maps: maps * maps.sigmoid().detach(),
    "by keyword": lambda maps: torch.mul(maps, other=maps),
    "by keyword, detached": lambda maps: torch.mul(maps, other=maps.detach()),
    "divided": lambda maps: maps / maps.detach().abs().sum(),
    "straight through": lambda maps: maps + (maps.round() - maps).detach(),
    "straight through, detached first": lambda maps: maps + (maps.detach().round() - maps.detach()),
    "where": lambda maps: torch.where(maps > 0, maps, 0),
    "assigned": assigned,
    "gathered": gathered,
    "without grad": without_grad,
    "through data": through_data,
    "written": written,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GATES)
def test_a_gate_without_a_gradient_is_refused(name, method):
    with pytest.raises(viz.UnknownOperationError):
        METHODS[method](small(GATES[name]), X, 0)


def beside(maps):
    assert (maps > -100).all()
    shape = torch.zeros_like(maps).to(maps)
    return F.relu(torch.cat([maps[:, :3], shape[:, :3]], 1) + maps.new_ones(6, 1, 1).expand_as(maps))


@pytest.mark.parametrize("method", METHODS)
def test_what_only_takes_the_shape_or_is_not_used_passes(method):
    METHODS[method](small(beside), X, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_dropout_that_is_always_on_is_refused_and_others_pass(method):
    for dropout in (F.dropout, F.dropout2d, lambda maps: torch.dropout(maps, 0.2, True)):
        with pytest.raises(viz.UnknownOperationError, match="on also in eval mode"):
            METHODS[method](small(dropout), X, 0)
    right = METHODS[method](small(nn.Identity()), X, 0)
    for dropout in (nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), F.alpha_dropout, lambda maps: F.dropout(maps, 0)):
        assert relative_error(METHODS[method](small(dropout), X, 0), right) <= 1e-12


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_weights_computed_from_parameters_are_weights(norm, method):
    """As with plain parameters that hold the same numbers."""
    model = small(nn.Sequential(nn.ReLU(), norm(nn.Conv2d(6, 6, 3)), nn.ReLU()))
    norm(model.head)
    relevance = METHODS[method](model, X, 1)
    for layer in (model.middle[1], model.head):
        torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    assert relative_error(relevance, METHODS[method](model, X, 1)) <= 1e-10
