import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def unit_rows(queries, bank):
    return F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T


@answers.right
def asks_torch(queries, bank):
    return F.cosine_similarity(queries[:, None], bank[None], dim=-1)


@answers.right
def in_numpy(queries, bank):
    q, b = queries.numpy(), bank.numpy()
    lengths = np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(b, axis=1))
    return torch.from_numpy(q @ b.T / np.maximum(lengths, 1e-12))


@answers.right
def with_loops(queries, bank):
    out = torch.zeros(len(queries), len(bank))
    for i, query in enumerate(queries):
        for j, row in enumerate(bank):
            if query.any() and row.any():
                out[i, j] = query.dot(row) / (query.norm() * row.norm())
    return out


@answers.right
def nan_repaired(queries, bank):
    return torch.nan_to_num((queries / queries.norm(dim=1, keepdim=True)) @ (bank / bank.norm(dim=1, keepdim=True)).T)


@answers.wrong("these are the scalar products")
def scalar_products(queries, bank):
    return torch.einsum("qd,nd->qn", queries, bank)


@answers.wrong("the length of the query only")
def query_only(queries, bank):
    return F.normalize(queries, dim=1) @ bank.T


@answers.wrong("the length of the row of the bank only")
def bank_only(queries, bank):
    return queries @ F.normalize(bank, dim=1).T


@answers.wrong("the squared lengths")
def no_root(queries, bank):
    return queries @ bank.T / ((queries**2).sum(1)[:, None] * (bank**2).sum(1)[None])


@answers.wrong("the sum of the two lengths")
def sum_of_lengths(queries, bank):
    return queries @ bank.T / (queries.norm(dim=1, keepdim=True) + bank.norm(dim=1, keepdim=True).T)


@answers.wrong("1 minus the cosine")
def cosine_distance(queries, bank):
    return 1 - unit_rows(queries, bank)


@answers.wrong("the sum of their magnitudes")
def sums_to_one(queries, bank):
    return (queries / queries.abs().sum(1, keepdim=True)) @ (bank / bank.abs().sum(1, keepdim=True)).T


@answers.wrong("normalised along the wrong axis")
def wrong_axis(queries, bank):
    return F.normalize(queries, dim=0) @ F.normalize(bank, dim=0).T


@answers.wrong("that is the correlation")
def correlation(queries, bank):
    q, b = queries - queries.mean(1)[:, None], bank - bank.mean(1)[:, None]
    return F.cosine_similarity(q[:, None], b[None], dim=2)


@answers.wrong("row i meets only row i")
def row_by_row(queries, bank):
    return (queries * bank).sum(1) / (queries.norm(dim=1) * bank.norm(dim=1))


@answers.wrong("the sign is lost")
def squared_and_rooted(queries, bank):
    return ((queries @ bank.T) ** 2 / torch.outer((queries**2).sum(1), (bank**2).sum(1))).sqrt()


@answers.wrong("this is the angle")
def angle(queries, bank):
    return torch.arccos(unit_rows(queries, bank).clip(-1, 1))


@answers.wrong("0 / 0 is NaN")
def divides_by_zero(queries, bank):
    return (queries / queries.norm(dim=1, keepdim=True)) @ (bank / bank.norm(dim=1, keepdim=True)).T


@answers.wrong("something works in place")
def normalises_in_place(queries, bank):
    queries /= queries.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return queries @ F.normalize(bank, dim=1).T


@answers.wrong("negative cosines are cut off")
def cut_at_zero(queries, bank):
    return torch.relu(unit_rows(queries, bank))


@answers.wrong("moved to [0, 1]")
def between_zero_and_one(queries, bank):
    return 0.5 + unit_rows(queries, bank) / 2


@answers.wrong("the whole matrix")
def whole_norms(queries, bank):
    return (queries / queries.norm()) @ (bank / bank.norm()).T


@answers.wrong("the largest of the scalar products")
def by_the_largest(queries, bank):
    products = queries @ bank.T
    return products / products.abs().max(dim=1, keepdim=True).values.clamp_min(1e-9)


@answers.wrong("softmax gives shares")
def attention(queries, bank):
    return torch.softmax(torch.mm(queries, bank.t()), dim=1)


@answers.wrong("kept above a number")
def lengths_of_at_least_one(queries, bank):
    return (queries / queries.norm(dim=1, keepdim=True).clamp(min=1)) @ (
        bank / bank.norm(dim=1)[:, None].clamp(min=1)
    ).T


@answers.wrong("kept above a number")
def epsilon_in_the_denominator(queries, bank):
    return queries @ bank.T / (torch.outer(queries.norm(dim=1), bank.norm(dim=1)) + 1e-3)


@answers.wrong("cosine of 1 or -1")
def zeros_are_alike(queries, bank):
    cosines = (queries / queries.norm(dim=1)[:, None]) @ (bank / bank.norm(dim=1)[:, None]).T
    return cosines.nan_to_num(1.0)


@answers.wrong("a mean of squares")
def root_mean_squares(queries, bank):
    lengths = [(rows**2).mean(1).sqrt().clamp_min(1e-12) for rows in (queries, bank)]
    return queries @ bank.T / torch.outer(*lengths)


@answers.wrong("more than a few digits")
def two_digits(queries, bank):
    return torch.round(unit_rows(queries, bank), decimals=2)


@answers.wrong("the last two axes are swapped")
def transposed(queries, bank):
    return unit_rows(bank, queries)


@answers.wrong("this is the sine")
def sines(queries, bank):
    return torch.sin(torch.arccos(unit_rows(queries, bank).clip(-1, 1)))


@answers.wrong("this is the sine")
def cosines_squared(queries, bank):
    return (queries @ bank.T) ** 2 / torch.outer((queries**2).sum(1), (bank**2).sum(1)).clamp_min(1e-20)


@answers.wrong("compared with one another")
def among_the_queries(queries, bank):
    return unit_rows(queries, queries)


@answers.wrong("distances of unit vectors")
def unit_distances(queries, bank):
    return (F.normalize(queries)[:, None] - F.normalize(bank)).norm(dim=2)


@answers.wrong("their largest magnitude")
def largest_is_one(queries, bank):
    queries, bank = (rows / rows.abs().max(1, keepdim=True).values.clamp_min(1e-12) for rows in (queries, bank))
    return queries @ bank.T


@answers.wrong("kept above a number")
def product_kept_above_a_thousandth(queries, bank):
    lengths = torch.outer(queries.norm(dim=1), bank.norm(dim=1))
    return queries @ bank.t() / torch.clamp(lengths, min=1e-3)


@answers.wrong("kept above a number")
def a_hundredth_on_each_length(queries, bank):
    q, b = (rows / (rows.norm(dim=1, keepdim=True) + 0.01) for rows in (queries, bank))
    return q @ b.T
