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
