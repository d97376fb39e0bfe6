from functools import cache
from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def sums_from_the_top(costs, left=1, right=1):
    total = costs.copy()
    for i in range(1, len(costs)):
        for j in range(costs.shape[1]):
            total[i, j] += total[i - 1, max(j - left, 0) : j + right + 1].min()
    return total


def back(total, left=1, right=1):
    path = [int(total[-1].argmin())]
    for row in total[-2::-1]:
        first = max(path[0] - left, 0)
        path.insert(0, first + int(row[first : path[0] + right + 1].argmin()))
    return torch.tensor(path)


@answers.right
def of_all_paths(error):
    height, width = error.shape
    best, shortest = float("inf"), None
    for start in range(width):
        for steps in product((-1, 0, 1), repeat=height - 1):
            path = np.cumsum((start, *steps))
            if path.min() < 0 or path.max() >= width:
                continue
            cost = sum(error[row, column].item() for row, column in enumerate(path))
            if cost < best - 1e-9:
                best, shortest = cost, path
    return torch.tensor(shortest.tolist())


@answers.right
def by_recursion(error):
    height, width = error.shape

    @cache
    def below(row, column):
        if row == height - 1:
            return error[row, column].item(), (column,)
        nexts = [below(row + 1, c) for c in (column - 1, column, column + 1) if 0 <= c < width]
        cost, path = min(nexts)
        return cost + error[row, column].item(), (column, *path)

    return torch.tensor(min(below(0, column) for column in range(width))[1])


@answers.right
def with_infinite_edges(error):
    total = torch.nn.functional.pad(error.double(), (1, 1), value=float("inf"))
    for row in range(1, len(error)):
        near = torch.stack([total[row - 1].roll(step) for step in (1, 0, -1)]).amin(0)
        total[row, 1:-1] += near[1:-1]
    path = [int(total[-1].argmin())]
    for row in reversed(range(len(error) - 1)):
        path.append(path[-1] - 1 + int(total[row, path[-1] - 1 : path[-1] + 2].argmin()))
    return torch.tensor(path[::-1]) - 1


@answers.wrong("row by row from the top")
def greedy(error):
    path = [int(torch.argmin(error[0]))]
    for row in error[1:].tolist():
        here = path[-1]
        near = [c for c in (here - 1, here, here + 1) if 0 <= c < len(row)]
        path.append(min(near, key=row.__getitem__))
    return torch.tensor(path)


@answers.wrong("the smallest error of each row")
def no_path(error):
    return torch.argmin(error, 1)


@answers.wrong("a straight cut")
def straight(error):
    return torch.full((len(error),), int(error.sum(0).argmin()))


@answers.wrong("the upper left")
def from_the_right(error):
    return back(sums_from_the_top(error.numpy(), left=0), left=0)


@answers.wrong("the upper right")
def from_the_left(error):
    return back(sums_from_the_top(error.numpy(), right=0), right=0)


@answers.wrong("not their sums")
def back_along_errors(error):
    costs = error.numpy()
    merged = costs.copy()
    merged[-1] = sums_from_the_top(costs)[-1]
    return back(merged)


@answers.wrong("upside down")
def reversed_path(error):
    return torch.tensor(of_all_paths(error).tolist()[::-1])


@answers.wrong("the path of largest error")
def maximal(error):
    return of_all_paths(-error)


@answers.wrong("beyond the left border")
def on_a_cylinder(error):
    costs = error.numpy()
    total = costs.copy()
    for i in range(1, len(costs)):
        total[i] += np.minimum(np.minimum(np.roll(total[i - 1], 1), total[i - 1]), np.roll(total[i - 1], -1))
    path = [int(total[-1].argmin())]
    for row in total[-2::-1]:
        near = [(path[0] + step) % len(row) for step in (-1, 0, 1)]
        path.insert(0, min(near, key=lambda column, row=row: row[column]))
    return torch.tensor(path)


@answers.wrong("from left to right")
def sideways(error):
    return by_recursion(error.T)


@answers.wrong("two steps to the side")
def wide_steps(error):
    return back(sums_from_the_top(error.numpy(), 2, 2), 2, 2)


