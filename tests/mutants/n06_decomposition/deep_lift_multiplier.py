import numpy as np
import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


@answers.right
def with_a_mask(x, reference):
    slope = (x > 0).to(x.dtype)
    moved = x != reference
    slope[moved] = (functional.relu(x) - functional.relu(reference))[moved] / (x - reference)[moved]
    return slope


@answers.right
def in_numpy(x, reference):
    a, b = x.numpy().astype(np.float64), reference.numpy().astype(np.float64)
    with np.errstate(invalid="ignore"):
        slope = (np.maximum(a, 0) - np.maximum(b, 0)) / (a - b)
    return torch.from_numpy(np.where(a == b, a > 0, slope)).to(x)


@answers.right
def case_by_case(x, reference):
    values = []
    for a, b in zip(x.flatten().tolist(), reference.flatten().tolist(), strict=True):
        if a > 0 and b > 0:
            values.append(1.0)
        elif a <= 0 and b <= 0:
            values.append(0.0)
        else:
            values.append(max(a, b) / (max(a, b) - min(a, b)))
    return torch.tensor(values).view(x.shape)


@answers.right
def nan_repaired(x, reference):
    slope = (x.clamp(min=0) - reference.clamp(min=0)) / (x - reference)
    return torch.where(slope.isnan(), torch.heaviside(x, torch.zeros(())), slope)


@answers.wrong("the gradient at the image")
def gradient(x, reference):
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        functional.relu(leaf).sum().backward()
    return leaf.grad


@answers.wrong("the gradient at the reference")
def gradient_of_the_reference(x, reference):
    return torch.heaviside(reference, torch.zeros(()))


@answers.wrong("the gradient half-way")
def gradient_half_way(x, reference):
    return (x + reference > 0).float()


@answers.wrong("the gradient at the image")
def output_over_input(x, reference):
    return (x.relu() / x).nan_to_num(0)


@answers.wrong("the rise is not divided")
def rise(x, reference):
    return functional.relu(x) - functional.relu(reference)


@answers.wrong("the sign is lost")
def magnitude_of_the_run(x, reference):
    run = (x - reference).abs()
    return torch.where(run > 0, (x.relu() - reference.relu()) / run.clamp_min(1e-9), 0.0)


@answers.wrong("0 / 0 is NaN")
def unguarded(x, reference):
    return (functional.relu(x) - functional.relu(reference)) / (x - reference)


@answers.wrong("ones where zeros belong")
def ones(x, reference):
    run = x - reference
    slope = torch.ones_like(x)
    slope[run != 0] = ((x.relu() - reference.relu()) / run)[run != 0]
    return slope


@answers.wrong("zeros where nothing changed")
def zeros(x, reference):
    return ((x.relu() - reference.relu()) / (x - reference)).nan_to_num(0.0)


@answers.wrong("something works in place")
def rectifies_in_place(x, reference):
    slope = case_by_case(x, reference)
    x.relu_()
    return slope


def slope(x, reference, same):
    """Rise over run, and the derivative where the two count as the same."""
    rise, run = functional.relu(x) - functional.relu(reference), x - reference
    return torch.where(same, (x > 0).float(), rise / run.masked_fill(same, 1))


@answers.right
def nearly_the_same(x, reference):
    """Two numbers that are relatively near have one sign, and there the slope is the derivative."""
    return slope(x, reference, torch.isclose(x, reference))


@answers.wrong("small changes are taken for none")
def tolerant(x, reference):
    return slope(x, reference, (x - reference).abs() < 0.1)


@answers.wrong("small changes are taken for none")
def a_little_tolerant(x, reference):
    return slope(x, reference, torch.isclose(x, reference, atol=1e-3))


@answers.wrong("small changes are taken for none")
def hardly_tolerant(x, reference):
    return slope(x, reference, (x - reference).abs() < 1e-5)


@answers.wrong("rounded")
def two_digits(x, reference):
    return torch.round(slope(x, reference, x == reference) * 100) / 100


@answers.wrong("½ where nothing changed")
def half(x, reference):
    return torch.where(x == reference, 0.5, slope(x, reference, x == reference))


@answers.wrong("slope 1 where both are exactly 0")
def active_at_zero(x, reference):
    return torch.where(x == reference, (x >= 0).float(), slope(x, reference, x == reference))


@answers.wrong("the mean of the two gradients")
def mean_gradient(x, reference):
    return torch.stack([x > 0, reference > 0]).float().mean(0)


@answers.wrong("run over rise")
def inverted(x, reference):
    rise, run = functional.relu(x) - functional.relu(reference), x - reference
    return torch.where(run == 0, (x > 0).float(), (run / rise).nan_to_num(0, 0, 0))


@answers.wrong("the ReLU of the change")
def relu_of_the_change(x, reference):
    return functional.relu(x - reference) / (x - reference) if (x != reference).all() else (x > reference).float()


@answers.wrong("divided by the input")
def over_the_input(x, reference):
    return torch.nan_to_num((functional.relu(x) - functional.relu(reference)) / x, 0, 0, 0)


@answers.wrong("divided by the sum of both")
def over_the_sum(x, reference):
    return torch.nan_to_num((functional.relu(x) - functional.relu(reference)) / (x + reference), 0, 0, 0)


@answers.wrong("'float64' came out")
def in_doubles(x, reference):
    return slope(x, reference, x == reference).double()


@answers.wrong("a case is missing")
def downwards_forgotten(x, reference):
    multiplier = torch.where((x > 0) & (reference > 0), 1.0, 0.0)
    upwards = (x > 0) & (reference <= 0)
    multiplier[upwards] = x[upwards] / (x - reference)[upwards]
    return multiplier


@answers.wrong("0 / 0 is NaN")
def all_or_nothing(x, reference):
    if (x == reference).all():
        return (x > 0).float()
    return (x.relu() - reference.relu()) / (x - reference)
