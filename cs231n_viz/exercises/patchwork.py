"""Exercises of notebook 10: how alike are two neighbourhoods, and where do two pictures differ least?"""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def window_distances(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
    """How far is a window, of which some pixels are known, from every window of the sample?

    Args:
        sample: (C, H, W), the texture.
        window: (C, w, w), w odd; anything may stand where it is not known.
        known: (w, w) bool, True for at least one pixel.

    Returns:
        (H - w + 1, W - w + 1): the mean over channels and known pixels of the squared difference, each pixel weighted
        by exp(-d² / 2σ²), d its distance from the middle and σ = w / 6.4. The weights of the known pixels sum to 1.
    """
    side = window.shape[-1]
    offset = torch.arange(side) - side // 2
    gauss = torch.exp(-offset.square() / (2 * (side / 6.4) ** 2))
    weights = torch.outer(gauss, gauss) * known
    weights = weights / weights.sum()
    windows = sample.unfold(1, side, 1).unfold(2, side, 1)  # (C, rows, columns, w, w)
    squares = (windows - window[:, None, None]).square().mean(dim=0)  # over the channels
    return (squares * weights).sum(dim=(-2, -1))


def minimum_cut(error: Tensor) -> Tensor:
    """Along which path from top to bottom do two overlapping pictures differ least?

    Args:
        error: (h, w), what it costs to cut through each pixel.

    Returns:
        (h,) int64: the path's column in each row, neighbouring rows at most 1 apart, the sum of its errors the least
        possible.
    """
    height, width = error.shape
    total = error.clone()  # of the cheapest path from the top to each pixel
    for row in range(1, height):
        for column in range(width):
            total[row, column] += total[row - 1, max(column - 1, 0) : column + 2].min()
    path = [int(total[-1].argmin())]
    for row in range(height - 2, -1, -1):
        first = max(path[-1] - 1, 0)
        path.append(first + int(total[row, first : path[-1] + 2].argmin()))
    return torch.tensor(path[::-1])


def _distances(
    *,
    masked: bool = True,
    gauss: Callable[[Tensor, float], Tensor] = lambda d, sigma: torch.exp(-d.square() / (2 * sigma**2)),
    sums_to: Callable[[Tensor, Tensor], Tensor] = lambda known, every: known.sum(),
    difference: Callable[[Tensor], Tensor] = torch.square,
    over: Callable[[Tensor], Tensor] = lambda squares: squares.mean(dim=0),
    turned: bool = False,
    last: Callable[[Tensor], Tensor] = lambda found: found,
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def found(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
        side = window.shape[-1]
        offset = torch.arange(side, dtype=torch.float32) - side // 2
        every = torch.outer(gauss(offset, side / 6.4), gauss(offset, side / 6.4))
        weights = every * known if masked else every
        weights = weights / sums_to(weights, every)
        windows = sample.unfold(1, side, 1).unfold(2, side, 1)
        own = window.flip(-2, -1) if turned else window
        return last((over(difference(windows - own[:, None, None])) * weights).sum(dim=(-2, -1)))

    return found


def _texture(channels: int, height: int, width: int) -> Tensor:
    return (torch.arange(channels * height * width, dtype=torch.float32) * 0.618).frac().view(channels, height, width)


def _compared(title: str, shape: tuple[int, int, int], side: int, unknown: Callable[[Tensor], Tensor]) -> Check:
    sample = _texture(*shape)
    window = _texture(shape[0], side, side).sqrt()
    known = torch.ones(side, side, dtype=torch.bool)
    known[unknown(torch.ones(side, side)) == 0] = False
    expected = window_distances(sample, window, known)
    return Check(title, {"sample": sample, "window": window, "known": known}, expected)


def _upper(ones: Tensor) -> Tensor:
    ones[ones.shape[0] // 2 :] = 0
    return ones


def _corner(ones: Tensor) -> Tensor:
    ones[:, 2:] = 0
    ones[3:] = 0
    return ones


_WINDOW_DISTANCES = Entry(
    name="window_distances",
    reference=window_distances,
    stars=2,
    minutes=15,
    checks=[
        _compared("grey, all pixels known", (1, 6, 7), 3, lambda ones: ones),
        _compared("only the upper half is known", (1, 8, 8), 5, _upper),
        _compared("in colour, a corner is known", (3, 9, 7), 5, _corner),
    ],
    mistakes={
        "pixels that are not known are compared too": _distances(masked=False),
        "all pixels weigh the same: the Gaussian is missing": _distances(gauss=lambda d, sigma: torch.ones_like(d)),
        "σ in place of σ² in the exponent": _distances(gauss=lambda d, sigma: torch.exp(-d.square() / (2 * sigma))),
        "the 2 in the exponent is missing": _distances(gauss=lambda d, sigma: torch.exp(-d.square() / sigma**2)),
        "the weights do not sum to 1": _distances(sums_to=lambda known, every: torch.ones(())),
        "divided by the weights of all pixels, not of the known ones: the more is known, the further away": _distances(
            sums_to=lambda known, every: every.sum()
        ),
        "the difference is not squared": _distances(difference=torch.abs),
        "summed over the channels; the mean was asked for": _distances(over=lambda squares: squares.sum(dim=0)),
        "channels are averaged before they are compared: two colours of the same grey look equal": (
            lambda sample, window, known: window_distances(sample.mean(0, True), window.mean(0, True), known)
        ),
        "the window is turned around: this is a convolution, a correlation was asked for": _distances(turned=True),
        "the square root is taken; squared differences were asked for": _distances(last=torch.sqrt),
    },
)


def _cut(
    *,
    reach: tuple[int, int] = (1, 1),
    around: bool = False,
    costs: Callable[[Tensor], Tensor] = lambda error: error,
    back_by: str = "total",
    last: Callable[[Tensor], Tensor] = lambda path: path,
) -> Callable[[Tensor], Tensor]:
    """The reference, with the mistakes that can be made on the way; ``reach`` is how far left and right it looks up."""

    def path_of(error: Tensor) -> Tensor:
        cost = costs(error)
        height, width = cost.shape
        total = cost.clone()

        def near(column: int) -> list[int]:
            columns = range(column - reach[0], column + reach[1] + 1)
            return [c % width for c in columns] if around else [c for c in columns if 0 <= c < width]

        for row in range(1, height):
            for column in range(width):
                total[row, column] += total[row - 1, near(column)].min()
        path = [int(total[-1].argmin())]
        values = total if back_by == "total" else cost
        for row in range(height - 2, -1, -1):
            places = near(path[-1])
            path.append(places[int(values[row, places].argmin())])
        return last(torch.tensor(path[::-1]))

    return path_of


def _from_the_top(error: Tensor) -> Tensor:
    path = [int(error[0].argmin())]
    for row in error[1:]:
        first = max(path[-1] - 1, 0)
        path.append(first + int(row[first : path[-1] + 2].argmin()))
    return torch.tensor(path)


def _ends_anywhere(error: Tensor) -> Tensor:
    return error.argmin(dim=1)


def _straight(error: Tensor) -> Tensor:
    return error.sum(dim=0).argmin().expand(error.shape[0]).clone()


_VALLEY = torch.tensor([[3.0, 1, 4, 5, 9], [2, 6, 1, 3, 8], [7, 9, 8, 1, 6], [8, 7, 6, 2, 1]])
_TRAP = torch.tensor(
    [[1.0, 8, 8, 2, 9], [2, 9, 7, 3, 8], [9, 9, 8, 2, 7], [9, 8, 9, 1, 6], [7, 9, 8, 2, 3], [1, 9, 9, 3, 4]]
)
_EDGES = torch.tensor(
    [[1.0, 5, 6, 7], [6, 4, 7, 1], [1, 9, 8, 9], [7, 2, 3, 9], [9, 9, 2, 1], [9, 8, 1, 3], [3, 9, 4, 2.5]]
)

_MINIMUM_CUT = Entry(
    name="minimum_cut",
    reference=minimum_cut,
    stars=3,
    minutes=20,
    checks=[
        Check("a valley that goes to the right", {"error": _VALLEY}, torch.tensor([1, 2, 3, 4])),
        Check("the cheapest pixel above leads astray", {"error": _TRAP}, minimum_cut(_TRAP)),
        Check("left and right end at the border", {"error": _EDGES}, minimum_cut(_EDGES)),
    ],
    mistakes={
        "it goes to the cheapest neighbour, row by row from the top: what comes later is not foreseen": _from_the_top,
        "each row's cheapest pixel: neighbouring rows may be at most 1 apart": _ends_anywhere,
        "a straight cut: it may go one to the left or right in each row": _straight,
        "it never looks at the upper left": _cut(reach=(0, 1)),
        "it never looks at the upper right": _cut(reach=(1, 0)),
        "on the way back it follows the errors, not their sums from the top": _cut(back_by="error"),
        "the path is upside down: the first entry belongs to the top row": _cut(last=lambda path: path.flip(0)),
        "this is the most expensive path": _cut(costs=lambda error: -error),
        "beyond the left border it comes in again on the right": _cut(around=True),
        "it cuts from left to right: rows and columns are exchanged": lambda error: minimum_cut(error.T),
        "two steps to the side in one row": _cut(reach=(2, 2)),
    },
)

ENTRIES = [_WINDOW_DISTANCES, _MINIMUM_CUT]
