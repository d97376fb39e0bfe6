import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def gradient_of(score, images):
    pixels = images.detach().clone().requires_grad_(True)
    return torch.autograd.grad(score(pixels), pixels)[0]


def of_logits(model, targets):
    return lambda x: model(x).gather(1, targets.view(-1, 1)).sum()


def mean_size(g):
    return g.abs().flatten(1).mean(1)[:, None, None, None]


@answers.right
def one_by_one(model, images, targets, *, lr=0.01):
    moved_images = []
    for image, target in zip(images, targets.tolist(), strict=True):
        g = gradient_of(lambda x, k=target: model(x)[0, k], image[None])
        moved_images.append(torch.clamp(image[None] + lr * g / g.abs().mean(), 0, 1))
    return torch.cat(moved_images)


@answers.right
def by_an_optimizer(model, images, targets, *, lr=0.01):
    pixels = torch.nn.Parameter(images.clone())
    optimizer = torch.optim.SGD([pixels], lr=lr, maximize=True)
    g = torch.autograd.grad(of_logits(model, targets)(pixels), pixels)[0]
    pixels.grad = g / mean_size(g)
    optimizer.step()
    with torch.no_grad():
        pixels.clamp_(0, 1)
    return pixels.detach()


@answers.right
def backward_on_a_frozen_network(model, images, targets, *, lr=0.01):
    pixels = images.detach().clone()
    pixels.requires_grad_()
    flags = [p.requires_grad for p in model.parameters()]
    for p in model.parameters():
        p.requires_grad_(False)
    model(pixels)[range(len(images)), targets].sum().backward()
    for p, flag in zip(model.parameters(), flags, strict=True):
        p.requires_grad_(flag)
    with torch.no_grad():
        pixels += lr * pixels.grad / mean_size(pixels.grad)
    return pixels.detach().clamp(min=0, max=1)


def moved(images, change):
    return (images + change).clamp(0, 1)


def normalised(score, images, lr):
    g = gradient_of(score, images)
    return moved(images, lr * g / mean_size(g))


