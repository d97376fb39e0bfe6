"""Time texture synthesis from a sample, also against the double loop that people write for it."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.ceiling import counted, least_seconds, most_times
from benchmarks.row import Row, fastest_seconds
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import load_image
from cs231n_viz.pictures.paintings import painting_names, texture_sample
from cs231n_viz.representation.gram import gram_distance, grams, style_layers
from cs231n_viz.synthesis.parameterisation import start_noise
from cs231n_viz.texture.efros_leung import efros_leung
from cs231n_viz.texture.neural import synthesize_texture
from cs231n_viz.texture.quilting import quilt

WINDOW = 11


def sample(side: int, *, reduced: int) -> Tensor:
    """A corner of a photograph in colour, reduced so that it holds several of the texture's elements."""
    grey = F.avg_pool2d(load_image("brick"), reduced)[:, :side, :side]
    return grey * torch.tensor([1.0, 0.7, 0.5])[:, None, None]


def double_loop(picture: np.ndarray, texture: np.ndarray, window: int, random: np.random.Generator) -> np.ndarray:
    """Efros–Leung as it stands in the paper: for each pixel, each window of the sample, one after the other.

    ``picture`` and ``texture`` are (side, side, 3). Differences of one window are NumPy's, not loops.
    """
    radius = window // 2
    offsets = np.arange(window) - radius
    gauss = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (window / 6.4) ** 2))
    side, rows, cols = len(picture), len(texture) - window + 1, texture.shape[1] - window + 1
    grown = np.pad(picture, ((radius, radius), (radius, radius), (0, 0)))
    filled = np.pad(np.zeros((side, side), bool), radius)
    first, middle = random.integers(len(texture) - 2, size=2), radius + (side - 3) // 2
    grown[middle : middle + 3, middle : middle + 3] = texture[first[0] : first[0] + 3, first[1] : first[1] + 3]
    filled[middle : middle + 3, middle : middle + 3] = True
    inside = slice(radius, radius + side)
    while not filled[inside, inside].all():
        counts = sum(np.roll(filled, (i, j), (0, 1)).astype(int) for i in (-1, 0, 1) for j in (-1, 0, 1))
        layer = np.argwhere((counts > 0) & ~filled)
        layer = random.permutation(layer[((layer >= radius) & (layer < radius + side)).all(1)])
        for row, col in sorted(layer.tolist(), key=lambda place: -counts[tuple(place)]):
            around = slice(row - radius, row + radius + 1), slice(col - radius, col + radius + 1)
            weights = (gauss * filled[around])[:, :, None]
            total, known, distances = weights.sum() * 3, grown[around], np.empty((rows, cols))
            for top in range(rows):
                for left in range(cols):
                    difference = texture[top : top + window, left : left + window] - known
                    distances[top, left] = (weights * difference * difference).sum() / total
            candidates = np.argwhere(distances <= 1.1 * distances.min())
            top, left = candidates[random.integers(len(candidates))]
            grown[row, col] = texture[top + radius, left + radius]
            filled[row, col] = True
    return grown[inside, inside]


def rows() -> Iterator[Row]:
    texture = sample(64, reduced=8)
    taken = fastest_seconds(lambda: efros_leung(texture, 128, WINDOW, progress=False))
    least = least_seconds(counted(lambda: efros_leung(texture, 128, WINDOW, progress=False))[1])
    yield Row(f"efros_leung, 64 → 128 px in colour, window {WINDOW}", taken, "≤", 30, " s", ceiling=least)
    # The loop would take minutes for that; both make fewer pixels here, from the same sample. In a picture so small
    # fewer pixels can be matched together, which is to our disadvantage.
    side = 32
    array = texture.permute(1, 2, 0).double().numpy()
    plain = fastest_seconds(lambda: double_loop(np.zeros((side, side, 3)), array, WINDOW, np.random.default_rng(0)))
    own = fastest_seconds(lambda: efros_leung(texture, side, WINDOW, progress=False), repeats=5)
    most = most_times(counted(lambda: efros_leung(texture, side, WINDOW, progress=False))[1], plain)
    yield Row(f"efros_leung, 64 → {side} px: × faster than the double loop", plain / own, "≥", 20, ceiling=most)
    blocks = sample(128, reduced=4)
    for block in (24, 36):
        taken = fastest_seconds(lambda block=block: quilt(blocks, 512, block, progress=False))
        yield Row(f"quilt, 128 → 512 px in colour, blocks of {block}", taken, "≤", 10, " s")
    yield from _neural()


def _neural() -> Iterator[Row]:
    """Neural synthesis, judged by a network that had no part in it."""
    model, judge = load_model("mini_vgg"), load_model("mini_alexnet")
    layers, noise = style_layers(judge, pools=True), start_noise((256, 256))
    worst, longest = ("", 0.0), 0.0
    for name in ("brick", "grass", "gravel", "coins", "hubble_deep_field", *painting_names()):
        picture = texture_sample(name, 256, zoom=0.5)[None]
        ascent = synthesize_texture(model, picture, size=256, progress=False)
        longest = max(longest, fastest_seconds(ascent.finish))
        target = grams(judge, picture, layers)
        made, start = (gram_distance(grams(judge, x, layers), target).item() for x in (ascent.image, noise))
        worst = max(worst, (name, 100 * made / start), key=lambda pair: pair[1])
    _, flops = counted(synthesize_texture(model, picture, size=256, progress=False).finish)
    what = "synthesize_texture, 256 px on mini_vgg, 200 evaluations: the slowest sample"
    yield Row(what, longest, "≤", 25, " s", ceiling=least_seconds(flops))
    yield Row(
        f"its distance by mini_alexnet from the sample, noise = 100: the worst, {worst[0]}", worst[1], "≤", 15, " %"
    )
