"""What the network that ships can do."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.data_files import data_root
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import centre_square, load_image
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.representation.features import features
from cs231n_viz.representation.gram import grams, style_layers
from cs231n_viz.representation.neighbours import nearest
from cs231n_viz.style.fast import FastStyle, load_fast_style
from cs231n_viz.style.painter import Painter

FILE = data_root() / "weights" / "fast_style.safetensors"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="data/weights/fast_style.safetensors is not there yet")
CONTENTS = ("cat", "astronaut", "motorcycle", "flower")


@pytest.fixture(scope="module")
def network() -> FastStyle:
    return load_fast_style().to(memory_format=torch.channels_last)  # faster


@pytest.fixture(scope="module")
def repainted(network) -> Tensor:
    """(contents, styles, 3, 192, 192)."""
    eye = torch.eye(len(network.styles))
    with torch.no_grad():
        return torch.stack(
            [network(centre_square(load_image(name), 192).expand(len(eye), -1, -1, -1), eye) for name in CONTENTS]
        )


def test_the_file_is_small_and_holds_at_least_eight_styles_with_a_card(network):
    assert FILE.stat().st_size <= 2_000_000
    assert len(network.styles) >= 8
    assert FILE.with_suffix(".md").exists()


@pytest.mark.slow
def test_each_style_is_nearest_to_its_own_painting_in_another_network(network, repainted):
    judge = load_model("mini_alexnet")
    layers = style_layers(judge)
    paintings = torch.cat([centre_square(load_painting(name), 192) for name in network.styles])
    wanted = grams(judge, paintings, layers)
    right = 0
    for pictures in repainted:
        found = grams(judge, pictures, layers)
        distances = sum(
            (found[layer][:, None] - wanted[layer]).flatten(2).norm(dim=2) / wanted[layer].flatten(1).norm(dim=1)
            for layer in layers
        )
        right += (distances.argmin(1) == torch.arange(len(network.styles))).sum().item()
    assert right >= 0.7 * len(CONTENTS) * len(network.styles)


@pytest.mark.slow
def test_the_content_stays_recognisable_among_crops(repainted):
    judge = load_model("mini_alexnet")
    crops = Gallery.crops(200, size=192, seed=3)
    own = [(centre_square(load_image(name), 192)[0], 0) for name in CONTENTS]
    bank = features(judge, [*own, *crops], "relu4", batch=16)
    queries = features(judge, [(picture, 0) for each in repainted for picture in each], "relu4", batch=16)
    found = nearest(queries, bank, 1, metric="cosine").indices[:, 0].view(len(CONTENTS), -1)
    assert (found == torch.arange(len(CONTENTS))[:, None]).float().mean() >= 0.7


def test_a_grey_picture_stays_flat(network):
    with torch.no_grad():
        made = network(torch.full((len(network.styles), 3, 64, 64), 0.5), torch.eye(len(network.styles)))
    assert made.std((2, 3)).max() < 1e-3


def test_a_picture_that_is_alike_everywhere_gets_no_frame(network):
    gravel = centre_square(load_image("gravel"), 192).expand(len(network.styles), -1, -1, -1)
    with torch.no_grad():
        made = network(gravel, torch.eye(len(network.styles)))
    ring = torch.ones(192, 192, dtype=torch.bool)
    ring[4:-4, 4:-4] = False
    off = (made[..., ring].mean(2) - made[..., 16:-16, 16:-16].mean((2, 3))).abs().mean(1)
    assert off.median() < 0.05
    assert off.max() < 0.1


def test_there_is_no_checkerboard(network):
    ramp = torch.linspace(0.2, 0.8, 128)
    smooth = torch.stack([ramp.expand(128, -1), ramp.expand(128, -1).mT, torch.full((128, 128), 0.5)])[None]
    pictures = torch.cat(
        [smooth, centre_square(load_image("astronaut"), 128), centre_square(load_image("gravel"), 128)]
    )
    alternating = 1 - 2 * ((torch.arange(128)[:, None] + torch.arange(128)) % 2)
    for picture in pictures:
        with torch.no_grad():
            made = network(picture.expand(len(network.styles), -1, -1, -1), torch.eye(len(network.styles)))
        rough = made - made.mean((2, 3), keepdim=True)
        # A checkerboard of one pixel has all its energy in one coefficient of the spectrum, out of 128².
        share = (rough * alternating).mean((2, 3)).square().sum(1) / rough.square().mean((2, 3)).sum(1)
        assert share.max() < 1e-3


def test_mixtures_lie_between(network):
    image = centre_square(load_image("cat"), 128)
    one, two = (network.weights_of(**{name: 1}) for name in network.styles[:2])
    with torch.no_grad():
        ends = [network(image, weights) for weights in (one, two)]
        middle = network(image, one + two)
    assert max(F.l1_loss(middle, end) for end in ends) < F.l1_loss(*ends)


def test_the_painter_shows_the_shipped_network(network):
    image, weights = centre_square(load_image("cat"), 128), network.weights_of(**{network.styles[0]: 1})
    with torch.no_grad():
        wanted = network(image, weights)[0].permute(1, 2, 0) * 255
    assert (torch.from_numpy(Painter(network)(image[0], weights)).float() - wanted).abs().mean() < 3
