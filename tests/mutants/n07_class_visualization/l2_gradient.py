import torch

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_autograd(gradient, images, centre, *, weight):
    x = images.clone().requires_grad_()
    cost = weight * ((x - centre) ** 2).sum()
    return gradient - torch.autograd.grad(cost, x)[0]


@answers.right
def towards_the_centre(gradient, images, centre, *, weight):
    pull = centre - images
    return gradient + weight * pull + weight * pull


@answers.right
def channel_by_channel(gradient, images, centre, *, weight):
    total = gradient.clone()
    for channel, colour in enumerate(centre.flatten().tolist()):
        total[:, channel] -= 2 * weight * (images[:, channel] - colour)
    return total


@answers.wrong("pushes the image away")
def added(gradient, images, centre, *, weight):
    return gradient + 2 * weight * (images - centre)


@answers.wrong("the factor 2 of the derivative")
def without_the_two(gradient, images, centre, *, weight):
    return gradient - weight * (images - centre)


@answers.wrong("this pulls to black")
def to_black(gradient, images, centre, *, weight):
    return gradient - 2 * weight * images


@answers.wrong("this is the square itself")
def the_penalty(gradient, images, centre, *, weight):
    return gradient - weight * (images - centre) ** 2


@answers.wrong("summed, not averaged")
def averaged(gradient, images, centre, *, weight):
    return gradient - 2 * weight * (images - centre) / (3 * images.shape[2] * images.shape[3])


@answers.wrong("derivative of the distance")
def of_the_distance(gradient, images, centre, *, weight):
    x = images.clone().requires_grad_()
    distance = (x - centre).pow(2).sum(dim=(1, 2, 3)).sqrt().sum()
    return gradient - weight * torch.autograd.grad(distance, x)[0]


@answers.wrong("own gradient is lost")
def only_the_pull(gradient, images, centre, *, weight):
    return 2 * weight * (centre - images)


@answers.wrong("the weight is ignored")
def unweighted(gradient, images, centre, *, weight):
    return gradient - 2 * (images - centre)


@answers.wrong("half of the distance")
def half(gradient, images, centre, *, weight):
    return gradient - weight * (images - centre) / 2


@answers.wrong("the derivative is summed up")
def summed(gradient, images, centre, *, weight):
    return gradient - 2 * weight * torch.sum(images - centre)


@answers.wrong("the penalty itself is subtracted")
def minus_the_penalty(gradient, images, centre, *, weight):
    return gradient - weight * ((images - centre) ** 2).sum()


@answers.wrong("measured from one grey")
def one_grey(gradient, images, centre, *, weight):
    return gradient - 2 * weight * (images - centre.mean())


@answers.wrong("measured from the image's own mean")
def own_mean(gradient, images, centre, *, weight):
    return gradient - 2 * weight * (images - images.flatten(2).mean(2)[..., None, None])


@answers.wrong("only the sign of the distance")
def l1(gradient, images, centre, *, weight):
    x = images.clone().requires_grad_()
    return gradient - torch.autograd.grad(weight * (x - centre).abs().sum(), x)[0]


@answers.wrong("the weight is squared")
def weight_inside(gradient, images, centre, *, weight):
    x = images.clone().requires_grad_()
    return gradient - torch.autograd.grad(((weight * (x - centre)) ** 2).sum(), x)[0]


@answers.wrong("all signs are flipped")
def of_the_loss(gradient, images, centre, *, weight):
    return -(gradient - 2 * weight * (images - centre))


@answers.wrong("divided by the number of images")
def mean_over_the_batch(gradient, images, centre, *, weight):
    x = images.clone().requires_grad_()
    return gradient - torch.autograd.grad(weight * ((x - centre) ** 2).sum((1, 2, 3)).mean(), x)[0]


@answers.wrong("the images are missing")
def only_the_centre(gradient, images, centre, *, weight):
    return gradient - 2 * weight * centre


@answers.wrong("the result is cut off")
def clipped(gradient, images, centre, *, weight):
    return torch.clamp(gradient - 2 * weight * (images - centre), -1, 1)


@answers.wrong("multiplied with the pull")
def decayed(gradient, images, centre, *, weight):
    return gradient * (1 - 2 * weight * (images - centre))


@answers.wrong("'float64' came out")
def in_doubles(gradient, images, centre, *, weight):
    return gradient.double() - 2 * weight * (images - centre)


@answers.wrong("four times the distance")
def four_times(gradient, images, centre, *, weight):
    return gradient - 4 * weight * (images - centre)


@answers.wrong("the magnitude of the distance")
def distances(gradient, images, centre, *, weight):
    return gradient - 2 * weight * abs(images - centre)


@answers.wrong("divided by the number of channels or of positions")
def mean_over_positions(gradient, images, centre, *, weight):
    return gradient - 2 * weight * (images - centre) / images[0, 0].numel()
