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


@answers.wrong("still attached to the graph")
def from_the_leaf(model, images, targets, *, epsilon):
    pixels = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(model(pixels), targets), pixels)
    return (pixels - epsilon * gradient.sign()).clamp(0, 1)


@answers.wrong("this is the change alone")
def only_the_change(model, images, targets, *, epsilon):
    return -epsilon * loss_gradient(model, images, targets).sign()


@answers.wrong("the softmax is taken twice")
def two_softmaxes(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x).softmax(1), targets), images)
    return (images - epsilon * gradient.sign()).clamp(0, 1)


@answers.wrong("away from the predicted class")
def untargeted(model, images, targets, *, epsilon):
    return (images + epsilon * loss_gradient(model, images, model(images).argmax(1)).sign()).clamp(0, 1)


@answers.wrong("the change is clipped to [0, 1]")
def clips_the_change(model, images, targets, *, epsilon):
    return images + torch.clamp(-epsilon * loss_gradient(model, images, targets).sign(), 0, 1)


@answers.wrong("one sign for all three colours")
def grey_step(model, images, targets, *, epsilon):
    gradient = loss_gradient(model, images, targets).mean(1, keepdim=True)
    return (images - epsilon * gradient.sign()).clamp(0, 1)


@answers.wrong("divided by the largest magnitude")
def by_the_largest(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x), targets, reduction="sum"), images)
    return (images - epsilon * gradient / gradient.abs().max()).clamp(0, 1)


@answers.wrong("the signs are lost")
def always_down(model, images, targets, *, epsilon):
    return (images - epsilon * loss_gradient(model, images, targets).abs().sign()).clamp(0, 1)


@answers.wrong("only large gradients count")
def large_ones(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x), targets, reduction="sum"), images)
    return (images - epsilon * torch.where(gradient.abs() > 1e-2, gradient.sign(), 0)).clamp(0, 1)


@answers.wrong("half of epsilon")
def half_way(model, images, targets, *, epsilon):
    return (images - epsilon / 2 * loss_gradient(model, images, targets).sign()).clamp(0, 1)


@answers.wrong("a rounded sign")
def smooth_sign(model, images, targets, *, epsilon):
    gradient = gradient_of(lambda x: functional.cross_entropy(model(x), targets, reduction="sum"), images)
    return (images - epsilon * torch.tanh(100 * gradient)).clamp(0, 1)


@answers.wrong("'float64' came out")
def in_doubles(model, images, targets, *, epsilon):
    return mean_loss(model, images, targets, epsilon=epsilon).double()


@answers.wrong("also fills the `.grad`")
def plain_backward(model, images, targets, *, epsilon):
    pixels = images.clone().requires_grad_()
    functional.cross_entropy(model(pixels), targets).backward()
    return (images - epsilon * pixels.grad.sign()).clamp(0, 1)


@answers.wrong("clipped at one end only")
def at_most_one(model, images, targets, *, epsilon):
    return (images - epsilon * loss_gradient(model, images, targets).sign()).clamp_max(1)


@answers.wrong("one sign for all images")
def shared_signs(model, images, targets, *, epsilon):
    signs = loss_gradient(model, images, targets).sum(0, keepdim=True).sign()
    return (images - epsilon * signs).clamp(0, 1)
