import torch

from tests.mutants import Answers

answers = Answers()


def sent_back(features, images, upstream):
    x = images.detach().clone().requires_grad_(True)
    a = features(x)
    return torch.autograd.grad(a, x, grad_outputs=upstream(a.detach()))[0]


@answers.right
def half_the_squares(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad((features(x) ** 2).sum() / 2, x)[0]


@answers.right
def product_with_itself_detached(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    (gradient,) = torch.autograd.grad((a * a.detach()).sum(), x)
    return gradient


@answers.right
def by_vjp(features, images):
    activation, pull = torch.func.vjp(features, images)
    return pull(activation)[0].detach()


@answers.wrong("1 everywhere")
def the_sum(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(features(x).sum(), x)[0]


@answers.wrong("1 everywhere")
def the_mean(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(features(x).mean(), x)[0]


@answers.wrong("twice too large")
def all_the_squares(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad((features(x) ** 2).sum(), x)[0]


@answers.wrong("twice too large")
def not_detached(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad((a * a).sum(), x)[0]


@answers.wrong("mean of the squares")
def mean_square(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad((features(x) ** 2).mean(), x)[0]


@answers.wrong("the sign is flipped")
def descending(features, images):
    return sent_back(features, images, lambda a: -a)


@answers.wrong("only the signs")
def magnitudes(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(features(x).abs().sum(), x)[0]


@answers.wrong("only the strongest")
def the_maximum(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(features(x).flatten(1).max(1).values.sum(), x)[0]


@answers.wrong("only activations above 0")
def rectified(features, images):
    return sent_back(features, images, torch.relu)


@answers.wrong("mean magnitude")
def normalised(features, images):
    gradient = sent_back(features, images, lambda a: a)
    return gradient / gradient.abs().mean()


@answers.wrong("something works in place")
def left_in_the_parameters(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    a.backward(a.detach())
    return x.grad
