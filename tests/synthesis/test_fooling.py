import pytest
import torch
from torch import nn

from cs231n_viz import Gallery, load_model, wrap
from cs231n_viz.synthesis.ascent import AscentError
from cs231n_viz.synthesis.fooling import fgsm, fooling_image
from cs231n_viz.synthesis.parameterisation import start_noise
from tests.networks import small_classifier

GREY = torch.full((1, 3, 4, 4), 0.5)
RULES = ("nearest", "unit", "sign")


def linear(weights, gap=1.0):
    """Two logits, sums over the pixels; for the grey picture the second is smaller by so much."""
    layer = nn.Linear(weights[0].numel(), 2)
    layer.weight.data = weights.flatten(1).clone()
    layer.bias.data = torch.tensor([gap, 0.0]) - weights.flatten(1).sum(1) / 2
    network = nn.Sequential(nn.Flatten(), layer).eval().requires_grad_(False)
    return wrap(network, ["first", "second"], mean=[0.0] * 3, std=[1.0] * 3, input_size=4)


@pytest.fixture
def weights():
    return torch.randn(2, 3, 4, 4)


def test_on_a_linear_network_unit_steps_go_straight_and_flip_where_they_must(weights):
    slope = weights[1] - weights[0]
    length = 1.0 / slope.norm()  # the distance to the decision boundary: gap / slope
    found = fooling_image(linear(weights), GREY, 1, rule="unit", lr=0.3 * length.item(), progress=False)
    assert found.flipped_at == 4  # 3 steps are 0.9 of the way
    torch.testing.assert_close(found.perturbation[0], 1.2 * length * slope / slope.norm(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.l2, (1.2 * length)[None])
    torch.testing.assert_close(found.linf, (1.2 * length * slope.abs().max() / slope.norm())[None])
    assert found.total == len(found.scores) == 5
    assert len(found) == 0
    assert list(found) == []


def test_on_a_linear_network_sign_steps_add_up_to_fgsm(weights):
    model, slope = linear(weights), weights[1] - weights[0]
    epsilon = 1.0 / slope.abs().sum().item()  # the smallest that flips
    found = fooling_image(model, GREY, 1, rule="sign", lr=0.4 * epsilon, progress=False)
    assert found.flipped_at == 3
    torch.testing.assert_close(found.image, fgsm(model, GREY, 1, 1.2 * epsilon))
    assert model(fgsm(model, GREY, 1, 0.99 * epsilon)).argmax() == 0
    assert model(fgsm(model, GREY, 1, 1.01 * epsilon)).argmax() == 1


def test_the_nearest_picture_is_close_to_the_decision_boundary_and_in_the_direction_of_the_slope(weights):
    slope = weights[1] - weights[0]
    found = fooling_image(linear(weights), GREY, 1, lr=0.2, progress=False)
    ratio = found.l2.item() * slope.norm().item()  # 1 is the boundary
    assert 1.0 <= ratio < 1.0 / 0.85 + 1e-4
    assert torch.cosine_similarity(found.perturbation.flatten(), slope.flatten(), dim=0) > 0.9999
    assert len(found.scores) == found.total == 31
    first = fooling_image(linear(weights), GREY, 1, lr=0.2, stop_when_fooled=True, progress=False)
    assert first.flipped_at == found.flipped_at == len(first.scores) - 1
    assert first.l2 >= found.l2


@pytest.mark.parametrize("towards", [True, False])
def test_fgsm_moves_every_value_by_epsilon_and_stays_in_range(weights, towards):
    model, images = linear(weights), torch.rand(3, 3, 4, 4)
    sign = (weights[1] - weights[0]).sign() * (1 if towards else -1)
    moved = fgsm(model, images, 1, 0.3, towards=towards)
    assert torch.equal(moved, (images + 0.3 * sign).clamp(0, 1))
    assert moved.min() == 0
    assert moved.max() == 1


@pytest.mark.parametrize("rule", RULES)
def test_what_is_the_target_already_flips_at_step_0_and_stays(rule, weights):
    found = fooling_image(linear(weights), GREY, 0, rule=rule, progress=False)
    assert torch.equal(found.image, GREY)
    assert found.flipped_at == 0
    assert found.flips.tolist() == [0]
    assert found.l2 == found.linf == 0


@pytest.mark.parametrize("rule", RULES)
def test_each_picture_of_a_batch_goes_its_own_way(rule):
    model, images = small_classifier(), torch.rand(3, 3, 48, 48)
    model.network.fc.weight.data *= 100  # a network that can be moved by little
    targets = model(images).topk(2).indices[:, 1]
    together = fooling_image(model, images, targets, rule=rule, progress=False)
    alone = [fooling_image(model, images[i : i + 1], int(targets[i]), rule=rule, progress=False) for i in range(3)]
    torch.testing.assert_close(together.image, torch.cat([one.image for one in alone]), atol=2e-3, rtol=0)
    assert together.flips.tolist() == [one.flipped_at for one in alone]
    assert together.flipped_at == max(together.flips.tolist())
    assert (model(together.image).argmax(1) == targets).all()
    assert together.image.min() >= 0
    assert together.image.max() <= 1


@pytest.mark.parametrize("rule", ["unit", "sign"])
def test_a_picture_that_has_arrived_is_not_evaluated_again(rule, weights):
    class Counting(nn.Module):
        def forward(self, images):
            fed.append(len(images))
            return inner(images)

    fed, inner, slope = [], linear(weights), weights[1] - weights[0]
    near = GREY + 0.1 * slope / slope.square().sum()  # a tenth of the way to the second class
    far = GREY - 0.4 * slope / slope.square().sum()
    targets = torch.tensor([1, 1, 0])
    length = 0.36 / (slope.norm() if rule == "unit" else slope.abs().sum()).item()
    found = fooling_image(Counting(), torch.cat([near, far, far]), targets, rule=rule, lr=length, progress=False)
    assert found.flips.tolist() == [3, 4, 0]  # 0.9 and 1.4 of the way in steps of 0.36; the third is there already
    assert fed == [1, 3, 2, 2, 2, 1]  # one for the number of classes
    torch.testing.assert_close(found.image[2:], far)


@pytest.mark.parametrize("rule", RULES)
def test_confidence_goes_on_until_the_network_is_sure(rule, weights):
    model, lr = linear(weights * 3), {"sign": 0.001, "unit": 0.01, "nearest": 0.02}[rule]
    just = fooling_image(model, GREY, 1, rule=rule, lr=lr, progress=False)
    sure = fooling_image(model, GREY, 1, rule=rule, lr=lr, confidence=0.9, progress=False)
    assert model(sure.image).softmax(1)[0, 1] >= 0.9 > model(just.image).softmax(1)[0, 1] > 0.5
    assert sure.flipped_at <= len(sure.scores) - 1
    assert sure.l2 > just.l2


def test_without_a_stop_all_steps_are_made(weights):
    found = fooling_image(linear(weights), GREY, 1, rule="unit", lr=0.05, steps=12, stop_when_fooled=False)
    steps = list(found)
    assert [step.index for step in steps] == list(range(13))
    assert found.scores == sorted(found.scores)
    assert found.flipped_at < 12


def test_an_attack_that_does_not_succeed_says_so(weights):
    found = fooling_image(linear(weights, gap=1e4), GREY, 1, rule="unit", steps=3, lr=0.1, progress=False)
    assert found.finish().index == 3
    assert found.flipped_at is None
    assert found.flips.tolist() == [-1]
    torch.testing.assert_close(found.l2, torch.tensor([0.3]))


def test_the_network_is_left_as_it_was_found_and_the_picture_too():
    model = small_classifier().train()
    image = torch.rand(1, 3, 48, 48)
    before, weights = image.clone(), {name: value.clone() for name, value in model.state_dict().items()}
    fooling_image(model, image, 1, steps=3, progress=False).finish()
    fgsm(model, image, 1, 0.1)
    assert model.training
    assert torch.equal(image, before)
    assert not image.requires_grad
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_same_start_gives_the_same_picture_and_noise_follows_its_seed():
    model, image = small_classifier(), start_noise(48, seed=3)
    one, two = (fooling_image(model, image, 1, seed=3, progress=False) for _ in range(2))
    assert torch.equal(one.image, two.image)
    expected = {"target": [1], "steps": 30, "lr": 1.0, "rule": "nearest", "confidence": None, "seed": 3}
    assert one.settings == expected
    assert torch.equal(start_noise(48, seed=3), image)
    assert not torch.equal(start_noise(48, seed=4), image)
    assert image.shape == (1, 3, 48, 48)
    assert start_noise(5, count=2, spread=9.0).min() == 0


def test_bars_are_shown_once(capfd, weights):
    found = fooling_image(linear(weights), GREY, 1, steps=3)
    found.finish()
    assert "4/4" in capfd.readouterr().err
    assert found.l2 > 0
    assert capfd.readouterr().err == ""


def test_a_network_without_a_gradient_is_said_to_be_dead(weights):
    class Rounded(nn.Module):
        def forward(self, images):
            return inner(images.round())

    inner = linear(weights)
    with pytest.raises(AscentError, match="dead"):
        fooling_image(Rounded(), GREY + 0.1, 1, progress=False).finish()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": 2}, "targets must be from 0 to 1, got 2 to 2"),
        ({"image": GREY * 255}, "divide by 255"),
        ({"image": GREY[0]}, r"images must be \(N, 3, H, W\)"),
        ({"rule": "magic"}, "rule must be one of nearest, unit, sign; got 'magic'"),
        ({"lr": 0.0}, "wanted lr above 0 and a confidence between 0 and 1, got 0.0 and None"),
        ({"confidence": 1.0}, "got 1.0 and 1.0"),
        ({"target": torch.tensor([0, 1])}, "one for each of the 1 images"),
    ],
)
def test_bad_input_is_named(weights, change, words):
    with pytest.raises(ValueError, match=words):
        fooling_image(linear(weights), **{"image": GREY, "target": 1, **change})
    with pytest.raises(ValueError, match="epsilon must be at least 0"):
        fgsm(linear(weights), GREY, 1, -0.1)


@pytest.mark.slow
def test_random_pairs_are_fooled_within_30_steps_at_a_mean_l2_of_less_than_4():
    """The promise: 95 % of crops of photographs and scenes, the class drawn at random. 16 steps keep it here."""
    model = load_model("mini_alexnet").to(memory_format=torch.channels_last)
    galleries = (Gallery.crops(12, seed=1), Gallery.scenes(12, seed=1))
    images = torch.stack([image for gallery in galleries for image, _ in gallery])
    images = images.contiguous(memory_format=torch.channels_last)
    away = torch.randint(1, len(model.categories), (24,), generator=torch.Generator().manual_seed(0))
    lengths, flips = [], []
    for rows in torch.arange(24).split(8):
        targets = (model(images[rows]).argmax(1) + away[rows]) % len(model.categories)
        found = fooling_image(model, images[rows], targets, steps=16, progress=False)
        lengths.append(found.l2)
        flips.append(found.flips)
        now = model(found.image).argmax(1) == targets
        assert torch.equal(now, found.flips >= 0)
    fooled = torch.cat(flips) >= 0
    assert fooled.float().mean() >= 0.95
    assert torch.cat(lengths)[fooled].mean() <= 4