@answers.wrong("the step goes down")
def descent(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return moved(images, -lr * g / mean_size(g))


@answers.wrong("which also rises when other logits fall")
def the_loss(model, images, targets, *, lr=0.01):
    return normalised(lambda x: -functional.cross_entropy(model(x), targets, reduction="sum"), images, lr)


@answers.wrong("which also rises when other logits fall")
def the_probability(model, images, targets, *, lr=0.01):
    return normalised(lambda x: model(x).softmax(-1).gather(1, targets[:, None]).sum(), images, lr)


@answers.wrong("the predicted class is optimised")
def the_winner(model, images, targets, *, lr=0.01):
    return normalised(of_logits(model, model(images).argmax(1)), images, lr)


@answers.wrong("the batch is mixed")
def mixed(model, images, targets, *, lr=0.01):
    return normalised(lambda x: model(x)[:, targets].sum(), images, lr)


@answers.wrong("not divided by mean |g|")
def raw_gradient(model, images, targets, *, lr=0.01):
    return moved(images, lr * gradient_of(of_logits(model, targets), images))


@answers.wrong("divided by the L2 norm")
def unit_length(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return moved(images, lr * g / g.flatten(1).norm(dim=1)[:, None, None, None])


@answers.wrong("one mean for the whole batch")
def shared_mean(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return moved(images, lr * g / g.abs().mean())


@answers.wrong("only the sign of the gradient is used")
def signs(model, images, targets, *, lr=0.01):
    return moved(images, lr * gradient_of(of_logits(model, targets), images).sign())


@answers.wrong("the sign of the gradient is lost")
def saliency_as_a_step(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images).abs()
    return moved(images, lr * g / mean_size(g))


@answers.wrong("this is the change alone")
def only_the_change(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return lr * g / mean_size(g)


@answers.wrong("the result leaves [0, 1]")
def not_clipped(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return images + lr * g / mean_size(g)


@answers.wrong("still attached to the graph")
def not_detached(model, images, targets, *, lr=0.01):
    pixels = images.clone().requires_grad_()
    g = torch.autograd.grad(of_logits(model, targets)(pixels), pixels)[0]
    return (pixels + lr * g / mean_size(g)).clamp(0, 1)


def over(size, model, images, targets, lr):
    g = gradient_of(of_logits(model, targets), images)
    return moved(images, lr * g / size(g))


@answers.wrong("lr is ignored")
def default_step(model, images, targets, *, lr=0.01):
    return over(mean_size, model, images, targets, 0.01)


@answers.wrong("divided by the sum of |g|")
def by_the_sum(model, images, targets, *, lr=0.01):
    return over(lambda g: abs(g).sum((1, 2, 3), keepdim=True), model, images, targets, lr)


@answers.wrong("divided by |mean g|")
def magnitude_too_late(model, images, targets, *, lr=0.01):
    return over(lambda g: abs(g.mean((1, 2, 3), keepdim=True)), model, images, targets, lr)


@answers.wrong("the root of the mean square")
def root_mean_square(model, images, targets, *, lr=0.01):
    return over(lambda g: (g**2).mean((1, 2, 3), keepdim=True) ** 0.5, model, images, targets, lr)


@answers.wrong("divided by the largest |g|")
def by_the_largest(model, images, targets, *, lr=0.01):
    return over(lambda g: g.abs().flatten(1).max(1).values.view(-1, 1, 1, 1), model, images, targets, lr)


@answers.wrong("each channel has a mean of its own")
def channel_by_channel(model, images, targets, *, lr=0.01):
    return over(lambda g: g.abs().flatten(2).mean(2)[..., None, None], model, images, targets, lr)


@answers.wrong("each pixel is divided by its own mean")
def pixel_by_pixel(model, images, targets, *, lr=0.01):
    return over(lambda g: g.abs().mean(1, keepdim=True) + 1e-20, model, images, targets, lr)


@answers.wrong("not small beside mean |g|")
def with_a_thousandth(model, images, targets, *, lr=0.01):
    return over(lambda g: mean_size(g) + 1e-3, model, images, targets, lr)


@answers.wrong("not small beside mean |g|")
def with_a_hundred_thousandth(model, images, targets, *, lr=0.01):
    return over(lambda g: mean_size(g) + 1e-5, model, images, targets, lr)


@answers.right
def with_a_tiny_number(model, images, targets, *, lr=0.01):
    return over(lambda g: mean_size(g) + 1e-8, model, images, targets, lr)


@answers.wrong("multiplied by mean |g|")
def multiplied(model, images, targets, *, lr=0.01):
    return over(lambda g: 1 / mean_size(g), model, images, targets, lr)


@answers.wrong("cut off at one end only")
def at_most_one(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return (images + lr * g / mean_size(g)).clamp_max(1)


@answers.wrong("cut off at one end only")
def from_minus_one(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    return (images + lr * g / mean_size(g)).clamp(-1, 1)


@answers.wrong("the range is stretched")
def rescaled(model, images, targets, *, lr=0.01):
    g = gradient_of(of_logits(model, targets), images)
    x = images + lr * g / mean_size(g)
    return (x - x.min()) / (x.max() - x.min())


@answers.wrong("two steps instead of one")
def twice(model, images, targets, *, lr=0.01):
    for _ in range(2):
        images = over(mean_size, model, images, targets, lr)
    return images


@answers.wrong("all images follow the first target")
def one_target(model, images, targets, *, lr=0.01):
    return normalised(lambda x: model(x)[:, targets[0]].sum(), images, lr)


@answers.wrong("the gradient of all logits together")
def every_logit(model, images, targets, *, lr=0.01):
    return normalised(lambda x: model(x).sum(), images, lr)


@answers.wrong("'float64' came out")
def in_doubles(model, images, targets, *, lr=0.01):
    return over(mean_size, model, images, targets, lr).double()


@answers.wrong("also fills the `.grad`")
def plain_backward(model, images, targets, *, lr=0.01):
    pixels = images.clone().requires_grad_()
    of_logits(model, targets)(pixels).backward()
    return moved(images, lr * pixels.grad / mean_size(pixels.grad))
