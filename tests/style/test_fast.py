import pytest
import torch
from torch.nn import functional as F

from cs231n_viz.network.shipped import WeightsError
from cs231n_viz.pictures.images import load_image
from cs231n_viz.style.fast import ConditionalInstanceNorm, FastStyle, load_fast_style, save_fast_style
from cs231n_viz.style.painter import Painter, _Enlarging, _OnCells


@pytest.fixture
def network() -> FastStyle:
    torch.manual_seed(0)
    network = FastStyle(["a", "b", "c"])
    with torch.no_grad():
        for parameter in network.style_parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


def picture(size: int | tuple[int, int], seed: int = 0) -> torch.Tensor:
    height, width = (size, size) if isinstance(size, int) else size
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_one_style_is_torchs_instance_norm():
    norm = ConditionalInstanceNorm(5, 3)
    with torch.no_grad():
        norm.gamma.normal_()
        norm.beta.normal_()
    x = torch.randn(2, 5, 7, 6)
    wanted = F.instance_norm(x, weight=norm.gamma[1], bias=norm.beta[1], eps=1e-5)
    torch.testing.assert_close(norm(x, torch.tensor([[0.0, 1.0, 0.0]])), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_is_that_of_torchs_instance_norm(order):
    norm, weights = ConditionalInstanceNorm(5, 3).double(), torch.eye(3, dtype=torch.double)[[1, 0]]
    with torch.no_grad():
        norm.gamma.normal_()
        norm.beta.normal_()
    x = torch.randn(2, 5, 7, 6, dtype=torch.double).contiguous(memory_format=order).requires_grad_(True)
    direction = torch.randn(2, 5, 7, 6, dtype=torch.double)
    sources = (x, norm.gamma, norm.beta)
    made = torch.autograd.grad(norm(x, weights), sources, direction)
    plain = F.instance_norm(x, eps=1e-5)
    wanted = torch.stack(
        [plain[n] * norm.gamma[s, :, None, None] + norm.beta[s, :, None, None] for n, s in ((0, 1), (1, 0))]
    )
    torch.testing.assert_close(made, torch.autograd.grad(wanted, sources, direction))
    assert torch.autograd.gradcheck(norm, (x, weights))


def test_a_second_derivative_is_refused_not_wrong():
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    out = ConditionalInstanceNorm(2, 1)(x, torch.ones(1, 1))
    (first,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_mixing_is_linear_in_gamma_and_beta():
    norm = ConditionalInstanceNorm(4, 2)
    with torch.no_grad():
        norm.gamma.normal_()
        norm.beta.normal_()
    x = torch.randn(1, 4, 5, 5)
    one, two = (norm(x, weights[None]) for weights in torch.eye(2))
    torch.testing.assert_close(norm(x, torch.tensor([[0.3, 0.7]])), 0.3 * one + 0.7 * two)


def test_every_picture_of_a_batch_has_its_own_style(network):
    images = torch.cat([picture(32), picture(32, 1)])
    together = network(images, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    torch.testing.assert_close(together[:1], network(images[:1], torch.tensor([1.0, 0.0, 0.0])))
    torch.testing.assert_close(together[1:], network(images[1:], torch.tensor([0.0, 0.0, 1.0])))


def test_only_the_ratios_of_weights_count(network):
    one, ten = (network(picture(32), torch.tensor([1.0, 2.0, 0.0]) * factor) for factor in (1, 10))
    torch.testing.assert_close(one, ten)


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (47, 31), (64, 66)])
def test_any_size_keeps_its_size(network, size):
    made = network(picture(size), torch.ones(3))
    assert made.shape == (1, 3, *size)
    assert 0 < made.min()
    assert made.max() < 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 1.0], "one for each of the 3 styles"),
        ([1.0, 1.0, 1.0, 1.0], "one for each of the 3 styles"),
        ([0.0, 0.0, 0.0], "not all 0"),
        ([1.0, -0.5, 0.0], "at least 0"),
        ([1.0, float("nan"), 0.0], "at least 0"),
    ],
)
def test_weights_that_are_no_mixture_are_refused(network, weights, message):
    with pytest.raises(ValueError, match=message):
        network(picture(32), torch.tensor(weights))


