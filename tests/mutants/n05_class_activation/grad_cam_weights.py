import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def gradient(head, maps, number):
    leaf = maps.detach().clone().requires_grad_(True)
    return torch.autograd.grad(number(head(leaf)), leaf)[0]


def of_targets(targets):
    return lambda logits: sum(row[k] for row, k in zip(logits, targets, strict=True))


@answers.right
def one_by_one(head, maps, targets):
    rows = [gradient(head, one[None], lambda logits, k=k: logits[0, k]) for one, k in zip(maps, targets, strict=True)]
    return torch.cat(rows).flatten(2).mean(-1)


@answers.right
def by_one_hot(head, maps, targets):
    leaf = maps.clone().requires_grad_()
    logits = head(leaf)
    gradients = torch.autograd.grad(logits, leaf, functional.one_hot(targets, logits.shape[1]).float())[0]
    return functional.adaptive_avg_pool2d(gradients, 1)[:, :, 0, 0]


@answers.right
def by_torch_func(head, maps, targets):
    def score(one, k):
        return head(one[None])[0].gather(0, k[None])[0]

    return torch.func.vmap(torch.func.grad(score))(maps, targets).mean(dim=(-2, -1))


@answers.right
def backward_for_the_maps_only(head, maps, targets):
    leaf = maps.clone().requires_grad_()
    head(leaf).gather(1, targets[:, None]).sum().backward(inputs=[leaf])
    return leaf.grad.mean(dim=(2, 3))


@answers.wrong("the gradients are added up")
def summed(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).sum(dim=(2, 3))


@answers.wrong("averaged over the images as well")
def mixed(head, maps, targets):
    one = gradient(head, maps, of_targets(targets)).mean(dim=[0, 2, 3])
    return one.repeat(len(maps), 1)


@answers.wrong("the mean of the scores was differentiated")
def mean_of_scores(head, maps, targets):
    return gradient(head, maps, lambda logits: logits[range(len(maps)), targets].mean()).mean((2, 3))


@answers.wrong("the first target is used for all")
def one_target(head, maps, targets):
    return gradient(head, maps, lambda logits: logits[:, targets[0]].sum()).mean((2, 3))


@answers.wrong("the gradient of all logits together")
def all_logits(head, maps, targets):
    return gradient(head, maps, torch.sum).mean((2, 3))


@answers.wrong("the gradient of the probability, after the softmax")
def probability(head, maps, targets):
    return gradient(head, maps, lambda logits: of_targets(targets)(torch.softmax(logits, -1))).mean((2, 3))


@answers.wrong("the gradient of the loss")
def loss(head, maps, targets):
    return gradient(head, maps, lambda x: functional.cross_entropy(x, targets, reduction="sum")).mean((2, 3))


@answers.wrong("the gradient of the loss")
def mean_loss(head, maps, targets):
    return gradient(head, maps, lambda x: torch.nn.CrossEntropyLoss()(x, targets)).mean((2, 3))


@answers.wrong("the gradient of the logarithm")
def log_probability(head, maps, targets):
    return gradient(head, maps, lambda logits: -functional.nll_loss(logits.log_softmax(1), targets) * len(maps)).mean(
        (2, 3)
    )


@answers.wrong("for the class that the network predicts")
def prediction(head, maps, targets):
    return gradient(head, maps, of_targets(head(maps).argmax(1))).mean((2, 3))


@answers.wrong("the largest gradient of each map")
def largest(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).flatten(2).max(-1).values


@answers.wrong("negative gradients are cut off")
def rectified(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).relu().mean((2, 3))


@answers.wrong("the gradients lost their signs")
def magnitudes(head, maps, targets):
    return abs(gradient(head, maps, of_targets(targets))).mean((2, 3))


@answers.wrong("already multiplied with the maps")
def times_maps(head, maps, targets):
    return (maps * gradient(head, maps, of_targets(targets))).mean((2, 3))


@answers.wrong("not averaged yet")
def whole_gradient(head, maps, targets):
    return gradient(head, maps, of_targets(targets))


@answers.wrong("the batch is mixed")
def all_targets(head, maps, targets):
    return gradient(head, maps, lambda logits: logits[:, targets].sum()).mean((2, 3))


@answers.wrong("negative weights are cut off")
def rectified_weights(head, maps, targets):
    return torch.relu(gradient(head, maps, of_targets(targets)).mean((2, 3)))


@answers.wrong("the sign is flipped")
def of_minus_the_logit(head, maps, targets):
    return gradient(head, maps, lambda logits: -of_targets(targets)(logits)).mean((2, 3))


@answers.wrong("the length of the gradient")
def lengths(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).square().sum((2, 3)).sqrt()


@answers.wrong("averaged over the channels")
def over_channels(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).mean(dim=1)


@answers.wrong("divided by the number of channels as well")
def one_mean_too_many(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).sum((2, 3)) / maps[0].numel()


@answers.wrong("the maps are averaged")
def of_the_maps(head, maps, targets):
    return functional.adaptive_avg_pool2d(maps, 1).flatten(1)


@answers.wrong("the square of one side")
def as_if_square(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).sum((2, 3)) / maps.shape[-1] ** 2


@answers.wrong("averaged along one side only")
def down_only(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).sum(3).mean(2)


@answers.wrong("averaged over the active positions")
def of_active_ones(head, maps, targets):
    active = (maps > 0).float()
    total = (gradient(head, maps, of_targets(targets)) * active).sum((2, 3))
    return total / active.sum((2, 3)).clamp(min=1)


@answers.wrong("the weights are scaled")
def softmaxed(head, maps, targets):
    return torch.softmax(gradient(head, maps, of_targets(targets)).mean((2, 3)), dim=1)


@answers.wrong("the weights are scaled")
def of_unit_length(head, maps, targets):
    weights = gradient(head, maps, of_targets(targets)).mean((2, 3))
    return weights / weights.norm(dim=1, keepdim=True)


@answers.wrong("'float64' came out")
def in_doubles(head, maps, targets):
    return gradient(head, maps, of_targets(targets)).double().mean((2, 3))


@answers.wrong("leave its mode alone")
def to_training(head, maps, targets):
    if isinstance(head, torch.nn.Module):
        head.eval()
    return gradient(head, maps, of_targets(targets)).mean((2, 3))


@answers.wrong("also fills the `.grad`")
def plain_backward(head, maps, targets):
    leaf = maps.clone().requires_grad_()
    head(leaf).gather(1, targets[:, None]).sum().backward()
    return leaf.grad.mean((2, 3))


@answers.wrong("the maps lose their negative part first")
def at_rectified_maps(head, maps, targets):
    return gradient(head, torch.relu(maps), of_targets(targets)).mean((2, 3))


@answers.wrong("divided by a fixed number")
def twelve_by_twelve(head, maps, targets):
    leaf = maps.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(head(leaf).gather(1, targets[:, None]).sum(), leaf)
    return gradient.sum((-2, -1)) / 144
