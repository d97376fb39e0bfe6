import copy

import pytest
import torch
import torchvision
from torch import nn

import cs231n_viz as viz
from cs231n_viz.network.capture import evaluating, watch
from tests.explicit import build, randomise


def state_of(model):
    modules = [(name, module.training, len(module._forward_hooks), len(module._forward_pre_hooks),
                len(module._backward_hooks), getattr(module, "inplace", None)) for name, module in
               model.named_modules()]  # fmt: skip
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    flags = [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    return modules, weights, flags


def assert_unchanged(model, before):
    modules, weights, flags = state_of(model)
    assert modules == before[0]
    assert all(torch.equal(weights[key], before[1][key]) for key in weights)
    assert flags == before[2]


def test_records_the_output_of_a_layer_before_an_inplace_relu(tiny_cnn):
    image = torch.randn(1, 1, 6, 6)
    with viz.capture(tiny_cnn, ["0", "1"]) as activations:
        tiny_cnn(image)
    torch.testing.assert_close(activations["0"], tiny_cnn[0](image))
    assert activations["0"].min() < 0 <= activations["1"].min()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("alexnet", "features.10"),
        ("vgg16", "features.28"),
        ("resnet18", "layer4.1.bn2"),
        ("squeezenet1_1", "features.0"),
    ],
)
def test_the_four_layers_that_popular_libraries_record_wrongly(name, layer):
    """The reference is the same network with every in-place flag off and a plain hook."""
    model = randomise(build(name, wide=False))
    plain = copy.deepcopy(model)
    for module in plain.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    image, reference = torch.rand(1, 3, 96, 96, dtype=torch.float64), {}
    handle = plain.get_submodule(layer).register_forward_hook(lambda m, a, out: reference.update(out=out))
    plain(image)
    handle.remove()
    if name == "resnet18":  # `out += identity` is in place whatever the flags say
        inputs = {}
        plain.layer4[1].bn2.register_forward_hook(lambda m, a, out: inputs.update(x=a[0].clone()))
        plain(image)
        reference["out"] = plain.layer4[1].bn2(inputs["x"])
    with viz.capture(model, [layer]) as activations:
        logits = model(image)
    assert torch.equal(activations[layer], reference["out"])
    assert activations[layer].min() < 0
    assert torch.equal(logits, model(image))


def test_gradients_reach_the_record_though_nothing_else_requires_them(tiny_cnn):
    tiny_cnn.requires_grad_(False)
    image = torch.randn(2, 1, 6, 6)
    with viz.capture(tiny_cnn, ["2"]) as activations:
        logits = tiny_cnn(image)
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), activations["2"])
    torch.testing.assert_close(gradient[0].flatten(), tiny_cnn[4].weight[1])


def record_and_raise(model, error):
    with viz.capture(model, ["0", "1"]):
        model(torch.randn(1, 1, 6, 6))
        raise error


def test_leaves_the_model_as_it_was_also_after_an_exception_or_an_interrupt(tiny_cnn):
    tiny_cnn.train()
    tiny_cnn[1].eval()
    before = state_of(tiny_cnn)
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):
            record_and_raise(tiny_cnn, error)
        assert_unchanged(tiny_cnn, before)
    with pytest.raises(RuntimeError), viz.capture(tiny_cnn, ["0"]):
        tiny_cnn(torch.randn(1, 9, 6, 6))
    viz.activations(tiny_cnn, torch.randn(1, 1, 6, 6), ["3"])
    assert_unchanged(tiny_cnn, before)


def test_activations_stop_after_the_deepest_layer():
    seen = []
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    with watch(net, lambda name, module, output: seen.append(name)):
        viz.activations(net, torch.rand(1, 3, 8, 8), ["1", "0"])
    assert "2" not in seen


def test_activations_do_not_run_the_rest_of_the_network():
    class Mine(nn.Module):
        def forward(self, x):
            raise AssertionError("this layer is not needed")

    net = nn.Sequential(nn.Conv2d(3, 2, 3), Mine())
    activations = viz.activations(net, torch.rand(1, 3, 8, 8), ["0"])
    assert activations["0"].shape == (1, 2, 6, 6)
    assert not activations["0"].requires_grad


def test_each_call_of_a_reused_module_has_its_own_name_also_in_a_second_pass():
    model = torchvision.models.resnet18(weights=None).eval()
    image = torch.rand(1, 3, 64, 64)
    with viz.capture(model, ["layer1.0.relu", "layer1.0.relu:2", "layer1.0"]) as activations:
        model(torch.rand(1, 3, 64, 64))
        model(image)
    assert torch.equal(activations["layer1.0.relu:2"], activations["layer1.0"])
    assert not torch.equal(activations["layer1.0.relu"], activations["layer1.0"])
    again = viz.activations(model, image, ["layer1.0.relu"])
    assert torch.equal(activations["layer1.0.relu"], again["layer1.0.relu"])


def test_evaluating_gives_each_module_its_own_mode_back(tiny_cnn):
    tiny_cnn.train()
    tiny_cnn[2].eval()
    with evaluating(tiny_cnn):
        assert not any(module.training for module in tiny_cnn.modules())
    assert [module.training for module in tiny_cnn] == [True, True, False, True, True]


def test_errors_name_what_was_wrong(tiny_cnn):
    with pytest.raises(KeyError, match="no layer 'conv5'; close names"), viz.capture(tiny_cnn, ["conv5"]):
        pass
    with pytest.raises(TypeError, match=r"write \['0'\]"), viz.capture(tiny_cnn, "0"):
        pass
    with pytest.raises(KeyError, match="never reached layer '1:2'"):
        viz.activations(tiny_cnn, torch.randn(1, 1, 6, 6), ["1:2"])
    pair = nn.Sequential(nn.LSTM(4, 4))
    with pytest.raises(TypeError, match="returns a tuple"), viz.capture(pair, ["0"]):
        pair(torch.rand(2, 3, 4))