def test_a_tiny_picture_is_refused(network):
    with pytest.raises(ValueError, match="at least 16 px"):
        network(picture((15, 40)), torch.ones(3))


def test_weights_by_name(network):
    assert network.weights_of(c=2.0, a=1.0).tolist() == [1.0, 0.0, 2.0]
    with pytest.raises(KeyError, match="there are a, b, c"):
        network.weights_of(d=1.0)


def test_a_new_style_changes_no_old_one(network):
    larger = network.with_style("d", like="b")
    assert (network.styles, larger.styles) == (["a", "b", "c"], ["a", "b", "c", "d"])
    before = network(picture(32), torch.tensor([0.2, 0.5, 0.3]))
    torch.testing.assert_close(larger(picture(32), torch.tensor([0.2, 0.5, 0.3, 0.0])), before)
    torch.testing.assert_close(
        larger(picture(32), torch.tensor([0.0, 0.0, 0.0, 1.0])), network(picture(32), torch.tensor([0.0, 1.0, 0.0]))
    )
    free = {id(parameter) for parameter in larger.parameters() if parameter.requires_grad}
    assert free == {id(parameter) for parameter in larger.style_parameters()}
    with pytest.raises(ValueError, match="already"):
        larger.with_style("d")


def test_a_style_is_a_small_part_of_the_parameters():
    network = FastStyle([str(k) for k in range(10)])
    each = sum(parameter[0].numel() for parameter in network.style_parameters())
    assert each / sum(parameter.numel() for parameter in network.parameters()) < 0.005


def test_the_painter_shows_what_the_network_computes(network):
    image = load_image("cat")[:, :64, :96]
    shown = Painter(network)(image, torch.tensor([1.0, 1.0, 0.0]))
    wanted = network(image[None], torch.tensor([1.0, 1.0, 0.0]))[0].permute(1, 2, 0) * 255
    assert shown.shape == (64, 96, 3)
    assert shown.dtype.name == "uint8"
    assert (torch.from_numpy(shown).float() - wanted).abs().mean() < 3
    assert next(network.parameters()).dtype == torch.float32


@pytest.mark.parametrize("size", [(64, 96), (33, 50)])
def test_the_painters_shortcuts_are_the_same_sums(network, size):
    painter = Painter(network)
    quick = painter.network.float()
    wanted = network(picture(size), torch.tensor([1.0, 2.0, 0.5]))
    # The kernels have been rounded to bfloat16 on the way, where the processor has it; that is all.
    torch.testing.assert_close(quick(picture(size), torch.tensor([1.0, 2.0, 0.5])), wanted, atol=0.01, rtol=0)
    for part, layer in ((_OnCells, network.last), (_Enlarging, network.up2)):
        x = torch.randn(2, layer.conv.in_channels if part is _Enlarging else layer.in_channels, 20, 28)
        if part is _Enlarging:
            made, wanted = part(layer.conv)(x), layer.conv(F.interpolate(x, scale_factor=2.0))
        else:
            made, wanted = part(layer)(x), layer(x)
        torch.testing.assert_close(made, wanted, atol=1e-5, rtol=1e-5)


def test_a_network_is_kept_with_its_styles(network, tmp_path):
    again = load_fast_style(save_fast_style(network.with_style("d"), tmp_path / "own.safetensors"))
    assert again.styles == ["a", "b", "c", "d"]
    image, weights = picture(32), torch.tensor([1.0, 0.0, 2.0])
    torch.testing.assert_close(
        again(image, torch.cat([weights, torch.zeros(1)])), network(image, weights), atol=5e-3, rtol=0
    )


def test_weights_that_do_not_name_their_styles_are_refused(tmp_path, network):
    from safetensors.torch import save_file

    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="does not name its styles"):
        load_fast_style(tmp_path / "w.safetensors")
