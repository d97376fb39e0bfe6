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
