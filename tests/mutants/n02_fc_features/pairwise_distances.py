import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_broadcasting(queries, bank):
    return ((queries[:, None, :] - bank[None, :, :]) ** 2).sum(-1) ** 0.5


@answers.right
def asks_torch(queries, bank):
    return torch.cdist(queries, bank)


@answers.right
def in_numpy(queries, bank):
    differences = queries.numpy()[:, np.newaxis] - bank.numpy()[np.newaxis]
    return torch.from_numpy(np.sqrt((differences**2).sum(2)))


@answers.right
def expanded_and_clamped(queries, bank):
    squared = (queries**2).sum(1, keepdim=True) - 2 * queries.mm(bank.t()) + (bank**2).sum(1)
    return torch.sqrt(torch.relu(squared))


@answers.right
def by_norms(queries, bank):
    return torch.linalg.vector_norm(queries.unsqueeze(1) - bank, dim=-1)


@answers.wrong("the root is missing")
def squared(queries, bank):
    return torch.cdist(queries, bank) ** 2


@answers.wrong("that is L1")
def manhattan(queries, bank):
    return torch.cdist(queries, bank, p=1)


@answers.wrong("the mean of the squares")
def root_mean_square(queries, bank):
    return torch.cdist(queries, bank) / queries.shape[1] ** 0.5


@answers.wrong("row i meets only row i")
def row_by_row(queries, bank):
    return torch.sqrt(((queries - bank) ** 2).sum(dim=1))


@answers.wrong("along the wrong axis")
def over_the_bank(queries, bank):
    return ((queries[:, None] - bank[None]) ** 2).sum(dim=1).sqrt()


@answers.wrong("along the wrong axis")
def over_the_queries(queries, bank):
    return torch.linalg.vector_norm(queries[:, None] - bank[None], dim=0)


@answers.wrong("queries and bank are swapped")
def swapped(queries, bank):
    return torch.linalg.vector_norm(queries[None] - bank[:, None], dim=2)


@answers.wrong("lacks its 2")
def one_cross_term(queries, bank):
    return torch.sqrt((queries**2).sum(1)[:, None] + (bank**2).sum(1) - queries @ bank.T)


@answers.wrong("the cross term is added")
def plus_the_cross_term(queries, bank):
    return torch.sqrt((queries**2).sum(1)[:, None] + (bank**2).sum(1) + 2 * (queries @ bank.T))


@answers.wrong("the norms are not squared")
def plain_norms(queries, bank):
    return torch.sqrt(queries.norm(dim=1)[:, None] + bank.norm(dim=1) - 2 * (queries @ bank.T))


@answers.wrong("rounding makes tiny squares negative")
def not_clamped(queries, bank):
    return torch.sqrt((queries**2).sum(1)[:, None] - 2 * queries @ bank.T + (bank**2).sum(1)[None])


@answers.wrong("right, but with a loop")
def two_loops(queries, bank):
    distances = torch.zeros(len(queries), len(bank))
    for i in range(len(queries)):
        for j in range(len(bank)):
            distances[i, j] = torch.sqrt(((queries[i] - bank[j]) ** 2).sum())
    return distances


@answers.wrong("right, but with a loop")
def one_loop(queries, bank):
    return torch.stack([(query - bank).norm(dim=1) for query in queries])


@answers.wrong("right, but with a loop")
def a_loop_over_the_bank(queries, bank):
    return torch.stack([(queries - row).norm(dim=1) for row in bank], dim=1)


@answers.wrong("something works in place")
def subtracts_in_place(queries, bank):
    distances = torch.cdist(queries, bank)
    queries -= queries.mean()
    return distances


@answers.right
def negative_squares_turned(queries, bank):
    return ((queries**2).sum(1)[:, None] + (bank**2).sum(1) - 2 * queries @ bank.T).abs().sqrt()


@answers.wrong("the largest difference alone")
def chebyshev(queries, bank):
    return torch.cdist(queries, bank, p=float("inf"))


@answers.wrong("summed with their signs")
def signed(queries, bank):
    return queries.sum(1)[:, None] - bank.sum(1)


@answers.wrong("added under the root")
def epsilon_under_the_root(queries, bank):
    return torch.sqrt(((queries[:, None] - bank) ** 2).sum(-1) + 1e-6)


@answers.wrong("added under the root")
def clamped_at_a_millionth(queries, bank):
    return ((queries**2).sum(1)[:, None] - 2 * queries @ bank.T + (bank**2).sum(1)).clamp(min=1e-6).sqrt()


@answers.wrong("each row's own mean is subtracted first")
def centred_rows(queries, bank):
    queries, bank = queries - queries.mean(1)[:, None], bank - bank.mean(1)[:, None]
    return torch.linalg.vector_norm(queries[:, None] - bank, dim=2)


@answers.wrong("made unit vectors first")
def unit_vectors(queries, bank):
    return torch.linalg.vector_norm(F.normalize(queries)[:, None] - F.normalize(bank), dim=-1)


@answers.wrong("one minus the cosine")
def cosine_distances(queries, bank):
    lengths = torch.outer(queries.norm(dim=1), bank.norm(dim=1)).clamp_min(1e-12)
    return 1 - queries @ bank.T / lengths


@answers.wrong("compared with one another")
def among_the_queries(queries, bank):
    return (queries[:, None] - queries[None]).norm(dim=2)


@answers.wrong("half precision")
def half_precision(queries, bank):
    return (queries[:, None] - bank[None]).norm(dim=2).half()


@answers.wrong("a numpy.ndarray came out")
def numpy_comes_out(queries, bank):
    return in_numpy(queries, bank).numpy()


@answers.right
def nan_repaired(queries, bank):
    squared = (queries**2).sum(1)[:, None] + (bank**2).sum(1) - 2 * queries @ bank.T
    return torch.where(squared > 0, squared, 0.0).sqrt()


@answers.wrong("right, but number by number")
def number_by_number(queries, bank):
    total = torch.zeros(len(queries), len(bank))
    for one, other in zip(queries.T, bank.T, strict=True):
        total = total + (one[:, None] - other[None]) ** 2
    return total.sqrt()


@answers.wrong("the similarity or its negative")
def scalar_products(queries, bank):
    return -torch.mm(queries, bank.T)


@answers.wrong("differences of lengths")
def lengths_compared(queries, bank):
    return torch.abs(queries.norm(dim=1, keepdim=True) - bank.norm(dim=1, keepdim=True).T)


@answers.wrong("the cross term is missing")
def no_cross_term(queries, bank):
    return torch.sqrt((queries**2).sum(1, keepdim=True) + (bank**2).sum(1))


@answers.wrong("distances have fractions")
def whole_numbers(queries, bank):
    return torch.cdist(queries, bank).int()


@answers.wrong("was given another number")
def nan_becomes_large(queries, bank):
    squared = (queries**2).sum(1, keepdim=True) - 2 * queries @ bank.T + (bank**2).sum(1)
    distances = squared.sqrt()
    distances[distances.isnan()] = float("inf")
    return distances


@answers.wrong("the diagonal is set to 0")
def diagonal_cleared(queries, bank):
    distances = by_broadcasting(queries, bank)
    for i in range(min(distances.shape)):
        distances[i, i] = 0
    return distances


@answers.wrong("along the wrong axes")
def norms_exchanged(queries, bank):
    squared = (queries**2).sum(1)[None] + (bank**2).sum(1)[:, None] - 2 * queries.mm(bank.t())
    return squared.clamp(min=0) ** 0.5
