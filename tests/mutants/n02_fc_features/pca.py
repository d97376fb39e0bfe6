import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def centre(features):
    return features - features.mean(dim=0, keepdim=True)


@answers.right
def projected(features, k):
    _, _, v = torch.linalg.svd(centre(features))
    return centre(features) @ v[:k].T


@answers.right
def by_the_covariance(features, k):
    x = centre(features).double()
    _, directions = torch.linalg.eigh(x.T @ x / (len(x) - 1))
    return x @ directions.flip(1)[:, :k]


@answers.right
def by_the_scalar_products(features, k):
    x = centre(features).double()
    values, vectors = torch.linalg.eigh(x @ x.T)
    return (vectors * values.clamp_min(0).sqrt()).flip(1)[:, :k]


@answers.right
def in_numpy_with_other_signs(features, k):
    x = features.numpy() - features.numpy().mean(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return torch.from_numpy(-(u * s)[:, :k])


@answers.right
def asks_scikit_learn(features, k):
    from sklearn.decomposition import PCA

    return torch.from_numpy(PCA(k, svd_solver="full").fit_transform(features.numpy()))


@answers.wrong("the mean is not subtracted")
def not_centred(features, k):
    u, s, _ = torch.linalg.svd(features, full_matrices=False)
    return u[:, :k] * s[:k]


@answers.wrong("each row's own mean is subtracted")
def centred_rows(features, k):
    u, s, _ = np.linalg.svd(features.numpy() - features.numpy().mean(axis=1, keepdims=True), full_matrices=False)
    return torch.from_numpy(u[:, :k] * s[:k])


@answers.wrong("these are the directions: the coordinates")
def directions(features, k):
    return torch.linalg.svd(centre(features), full_matrices=False)[2][:k]


@answers.wrong("these are the directions: the coordinates")
def directions_as_columns(features, k):
    return torch.linalg.svd(centre(features), full_matrices=False)[2][:k].T


@answers.wrong("every axis has the same variance")
def left_vectors(features, k):
    return torch.linalg.svd(centre(features), full_matrices=False)[0][:, :k]


@answers.wrong("every axis has the same variance")
def whitened(features, k):
    u, _, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return u[:, :k] * np.sqrt(len(features) - 1)


@answers.wrong("every axis has the same variance")
def whitened_by_n(features, k):
    return torch.linalg.svd(centre(features), full_matrices=False)[0][:, :k] * np.sqrt(len(features))


@answers.wrong("multiplied by the singular values twice")
def stretched_twice(features, k):
    x = centre(features)
    _, s, v = torch.linalg.svd(x, full_matrices=False)
    return (x @ v[:k].T) * s[:k]


@answers.wrong("are the rows of svd's third result")
def columns_of_v(features, k):
    x = centre(features)
    return x @ torch.linalg.svd(x)[2][:, :k]


@answers.wrong("the directions of the smallest variance")
def smallest(features, k):
    x = centre(features).double()
    _, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    return x @ vectors[:, :k]


@answers.wrong("scaled to unit variance first")
def standardised(features, k):
    x = centre(features).double()
    x = x / (x.std(dim=0) + 1e-12)
    u, s, _ = torch.linalg.svd(x, full_matrices=False)
    return (u * s)[:, :k]


@answers.wrong("projected before the mean is subtracted")
def projects_the_raw(features, k):
    return features @ torch.linalg.svd(centre(features), full_matrices=False)[2][:k].T


@answers.wrong("rows and columns are swapped")
def transposed(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return torch.diag(s[:k]) @ u[:, :k].T


@answers.wrong("something works in place")
def centres_in_place(features, k):
    features -= features.mean(dim=0)
    u, s, _ = torch.linalg.svd(features, full_matrices=False)
    return u[:, :k] * s[:k]


@answers.wrong("divided by √(N - 1)")
def of_unit_samples(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return u[:, :k] * s[:k] / np.sqrt(len(features) - 1)


@answers.wrong("one mean for all numbers")
def overall_mean(features, k):
    u, s, _ = torch.linalg.svd(features - features.mean(), full_matrices=False)
    return (u * s)[:, :k]


@answers.wrong("the smaller of the k axes")
def last_directions(features, k):
    x = centre(features).double()
    return x @ torch.linalg.eigh(x.T @ x)[1][:, -k:]


@answers.wrong("the columns of largest variance")
def widest_columns(features, k):
    x = centre(features)
    return x[:, x.std(dim=0).topk(k).indices]


@answers.wrong("these are the first k columns")
def first_columns(features, k):
    return centre(features)[:, :k]


@answers.wrong("the sign of each image is lost")
def magnitudes(features, k):
    return projected(features, k).abs()


@answers.wrong("projected and back")
def reconstructed(features, k):
    x = centre(features)
    v = torch.linalg.svd(x, full_matrices=False)[2][:k]
    return x @ v.T @ v


@answers.wrong("too many or too few: the first")
def one_more(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return u[:, : k + 1] * s[: k + 1]


@answers.wrong("unit length or range")
def ranges(features, k):
    coordinates = projected(features, k)
    return coordinates / coordinates.abs().max(dim=0).values


@answers.wrong("a numpy.ndarray came out")
def numpy_comes_out(features, k):
    return in_numpy_with_other_signs(features, k).numpy()


@answers.wrong("half precision")
def half_precision(features, k):
    return projected(features, k).half()


@answers.wrong("singular values or shares")
def shares_of_variance(features, k):
    s = torch.linalg.svdvals(centre(features))
    return (s**2 / (s**2).sum())[:k]


@answers.wrong("the root of the singular values")
def roots(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return u[:, :k] @ torch.diag(s[:k].sqrt())


@answers.wrong("at one image or at the median")
def at_the_first_image(features, k):
    u, s, _ = torch.linalg.svd(features - features[0], full_matrices=False)
    return (u * s)[:, :k]


@answers.wrong("made unit vectors first")
def unit_rows(features, k):
    return projected(features / features.norm(dim=1, keepdim=True).clamp_min(1e-12), k)


@answers.wrong("values differ")
def random_and_approximate(features, k):
    u, s, _ = torch.pca_lowrank(features, q=k, niter=0)
    return u * s


@answers.wrong("divided by the largest")
def within_one(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    coordinates = u[:, :k] * s[:k]
    return coordinates / torch.max(torch.abs(coordinates))


@answers.wrong("multiplied by the singular values twice")
def directions_already_scaled(features, k):
    x = centre(features)
    u, variances, _ = torch.linalg.svd(x.T @ x / (len(x) - 1))
    return x @ (u[:, :k] * variances[:k] ** 0.5)


@answers.wrong("scale the rows of U")
def broadcast_down(features, k):
    u, s, _ = torch.linalg.svd(centre(features), full_matrices=False)
    return (s.unsqueeze(1) * u[: len(s)])[:, :k]
