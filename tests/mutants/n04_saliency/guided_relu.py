import numpy as np
import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_where(inputs, gradient):
    return torch.where((inputs > 0) & (gradient > 0), gradient, torch.zeros_like(gradient))


@answers.right
def by_relu(inputs, gradient):
    return torch.relu(gradient) * (inputs > 0).to(gradient)


@answers.right
def by_sign(inputs, gradient):
    return functional.relu(inputs).sign() * gradient.clamp(min=0)


@answers.right
def in_place_on_a_copy(inputs, gradient):
    out = gradient.clone()
    out[inputs <= 0] = 0
    out[out < 0] = 0
    return out


@answers.right
def in_numpy(inputs, gradient):
    return torch.from_numpy(np.maximum(gradient.numpy(), 0) * (inputs.detach().numpy() > 0))


@answers.wrong("the ordinary backward pass")
def ordinary(inputs, gradient):
    out = gradient.clone()
    out[inputs <= 0] = 0
    return out


@answers.wrong("the rule of deconvnet")
def deconv(inputs, gradient):
    return torch.relu(gradient)


@answers.wrong("multiplied by the activation")
def activation_for_mask(inputs, gradient):
    return torch.relu(inputs) * torch.relu(gradient)


@answers.wrong("a mask of zeros and ones")
def only_the_mask(inputs, gradient):
    return torch.logical_and(inputs > 0, gradient > 0)


@answers.wrong("the activation is passed back")
def passes_the_activation(inputs, gradient):
    return torch.where(gradient > 0, torch.relu(inputs), 0)


@answers.wrong("one of the two conditions")
def either(inputs, gradient):
    return torch.where((inputs > 0) | (gradient > 0), gradient, 0)


@answers.wrong("the gradient's magnitude")
def magnitude(inputs, gradient):
    return torch.where(inputs > 0, gradient, 0).abs()


@answers.wrong("two negatives give a positive one")
def sign_of_the_product(inputs, gradient):
    return torch.where(inputs * gradient > 0, gradient, 0)


@answers.wrong("active at an input of exactly 0")
def open_at_zero(inputs, gradient):
    return torch.where((inputs < 0) | (gradient < 0), 0, gradient)


@answers.wrong("something works in place")
def zeroes_in_place(inputs, gradient):
    gradient[(inputs <= 0) | (gradient <= 0)] = 0
    return gradient


@answers.wrong("small values are stopped too")
def tolerant(inputs, gradient):
    return torch.where((inputs > 0.01) & (gradient > 0.01), gradient, 0)


@answers.wrong("small values are stopped too")
def tolerant_of_gradients(inputs, gradient):
    return gradient.masked_fill((gradient < 1e-3) | (inputs <= 0), 0)


@answers.wrong("negative gradients pass")
def the_wrong_half(inputs, gradient):
    return torch.where((inputs > 0) & (gradient < 0), gradient, 0)


@answers.wrong("passes where the ReLU was not active")
def the_wrong_inputs(inputs, gradient):
    return torch.relu(gradient).masked_fill(inputs > 0, 0)


@answers.wrong("only the values that pass")
def selected(inputs, gradient):
    return gradient[torch.logical_and(inputs > 0, gradient > 0)]


@answers.wrong("rounded to whole numbers")
def in_integers(inputs, gradient):
    return torch.relu(gradient).long() * (inputs > 0)


@answers.wrong("this is the forward pass")
def forward(inputs, gradient):
    return inputs.relu()


@answers.wrong("this is the forward pass")
def forward_of_the_sum(inputs, gradient):
    return functional.relu(inputs + gradient)


@answers.wrong("inactive at 1 and below")
def above_one(inputs, gradient):
    return functional.relu(gradient) * (inputs > 1)


@answers.wrong("'float64' came out")
def in_doubles(inputs, gradient):
    return (torch.relu(gradient) * (inputs > 0)).double()


@answers.wrong("multiplied by the activation")
def soft_mask(inputs, gradient):
    return torch.where(gradient > 0, gradient, 0.0) * torch.clip(inputs, 0, 1)


@answers.wrong("multiplied by the sign")
def signs(inputs, gradient):
    return torch.sign(inputs) * torch.where(gradient > 0, gradient, 0.0)


@answers.wrong("not wherever its input is not 0")
def inputs_as_truth(inputs, gradient):
    return gradient * (gradient > 0) * inputs.bool()


@answers.wrong("depends on the other inputs")
def above_the_mean(inputs, gradient):
    return torch.where((inputs > inputs.mean()) & (gradient > 0), gradient, 0.0)


@answers.wrong("scaled or cut off")
def at_most_one(inputs, gradient):
    return torch.where(inputs > 0, gradient, 0.0).clip(0, 1)
