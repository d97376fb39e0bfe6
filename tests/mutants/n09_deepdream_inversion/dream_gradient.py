import torch
from torch.nn import functional as F

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


@answers.wrong("rescaled")
def normalised(features, images):
    gradient = sent_back(features, images, lambda a: a)
    return gradient / gradient.abs().mean()


@answers.wrong("`.backward()` also fills")
def left_in_the_parameters(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    a.backward(a.detach())
    return x.grad


@answers.wrong("rescaled")
def zscore(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    g = torch.autograd.grad(a, x, a.detach())[0]
    return g / (g.std() + 1e-8)


@answers.wrong("rescaled")
def norm(features, images):
    x = images.detach().clone().requires_grad_()
    a = features(x)
    g = torch.autograd.grad(a.pow(2).sum() / 2, x)[0]
    return g / g.norm()


@answers.wrong("the images are added")
def step(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    (g,) = torch.autograd.grad(0.5 * (a**2).sum(), x)
    return images + g


@answers.wrong("gradient of the length")
def norm_loss(features, images):
    x = images.clone().requires_grad_()
    return torch.autograd.grad(features(x).norm(), x)[0]


@answers.wrong("create_graph")
def create(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad((a * a).sum() / 2, x, create_graph=True)[0]


@answers.wrong("the square of the activations")
def squaredup(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a, x, a.detach() ** 2)[0]


@answers.wrong("only one channel")
def channelmean(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a[:, 0].pow(2).sum() / 2, x)[0]


@answers.wrong("the activation itself")
def returns_activation(features, images):
    return features(images).detach()


@answers.wrong("the magnitude of the gradient")
def abs(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a, x, a.detach())[0].abs()


@answers.wrong("averaged over the batch")
def averaged_over_the_batch(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a, x, a.detach() / len(images))[0]


@answers.wrong("clipped at 0")
def brighter_only(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return F.relu(torch.autograd.grad(a, x, a.detach())[0])


@answers.wrong("only the first image")
def one_image(features, images):
    x = images[:1].clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a, x, a.detach())[0]


def gradient_with(features, images, up=lambda a: a):
    x = images.clone().requires_grad_()
    a = features(x)
    return torch.autograd.grad(a, x, up(a.detach()))[0]


@answers.wrong("rescaled")
def by_the_largest(features, images):
    return gradient_with(features, images, lambda a: a / a.max())


@answers.wrong("the magnitudes of the activations")
def magnitudes_sent_back(features, images):
    return gradient_with(features, images, lambda a: a.abs())


@answers.wrong("above their mean")
def above_the_mean(features, images):
    return gradient_with(features, images, lambda a: a * (a > a.mean()))


@answers.wrong("only the sign of the gradient")
def signs_of_the_gradient(features, images):
    return gradient_with(features, images).sign()


@answers.wrong("the images are added")
def step_and_clip(features, images):
    x = images.clone().requires_grad_()
    a = features(x)
    return (images + torch.autograd.grad(a, x, a.detach())[0]).clamp(0, 1)
