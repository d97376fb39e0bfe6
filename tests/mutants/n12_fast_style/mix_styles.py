import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def refuse(weights):
    if min(weights.tolist()) < 0 or not any(weights.tolist()):
        raise ValueError("that is no mixture")


@answers.right
def by_hand(paint, image, gammas, betas, *, weights):
    refuse(weights)
    gamma, beta = torch.zeros_like(gammas[0]), torch.zeros_like(betas[0])
    for k, weight in enumerate(weights):
        gamma = gamma + weight / weights.sum() * gammas[k]
        beta = beta + weight / weights.sum() * betas[k]
    return paint(image, gamma, beta)


@answers.right
def by_numpy(paint, image, gammas, betas, *, weights):
    refuse(weights)
    gamma, beta = (torch.from_numpy(np.average(rows.numpy(), 0, weights.numpy())) for rows in (gammas, betas))
    return paint(image, gamma.float(), beta.float())


@answers.right
def divided_at_the_end(paint, image, gammas, betas, *, weights):
    refuse(weights)
    total = weights.sum()
    return paint(image, (weights[:, None] * gammas).sum(0) / total, (weights[:, None] * betas).sum(0) / total)


@answers.wrong("the weights are not divided by their sum")
def raw(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, weights @ gammas, weights @ betas)


@answers.wrong("softmax of the weights")
def softmax(paint, image, gammas, betas, *, weights):
    refuse(weights)
    shares = torch.exp(weights) / torch.exp(weights).sum()
    return paint(image, shares @ gammas, shares @ betas)


@answers.wrong("divided by their largest")
def by_largest(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, (weights / max(weights)) @ gammas, (weights / max(weights)) @ betas)


@answers.wrong("divided by their length")
def by_length(paint, image, gammas, betas, *, weights):
    refuse(weights)
    shares = torch.nn.functional.normalize(weights, dim=0)
    return paint(image, shares @ gammas, shares @ betas)


@answers.wrong("only the strongest style")
def strongest(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, gammas[weights.argmax()], betas[weights.argmax()])


@answers.wrong("the images are mixed")
def pictures(paint, image, gammas, betas, *, weights):
    refuse(weights)
    made = torch.stack([paint(image, gamma, beta) for gamma, beta in zip(gammas, betas, strict=True)])
    return torch.tensordot(weights / weights.sum(), made, dims=1)


@answers.wrong("only γ is mixed")
def scales(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, weights @ gammas / weights.sum(), betas[weights.argmax()])


@answers.wrong("γ and β are swapped")
def swapped(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, weights @ betas / weights.sum(), weights @ gammas / weights.sum())


@answers.wrong("not refused")
def trusting(paint, image, gammas, betas, *, weights):
    return paint(image, weights @ gammas / weights.sum(), weights @ betas / weights.sum())


@answers.wrong("negative weights become 0")
def clamped(paint, image, gammas, betas, *, weights):
    weights = weights.clamp(min=0)
    refuse(weights)
    return paint(image, weights @ gammas / weights.sum(), weights @ betas / weights.sum())


@answers.wrong("the sign of the weights")
def magnitudes(paint, image, gammas, betas, *, weights):
    weights = weights.abs()
    refuse(weights)
    return paint(image, weights @ gammas / weights.sum(), weights @ betas / weights.sum())


@answers.wrong("become equal shares")
def equal_shares(paint, image, gammas, betas, *, weights):
    weights = weights if weights.any() else torch.ones_like(weights)
    refuse(weights)
    return paint(image, weights @ gammas / weights.sum(), weights @ betas / weights.sum())


@answers.wrong("another kind of error")
def asserted(paint, image, gammas, betas, *, weights):
    assert (weights >= 0).all()
    assert weights.sum() > 0
    return paint(image, weights @ gammas / weights.sum(), weights @ betas / weights.sum())


@answers.wrong("without weights")
def plain_mean(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, gammas.mean(0), betas.mean(0))


@answers.wrong("the number of styles")
def over_count(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, (weights[:, None] * gammas).mean(0), (weights[:, None] * betas).mean(0))


@answers.wrong("only β is mixed")
def shifts(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, gammas[weights.argmax()], weights @ betas / weights.sum())


@answers.wrong("the squares of the weights")
def squares(paint, image, gammas, betas, *, weights):
    refuse(weights)
    shares = weights**2 / (weights**2).sum()
    return paint(image, shares @ gammas, shares @ betas)


@answers.wrong("one after the other")
def one_after_the_other(paint, image, gammas, betas, *, weights):
    refuse(weights)
    for gamma, beta, share in zip(gammas, betas, weights / weights.sum(), strict=True):
        image = paint(image, share * gamma, share * beta)
    return image


@answers.wrong("in the denominator")
def eps(paint, image, gammas, betas, *, weights):
    refuse(weights)
    shares = weights / (weights.sum() + 1e-6)
    return paint(image, shares @ gammas, shares @ betas)


@answers.wrong("only γ is mixed")
def first_shift(paint, image, gammas, betas, *, weights):
    refuse(weights)
    s = weights / weights.sum()
    return paint(image, gammas @ s if gammas.shape[0] == gammas.shape[1] else s @ gammas, betas[0])


@answers.wrong("weights of 0 are refused")
def zeros_refused(paint, image, gammas, betas, *, weights):
    if (weights <= 0).any():
        raise ValueError
    s = weights / weights.sum()
    return paint(image, s @ gammas, s @ betas)


@answers.wrong("of all styles are summed")
def summed_images(paint, image, gammas, betas, *, weights):
    refuse(weights)
    s = weights / weights.sum()
    return sum(paint(image, s[k] * gammas[k], s[k] * betas[k]) for k in range(len(s)))


@answers.wrong("do not sum to 1")
def only_shares(paint, image, gammas, betas, *, weights):
    if not torch.isclose(weights.sum(), torch.tensor(1.0)):
        raise ValueError
    refuse(weights)
    return paint(image, weights @ gammas, weights @ betas)


@answers.wrong("γ and β came back")
def no_painting(paint, image, gammas, betas, *, weights):
    refuse(weights)
    s = weights / weights.sum()
    return s @ gammas, s @ betas


@answers.wrong("count alike")
def alike(paint, image, gammas, betas, *, weights):
    refuse(weights)
    s = (weights > 0).float()
    s = s / s.sum()
    return paint(image, s @ gammas, s @ betas)


@answers.wrong("only one of γ and β is divided")
def sum_of_the_shifts(paint, image, gammas, betas, *, weights):
    refuse(weights)
    return paint(image, weights @ gammas / weights.sum(), weights @ betas)
