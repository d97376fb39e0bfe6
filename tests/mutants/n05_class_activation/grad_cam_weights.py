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
