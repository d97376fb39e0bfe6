import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def walk(model, image, order, *, blank, steps, value, restart=False):
    """Pixel by pixel in the order given; one value per step."""
    height, width = image.shape[1:]
    changed, values, done = image.clone(), [], 0
    for step in range(steps + 1):
        if restart:
            changed = image.clone()
        for index in order[done : step * height * width // steps]:
            changed[:, index // width, index % width] = blank[:, index // width, index % width]
        done = step * height * width // steps
        with torch.no_grad():
            values.append(value(model(changed[None])[0]))
    return torch.stack(values)


@answers.right
def pixel_by_pixel(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(-heatmap.numpy().ravel()).tolist()
    return walk(model, image, order, blank=blank, steps=steps, value=lambda z: torch.softmax(z, 0)[target])


@answers.right
def by_rank(model, image, heatmap, *, target, blank, steps=10):
    rank = heatmap.flatten().argsort(descending=True).argsort().view(heatmap.shape)
    counts = torch.tensor([k * heatmap.numel() // steps for k in range(steps + 1)])
    deleted = rank < counts[:, None, None]  # (steps + 1, H, W)
    images = torch.where(deleted[:, None], blank, image)
    with torch.no_grad():
        return torch.softmax(model(images), dim=1)[:, target]


@answers.right
def by_topk(model, image, heatmap, *, target, blank, steps=10):
    curve = []
    for k in range(steps + 1):
        keep = torch.ones(heatmap.numel())
        keep[torch.topk(heatmap.flatten(), k * heatmap.numel() // steps).indices] = 0
        keep = keep.view(1, *heatmap.shape)
        with torch.no_grad():
            logits = model((image * keep + blank * (1 - keep)).unsqueeze(0))
        curve.append(torch.exp(torch.log_softmax(logits, dim=1))[0, target])
    return torch.stack(curve)


@answers.wrong("the ranking is ascending")
def least_first(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(heatmap.numpy().ravel()).tolist()
    return walk(model, image, order, blank=blank, steps=steps, value=lambda z: torch.softmax(z, 0)[target])


@answers.wrong("they stay deleted")
def not_cumulative(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(-heatmap.numpy().ravel()).tolist()
    ask = {"blank": blank, "steps": steps, "value": lambda z: torch.softmax(z, 0)[target]}
    return walk(model, image, order, restart=True, **ask)


@answers.wrong("logits are returned")
def logits(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(-heatmap.numpy().ravel()).tolist()
    return walk(model, image, order, blank=blank, steps=steps, value=lambda z: z[target])


@answers.wrong("follows the predicted class")
def predicted(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(-heatmap.numpy().ravel()).tolist()
    return walk(model, image, order, blank=blank, steps=steps, value=lambda z: torch.softmax(z, 0).max())


@answers.wrong("softmax over the images")
def softmax_of_the_batch(model, image, heatmap, *, target, blank, steps=10):
    order = np.argsort(-heatmap.numpy().ravel()).tolist()
    rows = walk(model, image, order, blank=blank, steps=steps, value=lambda z: z)
    return torch.softmax(rows, dim=0)[:, target]


@answers.wrong("ranked by magnitude")
def by_magnitude(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap.abs(), target=target, blank=blank, steps=steps)


@answers.wrong("set to black")
def to_black(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap, target=target, blank=torch.zeros_like(blank), steps=steps)


@answers.wrong("the insertion curve")
def insertion(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, blank, heatmap, target=target, blank=image, steps=steps)


@answers.wrong("lacks its beginning")
def from_the_first_step(model, image, heatmap, *, target, blank, steps=10):
    return by_topk(model, image, heatmap, target=target, blank=blank, steps=steps)[1:]


@answers.wrong("something works in place")
def overwrites_the_picture(model, image, heatmap, *, target, blank, steps=10):
    curve = by_rank(model, image, heatmap, target=target, blank=blank, steps=steps)
    image.copy_(blank)
    return curve


def by_counts(model, image, heatmap, target, blank, counts, colours=slice(None), value=None):
    """The curve for these numbers of deleted pixels."""
    order, curve = heatmap.flatten().argsort(descending=True), []
    for count in counts:
        changed, source = image.flatten(1).clone(), blank.flatten(1)
        changed[colours, order[:count]] = source[colours, order[:count]]
        curve.append(changed.view_as(image))
    with torch.no_grad():
        logits = model(torch.stack(curve))
    return value(logits) if value else torch.softmax(logits, 1)[:, target]


def shares(heatmap, steps):
    return [k * heatmap.numel() // steps for k in range(steps + 1)]


@answers.wrong("rounded down")
def whole_chunks(model, image, heatmap, *, target, blank, steps=10):
    chunk = heatmap.numel() // steps
    return by_counts(model, image, heatmap, target, blank, [k * chunk for k in range(steps + 1)])


@answers.wrong("rounded down")
def to_the_nearest(model, image, heatmap, *, target, blank, steps=10):
    counts = np.linspace(0, heatmap.numel(), steps + 1).round().astype(int)
    return by_counts(model, image, heatmap, target, blank, counts)


@answers.wrong("one pixel a step")
def one_by_one(model, image, heatmap, *, target, blank, steps=10):
    return by_counts(model, image, heatmap, target, blank, range(steps + 1))


@answers.wrong("rows and columns are mixed up")
def transposed(model, image, heatmap, *, target, blank, steps=10):
    order = heatmap.mT.flatten().argsort(descending=True).tolist()
    return walk(model, image, order, blank=blank, steps=steps, value=lambda z: torch.softmax(z, 0)[target])


@answers.wrong("only one colour is deleted")
def red(model, image, heatmap, *, target, blank, steps=10):
    return by_counts(model, image, heatmap, target, blank, shares(heatmap, steps), slice(0, 1))


@answers.wrong("the logit alone is squashed")
def squashed(model, image, heatmap, *, target, blank, steps=10):
    value = lambda z: torch.sigmoid(z)[:, target]  # noqa: E731
    return by_counts(model, image, heatmap, target, blank, shares(heatmap, steps), value=value)


@answers.wrong("the logarithm of the probability")
def logarithm(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap, target=target, blank=blank, steps=steps).log()


@answers.wrong("divided by its first value")
def relative(model, image, heatmap, *, target, blank, steps=10):
    curve = by_rank(model, image, heatmap, target=target, blank=blank, steps=steps)
    return curve / curve[0]


@answers.wrong("how far the probability falls")
def fall(model, image, heatmap, *, target, blank, steps=10):
    curve = by_rank(model, image, heatmap, target=target, blank=blank, steps=steps)
    return curve[0] - curve


@answers.wrong("lacks its end")
def without_the_end(model, image, heatmap, *, target, blank, steps=10):
    return by_counts(model, image, heatmap, target, blank, shares(heatmap, steps)[:-1])


@answers.wrong("begins with blank")
def backwards(model, image, heatmap, *, target, blank, steps=10):
    return by_counts(model, image, heatmap, target, blank, shares(heatmap, steps)[::-1])


@answers.wrong("get one colour, a mean")
def to_the_mean_colour(model, image, heatmap, *, target, blank, steps=10):
    plain = blank.flatten(1).mean(1).view(3, 1, 1).repeat(1, *heatmap.shape)
    return by_rank(model, image, heatmap, target=target, blank=plain, steps=steps)


@answers.wrong("the target is ignored")
def class_one(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap, target=1, blank=blank, steps=steps)


@answers.wrong("a builtins.list came out")
def a_list(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap, target=target, blank=blank, steps=steps).tolist()


@answers.wrong("'float64' came out")
def in_doubles(model, image, heatmap, *, target, blank, steps=10):
    return by_rank(model, image, heatmap, target=target, blank=blank, steps=steps).double()


@answers.wrong("go all at once")
def down_to_a_limit(model, image, heatmap, *, target, blank, steps=10):
    ranked, curve = heatmap.flatten().sort(descending=True).values, []
    for count in shares(heatmap, steps):
        gone = heatmap >= ranked[count - 1] if count else torch.zeros(heatmap.shape, dtype=torch.bool)
        with torch.no_grad():
            curve.append(model(torch.where(gone, blank, image)[None]).softmax(1)[0, target])
    return torch.stack(curve)


@answers.wrong("the width both times")
def column_from_the_height(model, image, heatmap, *, target, blank, steps=10):
    h, changed, curve = heatmap.shape[0], image.clone(), []
    order = heatmap.flatten().argsort(descending=True)
    for count in shares(heatmap, steps):
        for index in order[:count].tolist():
            changed[:, index // h, index % h] = blank[:, index // h, index % h]
        with torch.no_grad():
            curve.append(model(changed[None]).softmax(1)[0, target])
    return torch.stack(curve)
