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
    return torch.from_numpy(np.maximum(gradient.numpy(), 0) * (inputs.numpy() > 0))


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
