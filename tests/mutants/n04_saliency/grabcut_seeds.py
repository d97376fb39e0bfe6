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
    return torch.from_numpy(np.where(values > high + 1e-7, 1, np.where(values <= low + 1e-7, 0, 2)))


@answers.right
def by_arithmetic(saliency, *, foreground=0.95, background=0.30):
    refuse_if_flat(saliency, foreground)
    low, high = limits(saliency, background, foreground)
    return 2 * (saliency > low).long() - (saliency > high).long()


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
    return saliency
