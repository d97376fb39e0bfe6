"""The minimum-error boundary cut of image quilting, by dynamic programming."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


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
    ],
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
    },
)
