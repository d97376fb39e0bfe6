"""What explorers ask of the networks they are given."""

import pytest
import torch

from cs231n_viz.explore.toolkit.models import (
    Photographs,
    chosen_layer,
    layers_with_maps,
    models_by_name,
    rank_and_probability,
    unit_seeing,
)


def test_models_have_names_and_none_is_refused(model):
    assert models_by_name(model) == {model.name: model}
    assert models_by_name({"mine": model}) == {"mine": model}
    with pytest.raises(ValueError, match="models is empty; wanted at least one model"):
        models_by_name({})


def test_layers_with_maps_are_those_of_more_than_one_cell(model):
    assert list(layers_with_maps(model)) == ["conv1", "relu1", "pool1", "conv2", "relu2"]
    assert chosen_layer(model, None) == "relu2"
    assert chosen_layer(model, "conv1") == "conv1"
    with pytest.raises(KeyError, match="no maps in layer 'fc'; those with maps: conv1, relu1"):
        chosen_layer(model, "fc")


def test_the_unit_that_sees_a_place_is_the_one_whose_field_is_centred_there(model):
    field = model.layer("conv2").field
    top, left, bottom, right = field.box(3, 8, clip=False)
    assert unit_seeing(((top + bottom) / 2 / 48, (left + right) / 2 / 48), field) == (3, 8)
    assert unit_seeing((0.0, 0.999), field) == (0, 11)


def test_photographs_are_computed_once_and_are_those_of_the_model(model, monkeypatch):
    runs = []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    photographs = Photographs(model, {"mine": "coffee"}.__getitem__)
    for _ in range(2):
        torch.testing.assert_close(photographs.image("mine"), model.prepare("coffee"))
        logits, maps = photographs.logits("mine"), photographs.maps("mine", "relu1")
        assert photographs.category("mine") == int(logits.argmax())
    assert len(runs) == 2
    assert maps.shape == (6, 24, 24)
    torch.testing.assert_close(logits, model(model.prepare("coffee"))[0].detach())


def test_ranks_count_from_one():
    assert rank_and_probability(torch.tensor([0.0, 0.0, 5.0]), 2) == (1, pytest.approx(0.9867, abs=1e-4))
    assert rank_and_probability(torch.tensor([0.0, 0.0, 5.0]), 0)[0] == 2
