import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_outer_products(features, normalise=True):
    count, channels, height, width = features.shape
    products = torch.zeros(count, channels, channels)
    for image, maps in enumerate(features):
        for row in range(height):
            for column in range(width):
                products[image] += torch.outer(maps[:, row, column], maps[:, row, column])
    return products / (height * width if normalise else 1)


@answers.right
def by_einsum(features, normalise=True):
    products = torch.einsum("nchw,ndhw->ncd", features, features)
    return products / features[0, 0].numel() if normalise else products


@answers.right
def image_by_image(features, normalise=True):
    rows = [maps.reshape(len(maps), -1) for maps in features]
    return torch.stack([row @ row.T / (row.shape[1] if normalise else 1) for row in rows])


def scaled(features, normalise, divisor):
    products = by_einsum(features, normalise=False)
    return products / divisor if normalise else products


@answers.wrong("images of the batch are mixed")
def one_for_all(features, normalise=True):
    rows = features.transpose(0, 1).reshape(features.shape[1], -1)
    products = rows.mm(rows.t()).repeat(len(features), 1, 1)
    return products / features[0, 0].numel() if normalise else products


@answers.wrong("the batch has become channels")
def of_the_tutorial(features, normalise=True):
    """As written for a batch of one."""
    a, b, c, d = features.size()
    rows = features.reshape(a * b, c * d)
    products = torch.mm(rows, rows.t())
    return (
        (products / (c * d) if normalise else products)
        if a > 1
        else (products / (c * d) if normalise else products)[None]
    )


@answers.wrong("the sum instead of the mean")
def never_divided(features, normalise=True):
    return by_einsum(features, normalise=False)


@answers.wrong("the mean instead of the sum")
def always_divided(features, normalise=True):
    return by_einsum(features, normalise=True)


@answers.wrong("divided by the channels as well")
def of_the_assignment(features, normalise=True):
    return scaled(features, normalise, features[0].numel())


@answers.wrong("positions squared")
def twice(features, normalise=True):
    return scaled(features, normalise, features[0, 0].numel() ** 2)


@answers.wrong("not of positions")
def over_channels(features, normalise=True):
    return scaled(features, normalise, features.shape[1])


@answers.wrong("positions with positions")
def transposed(features, normalise=True):
    rows = features.reshape(*features.shape[:2], -1)
    products = torch.bmm(rows.transpose(1, 2), rows)
    return products / rows.shape[2] if normalise else products


@answers.wrong("all of its row")
def two_sums(features, normalise=True):
    products = features.sum(3) @ features.sum(3).mT
    return products / features[0, 0].numel() if normalise else products


@answers.wrong("mean activations")
def mean_first(features, normalise=True):
    means = features.mean((2, 3))
    products = means.unsqueeze(2) * means.unsqueeze(1)
    return products if normalise else products * features[0, 0].numel()


@answers.wrong("channels and positions are mixed")
def shuffled(features, normalise=True):
    rows = features.permute(0, 2, 3, 1).reshape(*features.shape[:2], -1)
    products = rows @ rows.transpose(1, 2)
    return products / rows.shape[2] if normalise else products


@answers.wrong("this is the covariance")
def centred(features, normalise=True):
    return by_einsum(features - features.mean((2, 3), keepdim=True), normalise)


@answers.wrong("channels and positions are mixed")
def reshape_last(features, normalise=True):
    n, c, h, w = features.shape
    f = features.reshape(n, -1, c)
    g = f.transpose(1, 2) @ f
    return g / (h * w) if normalise else g


@answers.wrong("no gradient reaches features")
def detached(features, normalise=True):
    f = features.detach().flatten(2)
    g = f @ f.mT
    return g / f.shape[2] if normalise else g


@answers.wrong("these are cosines")
def cosine(features, normalise=True):
    f = F.normalize(features.flatten(2), dim=2)
    return f @ f.mT


@answers.wrong("rows or of columns alone")
def height(features, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / features.shape[2] if normalise else g


@answers.wrong("wrong way round")
def inverted(features, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g if normalise else g / f.shape[2]


@answers.wrong("only the diagonal")
def diagonal(features, normalise=True):
    g = torch.diag_embed(features.square().flatten(2).sum(2))
    return g / features[0, 0].numel() if normalise else g


@answers.wrong("number of images as well")
def batch_count(features, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / (f.shape[2] * len(f)) if normalise else g


@answers.wrong("no ½")
def half(features, normalise=True):
    f = features.flatten(2)
    g = 0.5 * torch.bmm(f, f.transpose(1, 2))
    return g / f.shape[2] if normalise else g


@answers.wrong("no gradient reaches features")
def numpy(features, normalise=True):
    f = features.flatten(2).numpy()
    g = np.einsum("ncp,ndp->ncd", f, f)
    return torch.from_numpy(g / f.shape[2] if normalise else g)


@answers.wrong("values differ")
def rounded(features, normalise=True):
    f = features.flatten(2)
    g = (f @ f.mT).round()
    return g / f.shape[2] if normalise else g


@answers.wrong("its own length")
def unit_length(features, *, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / g.norm() if normalise else g


@answers.wrong("one less than")
def one_less(features, *, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / (f.shape[2] - 1) if normalise else g


@answers.wrong("cut off")
def rectified(features, *, normalise=True):
    f = features.flatten(2).relu()
    g = f @ f.mT
    return g / f.shape[2] if normalise else g


@answers.wrong("one half of the matrix")
def upper_half(features, *, normalise=True):
    f = features.flatten(2)
    g = (f @ f.mT).triu()
    return g / f.shape[2] if normalise else g


@answers.wrong("the root of the number")
def over_root(features, *, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / f.shape[2] ** 0.5 if normalise else g


@answers.wrong("the number of entries")
def over_entries(features, *, normalise=True):
    f = features.flatten(2)
    g = f @ f.mT
    return g / g.shape[1] ** 2 if normalise else g


@answers.wrong("images of the batch are mixed")
def mean_of_the_batch(features, *, normalise=True):
    n, c, h, w = features.shape
    vectors = features.permute(1, 0, 2, 3).reshape(c, -1)
    return (vectors @ vectors.T / (n * h * w if normalise else n)).repeat(n, 1, 1)


@answers.wrong("divided by h² or w²")
def as_if_square(features, *, normalise=True):
    vectors = features.flatten(2)
    return vectors @ vectors.mT / (features.shape[-2] ** 2 if normalise else 1)
