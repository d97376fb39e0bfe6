"""The minimum-error boundary cut of image quilting, by dynamic programming."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, noise


def minimum_cut(error: Tensor) -> Tensor:
    """Find the path of least error from top to bottom, by dynamic programming (image quilting's boundary cut).

    Args:
        error: (h, w), the error of cutting through each pixel.

    Returns:
        (h,) int64: the path's column in each row, neighbouring rows at most 1 apart, the sum of its errors the least
        possible.
    """
    height, width = error.shape
    total = error.clone()  # of the best path from the top to each pixel
    for row in range(1, height):
        for column in range(width):
            total[row, column] += total[row - 1, max(column - 1, 0) : column + 2].min()
    path = [int(total[-1].argmin())]
    for row in range(height - 2, -1, -1):
        first = max(path[-1] - 1, 0)
        path.append(first + int(total[row, first : path[-1] + 2].argmin()))
    return torch.tensor(path[::-1])


def _cut(
    *, left: int = 1, right: int = 1, around: bool = False, back_by_errors: bool = False
) -> Callable[[Tensor], Tensor]:
    """The reference, with the mistakes that can be made on the way; it looks up to so many columns left and right."""

    def path_of(error: Tensor) -> Tensor:
        height, width = error.shape
        total = error.clone()

        def near(column: int) -> list[int]:
            columns = range(column - left, column + right + 1)
            return [c % width for c in columns] if around else [c for c in columns if 0 <= c < width]

        for row in range(1, height):
            for column in range(width):
                total[row, column] += total[row - 1, near(column)].min()
        path = [int(total[-1].argmin())]
        for row in range(height - 2, -1, -1):
            columns = near(path[-1])
            path.append(columns[int((error if back_by_errors else total)[row, columns].argmin())])
        return torch.tensor(path[::-1])

    return path_of


def _greedy(error: Tensor) -> Tensor:
    path = [int(error[0].argmin())]
    for row in error[1:]:
        first = max(path[-1] - 1, 0)
        path.append(first + int(row[first : path[-1] + 2].argmin()))
    return torch.tensor(path)


def _greedy_from(error: Tensor, start: int) -> list[int]:
    path = [start]
    for row in error[1:]:
        first = max(path[-1] - 1, 0)
        path.append(first + int(row[first : path[-1] + 2].argmin()))
    return path


def _greedy_from_every_start(error: Tensor) -> Tensor:
    paths = [_greedy_from(error, start) for start in range(error.shape[1])]
    return torch.tensor(min(paths, key=lambda path: float(error[torch.arange(len(path)), path].sum())))


def _smallest_sums(error: Tensor) -> Tensor:
    """No way back: in each row the column of the smallest sum."""
    return _totals(error).argmin(1)


def _totals(error: Tensor, edge: float = float("inf")) -> Tensor:
    total = error.clone()
    for row in range(1, len(error)):
        above = F.pad(total[row - 1], (1, 1), value=edge)
        total[row] += above.unfold(0, 3, 1).amin(1)
    return total


def _back(total: Tensor, last: int) -> list[int]:
    path = [last]
    for row in range(len(total) - 2, -1, -1):
        first = max(path[-1] - 1, 0)
        path.append(first + int(total[row, first : path[-1] + 2].argmin()))
    return path[::-1]


def _back_shifted_at_the_border(error: Tensor) -> Tensor:
    """As if the slice began one column to the left of the path in column 0, too."""
    total, width = _totals(error), error.shape[1]
    path = [int(total[-1].argmin())]
    for row in range(len(total) - 2, -1, -1):
        near = total[row, max(path[-1] - 1, 0) : path[-1] + 2]
        path.append(min(max(path[-1] - 1 + int(near.argmin()), 0), width - 1))
    return torch.tensor(path[::-1])


def _smallest_maximum(error: Tensor) -> Tensor:
    total = error.clone()
    for row in range(1, len(error)):
        above = F.pad(total[row - 1], (1, 1), value=float("inf")).unfold(0, 3, 1).amin(1)
        total[row] = torch.maximum(total[row], above)
    return torch.tensor(_back(total, int(total[-1].argmin())))


def _straight_left_out(error: Tensor, *, back_too: bool = True) -> Tensor:
    total = error.clone()
    for row in range(1, len(error)):
        above = F.pad(total[row - 1], (1, 1), value=float("inf"))
        total[row] += torch.minimum(above[:-2], above[2:])
    if not back_too:
        return torch.tensor(_back(total, int(total[-1].argmin())))
    path = [int(total[-1].argmin())]
    for row in range(len(total) - 2, -1, -1):
        near = [column for column in (path[-1] - 1, path[-1] + 1) if 0 <= column < error.shape[1]]
        path.append(min(near, key=lambda column, row=row: float(total[row, column])))
    return torch.tensor(path[::-1])


def _cheapest(error: list[list[float]]) -> list[int]:
    """The best of all paths, one by one."""
    width, paths = len(error[0]), [[column] for column in range(len(error[0]))]
    for _ in error[1:]:
        paths = [[*path, c] for path in paths for c in range(path[-1] - 1, path[-1] + 2) if 0 <= c < width]
    return min(paths, key=lambda path: sum(row[column] for row, column in zip(error, path, strict=True)))


def _random(title: str, *shapes: tuple[int, int], scale: float = 1.0) -> Check:
    """Squares of noise; the paths of all of them in one call each."""
    errors = [scale * noise(*shape, seed=seed).square() for seed, shape in enumerate(shapes)]
    expected = [torch.tensor(_cheapest(error.tolist())) for error in errors]
    if len(errors) == 1:
        return Check(title, {"error": errors[0]}, expected[0])
    return Check(title, {"error": errors}, expected, lambda function, error: [function(one) for one in error])


def _drawn(title: str, rows: list[str]) -> Check:
    """Errors of each row, separated by blanks; the expected path is drawn with brackets."""
    cells = [row.split() for row in rows]
    error = torch.tensor([[float(cell.strip("[]")) for cell in row] for row in cells])
    path = torch.tensor([[cell.startswith("[") for cell in row].index(True) for row in cells])
    return Check(title, {"error": error}, path)


ENTRY = Entry(
    name="minimum_cut",
    reference=minimum_cut,
    stars=3,
    minutes=20,
    checks=[
        _drawn(
            "a valley that goes to the right",  # the smallest error of every row
            [
                " 3  [1]  4   5   9 ",
                " 2   6  [1]  3   8 ",
                " 7   9   8  [1]  6 ",
                " 8   7   6   2  [1]",
            ],
        ),
        _drawn(
            "the smallest error of the row above leads astray",
            # 13: the smallest of columns 2 to 4 in every row. On the left, 1, 2 and 1 lie between at least 9, 8 and 7.
            [
                " 1   8   8  [2]  9 ",
                " 2   9   7  [3]  8 ",
                " 9   9   8  [2]  7 ",
                " 9   8   9  [1]  6 ",
                " 7   9   8  [2]  3 ",
                " 1   9   9  [3]  4 ",
            ],
        ),
        _drawn(
            "left and right end at the border",
            # 13.5: of all 1 220 paths the next best has 15
            [
                "[1]  5   6   7  ",
                " 6  [4]  7   1  ",
                "[1]  9   8   9  ",
                " 7  [2]  3   9  ",
                " 9   9  [2]  1  ",
                " 9   8  [1]  3  ",
                " 3   9   4  [2.5]",
            ],
        ),
        _drawn(
            "one large error and two small ones, or three of middle size",
            # 8 on the left, 9 on the right; of their squares the right has the smaller sum
            [
                "[1]  9   9   3 ",
                "[6]  9   9   3 ",
                "[1]  9   9   3 ",
            ],
        ),
        _random("small errors, higher than wide", (7, 3), scale=1e-3),
        _random("large errors", (6, 5), (6, 4), (5, 5), scale=1e4),
        _random("a single row", (1, 6)),
        _random("a single column", (4, 1)),
        _random("twelve random ones, against all paths", *[(6, 4), (4, 7), (5, 5)] * 4),
        Check("int64, so that it can be an index", {"error": noise(5, 4).square()}, "int64", dtype_of),
    ],
    hints=(
        "The best path to a pixel goes through the best path to one of the three pixels above it. What has to be kept "
        "of each row to know the next one?",
        "Make a copy of `error` and add to each pixel of each row the least of up to three sums above it. Begin at the "
        "`argmin` of the last row and walk up: each time the `argmin` of the up to three sums above; reverse the path.",
    ),
    mistakes={
        "it goes to the smallest neighbour, row by row from the top: what comes later is not foreseen": _greedy,
        "the smallest error of each row: neighbouring rows may be at most 1 apart": lambda error: error.argmin(dim=1),
        "a straight cut: it may go one to the left or right in each row": (
            lambda error: error.sum(dim=0).argmin().expand(error.shape[0]).clone()
        ),
        "it never looks at the upper left": _cut(left=0),
        "it never looks at the upper right": _cut(right=0),
        "on the way back it follows the errors, not their sums from the top": _cut(back_by_errors=True),
        "the path is upside down: the first entry belongs to the top row": lambda error: minimum_cut(error).flip(0),
        "this is the path of largest error": lambda error: minimum_cut(-error),
        "beyond the left border it comes in again on the right": _cut(around=True),
        "it cuts from left to right: rows and columns are exchanged": lambda error: minimum_cut(error.T),
        "two steps to the side in one row": _cut(left=2, right=2),
        "greedy from every start, the best of these: what comes later is still not foreseen": _greedy_from_every_start,
        "the smallest sum of each row: walk back from the last one, step by step": _smallest_sums,
        "the walk begins at the smallest error of the last row, not at its smallest sum": (
            lambda error: torch.tensor(_back(_totals(error), int(error[-1].argmin())))
        ),
        "beyond the border stands 0: it draws every path to the edge": (
            lambda error: torch.tensor(_back(_totals(error, 0.0), int(_totals(error, 0.0)[-1].argmin())))
        ),
        "beyond the border stands a number that sums exceed: infinity is larger than all": tuple(
            lambda error, edge=edge: torch.tensor(_back(_totals(error, edge), int(_totals(error, edge)[-1].argmin())))
            for edge in (50.0, 100.0, 1000.0)
        ),
        "the largest error on the way is made small: the sum was asked for": _smallest_maximum,
        "columns are counted from 1: the first is column 0": lambda error: minimum_cut(error) + 1,
        "these are the errors along the path: its columns were asked for": (
            lambda error: error.gather(1, minimum_cut(error)[:, None])[:, 0]
        ),
        "this is the sum of the errors: the path was asked for": (
            lambda error: _totals(error)[-1].min(),
            lambda error: _totals(error)[-1].min().item(),
        ),
        "the sums came back: walk back from the least of the last row": _totals,
        "a list came back: a tensor was asked for": lambda error: minimum_cut(error).tolist(),
        "the columns are no int64: an index has to be one": (
            lambda error: minimum_cut(error).float(),
            lambda error: minimum_cut(error).double(),
            lambda error: minimum_cut(error).int(),
        ),
        "straight down is left out: three pixels lie above each": (
            _straight_left_out,
            lambda error: _straight_left_out(error, back_too=False),
        ),
        "the errors are rounded or rooted first: they are summed as they are": (
            lambda error: minimum_cut(error.round()),
            lambda error: minimum_cut(error.sqrt()),
            lambda error: minimum_cut(error.square()),
        ),
        "the way goes down along the sums: begin at the least sum of the last row, and go up": lambda error: (
            torch.tensor(_greedy_from(_totals(error), int(error[0].argmin())))
        ),
        "a NumPy array came out: a tensor was asked for": lambda error: minimum_cut(error).numpy(),
        "an axis too many: (h,) was asked for": (
            lambda error: minimum_cut(error)[:, None],
            lambda error: minimum_cut(error)[None],
        ),
        "on the way back from column 0 the slice has two entries only, and its first is column 0, not -1": (
            _back_shifted_at_the_border
        ),
    },
)
