import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def gradient_of(score, images):
    pixels = images.detach().clone().requires_grad_(True)
    return torch.autograd.grad(score(pixels), pixels)[0]


def loss_gradient(model, images, targets):
    return gradient_of(lambda x: functional.cross_entropy(model(x), targets), images)


@answers.right
def mean_loss(model, images, targets, *, epsilon):
    return torch.clamp(images - epsilon * torch.sign(loss_gradient(model, images, targets)), 0, 1)


@answers.right
def up_the_log_probability(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: model(x).log_softmax(1).gather(1, targets[:, None]).sum(), images)
    return (images + epsilon * gradient.sign()).clamp(min=0.0, max=1.0)


@answers.right
def one_by_one(model, images, targets, *, epsilon):
    moved = []
    for image, target in zip(images, targets.tolist(), strict=True):
        gradient = gradient_of(lambda x, k=target: model(x).softmax(1)[0, k], image[None])
        moved.append(image + epsilon * torch.where(gradient[0] > 0, 1.0, torch.where(gradient[0] < 0, -1.0, 0.0)))
    return torch.stack(moved).clamp(0, 1)


@answers.wrong("the gradient itself is added")
def gradient_step(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x), targets, reduction="sum"), images)
    return (images - epsilon * gradient).clamp(0, 1)


@answers.wrong("a step of unit length")
def unit_step(model, images, targets, *, epsilon):
    gradient = loss_gradient(model, images, targets)
    return (images - epsilon * functional.normalize(gradient.flatten(1)).view_as(gradient)).clamp(0, 1)


@answers.wrong("this leads away from the target")
def as_the_paper_prints_it(model, images, targets, *, epsilon):
    return (images + epsilon * loss_gradient(model, images, targets).sign()).clamp(0, 1)


@answers.wrong("the sign of the gradient of the logit")
def logit_step(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: model(x).gather(1, targets[:, None]).sum(), images)
    return (images + epsilon * gradient.sign()).clamp(0, 1)


@answers.wrong("the clipping to [0, 1] is missing")
def leaves_the_range(model, images, targets, *, epsilon):
    return images - epsilon * loss_gradient(model, images, targets).sign()


@answers.wrong("the predicted class is made more probable")
def surer(model, images, targets, *, epsilon):
    return (images - epsilon * loss_gradient(model, images, model(images).argmax(1)).sign()).clamp(0, 1)


@answers.wrong("every image goes to the first target")
def one_for_all(model, images, targets, *, epsilon):
    target = int(targets[0])
    gradient = gradient_of(lambda x: model(x).log_softmax(1)[:, target].sum(), images)
    return (images + epsilon * gradient.sign()).clamp(0, 1)


@answers.wrong("epsilon is divided by 255")
def levels(model, images, targets, *, epsilon):
    return (images - epsilon / 255 * loss_gradient(model, images, targets).sign()).clamp(0, 1)


@answers.wrong("a value whose gradient is 0 moves")
def two_signs(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: model(x).log_softmax(1).gather(1, targets[:, None]).sum(), images)
    return torch.where(gradient > 0, images + epsilon, images - epsilon).clamp(0, 1)


@answers.wrong("something works in place")
def on_the_callers_picture(model, images, targets, *, epsilon):
    images -= epsilon * loss_gradient(model, images, targets).sign()
    return images.clamp_(0, 1)