def totals(error, edge=float("inf")):
    total = error.clone()
    for i in range(1, len(error)):
        above = F.pad(total[i - 1], (1, 1), value=edge)
        total[i] += torch.stack([above[:-2], above[1:-1], above[2:]]).amin(0)
    return total


def walk(total, last):
    path = [int(last)]
    for row in reversed(total[:-1]):
        near = [c for c in (path[0] - 1, path[0], path[0] + 1) if 0 <= c < len(row)]
        path.insert(0, min(near, key=lambda c, row=row: row[c].item()))
    return torch.tensor(path)


@answers.wrong("greedy from every start")
def every_start(error):
    best = None
    for start in range(error.shape[1]):
        path, cost = [start], error[0, start]
        for row in error[1:]:
            near = [c for c in (path[-1] - 1, path[-1], path[-1] + 1) if 0 <= c < len(row)]
            path.append(min(near, key=lambda c, row=row: row[c].item()))
            cost = cost + row[path[-1]]
        if best is None or cost < best[0]:
            best = cost, path
    return torch.tensor(best[1])


@answers.wrong("the smallest sum of each row")
def argmin_of_totals(error):
    return totals(error).argmin(1)


@answers.wrong("smallest error of the last row")
def wrong_start(error):
    return walk(totals(error), error[-1].argmin())


@answers.wrong("stands 0")
def zero_border(error):
    total = totals(error, 0.0)
    return walk(total, total[-1].argmin())


@answers.wrong("sums exceed")
def hundred_border(error):
    total = totals(error, 100.0)
    return walk(total, total[-1].argmin())


@answers.wrong("the largest error on the way")
def bottleneck(error):
    total = error.clone()
    for i in range(1, len(error)):
        above = F.pad(total[i - 1], (1, 1), value=float("inf"))
        total[i] = torch.maximum(error[i], torch.stack([above[:-2], above[1:-1], above[2:]]).amin(0))
    return walk(total, total[-1].argmin())


@answers.wrong("counted from 1")
def from_one(error):
    return walk(totals(error), totals(error)[-1].argmin()) + 1


@answers.wrong("no int64")
def floats(error):
    return walk(totals(error), totals(error)[-1].argmin()).float()


@answers.wrong("a list came back")
def a_list(error):
    return walk(totals(error), totals(error)[-1].argmin()).tolist()


@answers.wrong("this is the sum of the errors")
def cost(error):
    return totals(error)[-1].min()


@answers.wrong("errors along the path")
def errors_along_the_path(error):
    path = walk(totals(error), totals(error)[-1].argmin())
    return error[torch.arange(len(path)), path]


@answers.wrong("the sums came back")
def the_sums(error):
    return totals(error)


def cut(error):
    return walk(totals(error), totals(error)[-1].argmin())


@answers.wrong("straight down")
def never_straight(error):
    total = error.clone()
    for i in range(1, len(error)):
        above = F.pad(total[i - 1], (1, 1), value=float("inf"))
        total[i] += torch.minimum(above[:-2], above[2:])
    return walk(total, total[-1].argmin())


@answers.wrong("a NumPy array")
def numpy_array(error):
    return cut(error).numpy()


@answers.wrong("rounded or rooted")
def rooted(error):
    return cut(error.sqrt())


@answers.wrong("an axis too many")
def column_vector(error):
    return cut(error)[:, None]


@answers.wrong("rounded or rooted")
def rounded(error):
    return cut(error.round())


@answers.wrong("rounded or rooted")
def squared(error):
    return cut(error**2)


@answers.wrong("goes down along the sums")
def downwards_along_sums(error):
    path = [int(error[0].argmin())]
    for row in totals(error)[1:].tolist():
        near = [c for c in (path[-1] - 1, path[-1], path[-1] + 1) if 0 <= c < len(row)]
        path.append(min(near, key=row.__getitem__))
    return torch.tensor(path)


@answers.wrong("back from column 0")
def off_at_the_left_border(error):
    total = torch.from_numpy(sums_from_the_top(error.numpy()))
    path = [total[-1].argmin().item()]
    for row in total[:-1].flip(0):
        step = row[max(path[0] - 1, 0) : path[0] + 2].argmin().item() - 1
        path.insert(0, max(path[0] + step, 0))
    return torch.tensor(path)
