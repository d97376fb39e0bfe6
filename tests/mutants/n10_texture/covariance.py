import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


@answers.wrong("no gradient reaches features")
def by_numpy(features):
    rows = features.flatten(2).numpy()
    return torch.tensor(np.stack([np.cov(row, ddof=0) for row in rows]))


@answers.right
def gram_less_means(features):
    rows = features.double().flatten(2)
    means = rows.mean(2)
    return (torch.einsum("ncp,ndp->ncd", rows, rows) / rows.shape[2] - means[:, :, None] * means[:, None]).float()


@answers.right
def position_by_position(features):
    total = torch.zeros(len(features), features.shape[1], features.shape[1])
    means = features.mean((2, 3))
    for row in range(features.shape[2]):
        for column in range(features.shape[3]):
            off = features[:, :, row, column] - means
            total = total + off[:, :, None] * off[:, None]
    return total / (features.shape[2] * features.shape[3])


@answers.right
def by_torch(features):
    return torch.stack([torch.cov(maps.flatten(1), correction=0) for maps in features])


def products(values, divisor=None):
    return torch.einsum("nchw,ndhw->ncd", values, values) / (divisor or values[0, 0].numel())


@answers.wrong("the means are still in it")
def plain_gram(features):
    return products(features)


@answers.wrong("one less than")
def unbiased(features):
    return torch.stack([torch.cov(maps.flatten(1)) for maps in features])


@answers.wrong("a sum over the positions")
def summed(features):
    return products(features - features.mean((2, 3), keepdim=True), 1)


@answers.wrong("one mean for all channels")
def one_mean(features):
    return products(features - features.mean((1, 2, 3))[:, None, None, None])


@answers.wrong("the channels at each position")
def across_channels(features):
    return products(features - features.mean(dim=1, keepdim=True))


@answers.wrong("over the batch too")
def over_pictures(features):
    return products(features - features.mean((0, 2, 3))[None, :, None, None])


@answers.wrong("this is the correlation")
def correlation(features):
    return torch.stack([torch.corrcoef(maps.flatten(1)) for maps in features])


@answers.wrong("their outer product was meant")
def minus_means(features):
    return products(features) - features.mean((2, 3))[:, :, None]


@answers.wrong("not that of the activations")
def minus_its_mean(features):
    matrix = products(features)
    return matrix - matrix.flatten(1).mean(1)[:, None, None]


@answers.wrong("added, not removed")
def plus(features):
    means = features.mean((2, 3))
    return products(features) + torch.einsum("nc,nd->ncd", means, means)


@answers.wrong("without moving their axes")
def reshape_last(features):
    n, c, h, w = features.shape
    f = features.reshape(n, h * w, c)
    f = f - f.mean(1, keepdim=True)
    return f.transpose(1, 2) @ f / (h * w)


@answers.wrong("positions twice")
def twice(features):
    f = features.flatten(2)
    f = f - f.mean(2, keepdim=True)
    return f @ f.mT / f.shape[2] ** 2


@answers.wrong("number of channels")
def channels(features):
    f = features.flatten(2)
    f = f - f.mean(2, keepdim=True)
    return f @ f.mT / f.shape[1]


@answers.wrong("images of the batch are mixed")
def whole_batch(features):
    f = features.transpose(0, 1).flatten(1)
    c = torch.cov(f, correction=0)
    return c.repeat(len(features), 1, 1)


@answers.wrong("only the variances")
def variances(features):
    return torch.diag_embed(features.flatten(2).var(2, correction=0))


@answers.wrong("no gradient reaches features")
def detached(features):
    f = features.flatten(2)
    f = f - f.mean(2, keepdim=True)
    return (f @ f.mT / f.shape[2]).detach()


@answers.wrong("positions with positions")
def positions(features):
    f = features.flatten(2)
    f = f - f.mean(2, keepdim=True)
    return f.mT @ f / f.shape[1]


@answers.wrong("one mean for all channels")
def flat(features):
    f = features.flatten(1)
    f = f - f.mean(1, keepdim=True)
    f = f.view(*features.shape[:2], -1)
    return f @ f.mT / f.shape[2]


@answers.wrong("2 times the expected")
def one_side(features):
    f = features.flatten(2)
    return (f - f.mean(2, keepdim=True)) @ f.mT / f.shape[2] * 2


def right_one(f):
    f = f.flatten(2)
    f = f - f.mean(2, keepdim=True)
    return f @ f.mT / f.shape[2]


@answers.wrong("one half of the matrix")
def upper_half(features):
    return right_one(features).triu()


@answers.wrong("the signs are dropped")
def unsigned(features):
    return right_one(features).abs()


@answers.wrong("the squares of the means")
def squared_means(features):
    f = features.flatten(2)
    return f @ f.mT / f.shape[2] - f.mean(2).square()[:, None]


@answers.wrong("removed from the sum")
def too_late(features):
    f = features.flatten(2)
    m = f.mean(2)
    return f @ f.mT - m[:, :, None] * m[:, None]


@answers.wrong("the mean over the images")
def mean_over_images(features):
    return right_one(features).mean(0, keepdim=True).expand(len(features), -1, -1)


@answers.wrong("added to the diagonal")
def ridge(features):
    return right_one(features) + 1e-3 * torch.eye(features.shape[1])


@answers.wrong("the means are detached")
def means_without_a_graph(features):
    f = features.flatten(2)
    m = f.detach().mean(2)
    return f @ f.mT / f.shape[2] - m[:, :, None] * m[:, None]


@answers.wrong("only the first image")
def first_image(features):
    return torch.cov(features[0].flatten(1), correction=0).unsqueeze(0)
