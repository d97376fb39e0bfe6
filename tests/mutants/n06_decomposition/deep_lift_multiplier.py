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
    return torch.from_numpy(np.where(a == b, a > 0, slope))


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
