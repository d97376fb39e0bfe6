import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def paint(saliency, low, high, codes=(1, 0, 2)):
    marks = torch.full(saliency.shape, codes[2], dtype=torch.uint8)
    marks[saliency <= low] = codes[1]
    marks[saliency > high] = codes[0]
    return marks


def limits(saliency, background, foreground):
    return saliency.quantile(background), saliency.quantile(foreground)


def refuse_if_flat(saliency, foreground):
    if not (saliency > saliency.quantile(foreground)).any():
        raise ValueError("no seeds")


@answers.right
def in_numpy(saliency, *, foreground=0.95, background=0.30):
    values = saliency.numpy()
    low, high = np.quantile(values, [background, foreground])
    if values.max() <= high + 1e-7:
        raise ValueError("no seeds")
    return torch.from_numpy(np.where(values > high + 1e-7, 1, np.where(values <= low + 1e-7, 0, 2)).astype(np.uint8))


@answers.right
def by_arithmetic(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    low, high = limits(saliency, background, foreground)
    return 2 * (saliency > low).byte() - (saliency > high).byte()


@answers.right
def by_sorting(saliency, *, foreground=0.95, background=0.30):
    ordered = saliency.flatten().sort().values

    def at(share):
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return torch.lerp(ordered[low], ordered[high], place - low)

    if ordered[-1] <= at(foreground):
        raise ValueError("no seeds")
    return paint(saliency, at(background), at(foreground))


@answers.wrong("shares of the maximum")
def shares(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, background * saliency.max(), foreground * saliency.max())


@answers.wrong("object and background are exchanged")
def exchanged(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, *limits(saliency, background, foreground), codes=(0, 1, 2))


@answers.wrong("probably the object")
def probably_object(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, *limits(saliency, background, foreground), codes=(1, 0, 3))


@answers.wrong("nothing to decide")
def all_decided(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return (saliency > saliency.quantile(foreground)).byte()


@answers.wrong("must be refused")
def refuses_only_the_constant(saliency, *, foreground=0.95, background=0.30):
    if saliency.max() == saliency.min():
        raise ValueError("no seeds")
    low, high = limits(saliency, background, foreground)
    return ((saliency > low) * 2 - 1 * (saliency > high)).byte()


@answers.wrong("each row has its own quantile")
def row_by_row(saliency, *, foreground=0.95, background=0.30):
    low, high = (saliency.quantile(q, dim=1, keepdim=True) for q in (background, foreground))
    if not (saliency > high).any():
        raise ValueError("no seeds")
    return paint(saliency, low, high)


@answers.wrong("exactly the upper quantile")
def at_least(saliency, *, foreground=0.95, background=0.30):
    low, high = limits(saliency, background, foreground)
    marks = paint(saliency, low, high)
    marks[saliency >= high] = 1
    return marks


@answers.wrong("exactly the lower quantile")
def strictly_below(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    low, high = limits(saliency, background, foreground)
    marks = paint(saliency, low, high)
    marks[saliency == low] = 2
    return marks


@answers.wrong("the quantile counts from the top")
def from_the_top(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, *limits(saliency, 1 - background, 1 - foreground))


@answers.wrong("must be refused")
def accepts_anything(saliency, *, foreground=0.95, background=0.30):
    return paint(saliency, *limits(saliency, background, foreground))


@answers.wrong("something works in place")
def in_place(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    low, high = limits(saliency, background, foreground)
    middle, top = (saliency > low) & (saliency <= high), saliency > high
    saliency[saliency <= low] = 0
    saliency[middle] = 2
    saliency[top] = 1
    return saliency.byte()


@answers.right
def plain_numpy(saliency, *, foreground=0.95, background=0.30):
    values = saliency.numpy()
    above = values > np.quantile(values, foreground)
    if not above.any():
        raise ValueError("nowhere above")
    marks = np.full(values.shape, 2, np.uint8)
    marks[values <= np.quantile(values, background)] = 0
    marks[above] = 1
    return torch.from_numpy(marks)


@answers.right
def by_the_value_below(saliency, *, foreground=0.95, background=0.30):
    """No value lies between a quantile and the one below it, so that this makes no difference."""
    low, high = (saliency.quantile(q, interpolation="lower") for q in (background, foreground))
    if saliency.max() <= high:
        raise ValueError("no seeds")
    return paint(saliency, low, high)


@answers.wrong("'int64' came out")
def in_long(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    low, high = limits(saliency, background, foreground)
    return torch.where(saliency > high, 1, torch.where(saliency > low, 2, 0))


@answers.wrong("'float32' came out")
def in_floats(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, *limits(saliency, background, foreground)).float()


@answers.wrong("marked 255")
def white(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return paint(saliency, *limits(saliency, background, foreground), codes=(255, 0, 2))


@answers.wrong("all is marked as the object")
def all_but_the_background(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    return (saliency > saliency.quantile(background)).byte()


@answers.wrong("the quantiles of the positive pixels")
def without_zeros(saliency, *, foreground=0.95, background=0.30):
    positive = saliency[saliency > 0]
    low, high = limits(positive, background, foreground)
    if not (saliency > high).any():
        raise ValueError("no seeds")
    return paint(saliency, low, high)


@answers.wrong("foreground and background are ignored")
def always_the_same(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, 0.95)
    return paint(saliency, *limits(saliency, 0.3, 0.95))


@answers.wrong("pixels are counted off")
def counted(saliency, *, foreground=0.95, background=0.30):
    rank = saliency.flatten().argsort().argsort().view(saliency.shape)
    if saliency.min() == saliency.max():
        raise ValueError("flat")
    marks = torch.full(saliency.shape, 2, dtype=torch.uint8)
    marks[rank < int(background * saliency.numel())] = 0
    marks[rank >= int(foreground * saliency.numel())] = 1
    return marks


@answers.wrong("mean and standard deviation")
def deviations(saliency, *, foreground=0.95, background=0.30):
    if saliency.std() == 0:
        raise ValueError("flat")
    return paint(saliency, saliency.mean(), saliency.mean() + saliency.std())


@answers.wrong("a value came out where an error was asked for")
def returns_the_error(saliency, *, foreground=0.95, background=0.30):
    low, high = limits(saliency, background, foreground)
    return paint(saliency, low, high) if (saliency > high).any() else None


@answers.wrong("foreground and background are exchanged")
def shares_exchanged(saliency, *, foreground=0.95, background=0.30):
    return in_numpy(saliency, foreground=background, background=foreground)


@answers.wrong("rounded to 0 … 255")
def as_a_grey_picture(saliency, *, foreground=0.95, background=0.30):
    grey = torch.round(saliency / saliency.amax() * 255)
    return in_numpy(grey, foreground=foreground, background=background)


@answers.wrong("an error where no pixel is left")
def all_three_marks_wanted(saliency, *, foreground=0.95, background=0.30):
    marks = in_numpy(saliency, foreground=foreground, background=background)
    if len(marks.unique()) < 2 or 2 not in marks:
        raise ValueError("a mark is missing")
    return marks
