import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def gradient_of(score, images):
    pixels = images.detach().clone().requires_grad_(True)
    return torch.autograd.grad(score(pixels), pixels)[0]


def logit_gradient(model, images, targets):
    return gradient_of(lambda x: model(x).gather(1, targets.view(-1, 1)).sum(), images)


def of(gradient, magnitude):
    return gradient**2 if magnitude == "square" else gradient.abs()


@answers.right
def one_by_one(model, images, targets, *, magnitude="abs"):
    maps = []
    for image, target in zip(images, targets.tolist(), strict=True):
        gradient = gradient_of(lambda x, k=target: model(x)[0, k], image[None])
        maps.append(of(gradient[0], magnitude).max(dim=0).values)
    return torch.stack(maps)


@answers.right
def backward_with_ones(model, images, targets, *, magnitude="abs"):
    pixels = images.clone().requires_grad_()
    scores = (model(pixels) * functional.one_hot(targets, 3)).sum(1)
    (gradient,) = torch.autograd.grad(scores, pixels, grad_outputs=torch.ones_like(scores))
    largest = gradient.abs().amax(1)
    return largest if magnitude == "abs" else largest**2


@answers.right
def as_the_starter_code(model, images, targets, *, magnitude="abs"):
    pixels = images.detach().clone()
    pixels.requires_grad_()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model(pixels).gather(1, targets.view(-1, 1)).squeeze(1).backward(torch.ones(len(images)))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return of(pixels.grad, magnitude).max(dim=1)[0]


@answers.right
def by_functional_jacobian(model, images, targets, *, magnitude="abs"):
    rows = torch.arange(len(images))
    jacobian = torch.autograd.functional.jacobian(model, images)[rows, targets]  # (N, N, 3, H, W)
    return of(jacobian[rows, rows], magnitude).amax(1)


@answers.wrong("the gradient of the loss")
def of_the_loss(model, images, targets, *, magnitude="abs"):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x), targets, reduction="sum"), images)
    return of(gradient, magnitude).amax(1)


@answers.wrong("the gradient of the probability")
def of_the_probability(model, images, targets, *, magnitude="abs"):
    gradient = gradient_of(lambda x: model(x).softmax(-1).gather(1, targets[:, None]).sum(), images)
    return of(gradient, magnitude).amax(1)


@answers.wrong("the predicted class is taken")
def of_the_winner(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, model(images).argmax(1)), magnitude).amax(1)


@answers.wrong("the batch is mixed")
def mixed(model, images, targets, *, magnitude="abs"):
    return of(gradient_of(lambda x: model(x)[:, targets].sum(), images), magnitude).amax(1)


@answers.wrong("divided by the number of images")
def averaged_over_the_batch(model, images, targets, *, magnitude="abs"):
    return of(gradient_of(lambda x: model(x).gather(1, targets[:, None]).mean(), images), magnitude).amax(1)


@answers.wrong("the magnitude is missing")
def signed(model, images, targets, *, magnitude="abs"):
    return logit_gradient(model, images, targets).max(dim=1).values


@answers.wrong("chosen before the magnitude")
def too_late(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets).max(dim=1).values, magnitude)


@answers.wrong("the channels are summed")
def summed(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets), magnitude).sum(dim=1)


@answers.wrong("the channels are averaged")
def averaged(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets), magnitude).mean(dim=1)


@answers.wrong("scaled to a largest value of 1")
def scaled(model, images, targets, *, magnitude="abs"):
    maps = of(logit_gradient(model, images, targets), magnitude).amax(1)
    return maps / maps.flatten(1).max(1).values[:, None, None]


@answers.wrong("multiplied by the image")
def times_input(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets) * images, magnitude).amax(1)


@answers.wrong("magnitude='square' is ignored")
def only_abs(model, images, targets, *, magnitude="abs"):
    return logit_gradient(model, images, targets).abs().amax(1)


@answers.wrong("`requires_grad_()` was called on the input")
def marks_the_callers_tensor(model, images, targets, *, magnitude="abs"):
    images.requires_grad_()
    (gradient,) = torch.autograd.grad(model(images).gather(1, targets[:, None]).sum(), images)
    return of(gradient, magnitude).amax(1)


@answers.right
def by_vector_jacobian_product(model, images, targets, *, magnitude="abs"):
    _, gradient = torch.autograd.functional.vjp(lambda x: model(x).gather(1, targets[:, None]).sum(), images)
    size = gradient.pow(2) if magnitude == "square" else torch.maximum(gradient, -gradient)
    return torch.maximum(torch.maximum(size[:, 0], size[:, 1]), size[:, 2])


@answers.wrong("the norm over the channels")
def length(model, images, targets, *, magnitude="abs"):
    gradient = logit_gradient(model, images, targets)
    squares = (gradient**2).sum(1)
    return squares if magnitude == "square" else squares.sqrt()


@answers.wrong("one channel only")
def red(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets)[:, 0], magnitude)


@answers.wrong("one channel only")
def green(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets), magnitude)[:, 1]


@answers.wrong("the smallest of the three channels")
def smallest(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets), magnitude).min(dim=1).values


@answers.wrong("negative gradients are cut off")
def rectified(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets).relu(), magnitude).max(dim=1).values


@answers.wrong("the largest over the images")
def wrong_axis(model, images, targets, *, magnitude="abs"):
    return of(logit_gradient(model, images, targets), magnitude).max(dim=0).values


@answers.wrong("the first target is used for all images")
def one_target(model, images, targets, *, magnitude="abs"):
    return of(gradient_of(lambda x: model(x)[:, targets[0]].sum(), images), magnitude).amax(1)


@answers.wrong("the gradient of all logits together")
def of_everything(model, images, targets, *, magnitude="abs"):
    return of(gradient_of(lambda x: model(x).sum(), images), magnitude).amax(1)


@answers.wrong("square and abs are exchanged")
def exchanged(model, images, targets, *, magnitude="abs"):
    gradient = logit_gradient(model, images, targets)
    return (gradient**2 if magnitude == "abs" else gradient.abs()).amax(1)


@answers.wrong("squared whatever is asked for")
def always_squared(model, images, targets, *, magnitude="abs"):
    return logit_gradient(model, images, targets).square().amax(1)


@answers.wrong("'float64' came out")
def through_numpy(model, images, targets, *, magnitude="abs"):
    return torch.from_numpy(of(logit_gradient(model, images, targets), magnitude).numpy().astype(float).max(1))


@answers.wrong("also fills the `.grad`")
def plain_backward(model, images, targets, *, magnitude="abs"):
    pixels = images.clone().requires_grad_()
    model(pixels).gather(1, targets[:, None]).sum().backward()
    return of(pixels.grad, magnitude).amax(1)


@answers.wrong("but with its sign")
def signed_extreme(model, images, targets, *, magnitude="abs"):
    pixels = images.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(pixels).gather(1, targets[:, None]).sum(), pixels)
    extreme = torch.gather(gradient, 1, gradient.abs().max(1, keepdim=True).indices).squeeze(1)
    return extreme**2 if magnitude == "square" else extreme


@answers.wrong("called on the network")
def freezes_the_network(model, images, targets, *, magnitude="abs"):
    model.requires_grad_(False)
    pixels = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(pixels).gather(1, targets[:, None]).sum(), pixels)
    return gradient.square().amax(1) if magnitude == "square" else gradient.abs().amax(1)
