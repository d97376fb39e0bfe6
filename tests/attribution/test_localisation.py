"""Where do the maps point, on photographs with masks and on scenes? Every score that is compared is printed.

To see them: ``pytest -s``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.attribution import scoring

BATCH = 10


@dataclass
class Trial:
    model: viz.Classifier
    images: Tensor
    masks: Tensor
    targets: Tensor
    layer: str  # of Grad-CAM


def centre(images: Tensor) -> Tensor:
    """A baseline without a network: largest in the middle, and falling from there, as photographers place objects."""
    rows, columns = (torch.linspace(-1, 1, n) for n in images.shape[2:])
    return (2 - torch.hypot(rows[:, None], columns)).expand(len(images), -1, -1)


def edges(images: Tensor) -> Tensor:
    """A control without a network: the strength of the edges."""
    grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    sobel = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    return torch.hypot(F.conv2d(grey, sobel), F.conv2d(grey, sobel.mT))[:, 0]


def methods(layer: str) -> dict:
    return {
        "grad_cam": lambda *ask: viz.grad_cam(*ask, layer),
        "guided_grad_cam": lambda *ask: viz.guided_grad_cam(*ask, layer),
        "saliency": viz.saliency,
        "gradient_times_input": viz.gradient_times_input,
        "guided_backprop": viz.guided_backprop,
        "deep_lift": viz.deep_lift,
        "lrp composite": lambda *ask: viz.lrp(*ask, "composite"),
        "lrp zplus": lambda *ask: viz.lrp(*ask, "zplus"),
        "centre": lambda model, images, targets: centre(images),
        "edges": lambda model, images, targets: edges(images),
    }


def score(trial: Trial, names: Iterable[str], *, tolerance: int = 15) -> dict[str, tuple[float, float]]:
    """Method -> share of strongest points on the object (within so many pixels), share of the map on the object."""
    scores = {}
    parts = list(zip(*(x.split(BATCH) for x in (trial.images, trial.masks, trial.targets)), strict=True))
    for name in names:
        method = methods(trial.layer)[name]
        hits, mass = [], []
        for images, masks, targets in parts:
            maps = method(trial.model, images, targets)
            hits.append(scoring.pointing_game(maps, masks, tolerance=tolerance))
            mass.append(scoring.mass_in_mask(maps, masks))
        scores[name] = float(torch.cat(hits).float().mean()), float(torch.cat(mass).mean())
        print(f"{name:22} pointing {scores[name][0]:.3f}   mass in the mask {scores[name][1]:.3f}")
    print(f"{'chance':22} mass in the mask {float(trial.masks.float().mean()):.3f}   of {len(trial.images)} pictures")
    return scores


@pytest.fixture(scope="module")
def photographs(pictures):
    """150 photographs with masks, through an ImageNet SqueezeNet; it is asked about its own most probable class."""
    folder = pictures / "ecssd300"
    if not (folder / "images").is_dir():
        pytest.skip(f"{pictures} has no ecssd300/images")
    model = viz.load_model("squeezenet1_1", weights=pictures / "weights/squeezenet1_1.safetensors")
    model = model.to(memory_format=torch.channels_last)  # faster
    images, masks = [], []
    for path in sorted((folder / "images").glob("*.jpg"))[::2]:
        images.append(_square(Image.open(path).convert("RGB"), Image.Resampling.BILINEAR))
        mask = _square(Image.open(folder / "masks" / f"{path.stem}.png").convert("L"), Image.Resampling.NEAREST)
        masks.append(mask[0] > 0.5)
    images = torch.stack(images).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        targets = torch.cat([model(part) for part in images.split(BATCH)]).argmax(1)
    return Trial(model, images, torch.stack(masks), targets, "features.12")


def _square(image: Image.Image, how: Image.Resampling) -> Tensor:
    """(C, 224, 224), the whole picture stretched: nothing of the object is cropped away."""
    pixels = np.asarray(image.resize((224, 224), how), dtype=np.float32) / 255
    return torch.from_numpy(pixels.reshape(224, 224, -1)).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="module")
def scenes():
    """Smaller objects than usual, so that the middle is no safe bet, in the scenes that the network names rightly."""
    shipped = viz.load_model("mini_vgg")
    model = viz.wrap(shipped.network, shipped.categories, input_size=128)
    gallery = viz.Gallery.scenes(120, seed=1, size=128, scale=(0.5, 0.75))
    images, right = [], []
    for rows in torch.arange(len(gallery)).split(BATCH):
        images += [gallery[i][0] for i in rows.tolist()]
        with torch.no_grad():
            predictions = model(torch.stack(images[-len(rows) :])).argmax(1).tolist()
        names = [gallery.categories[gallery.labels[i]] for i in rows.tolist()]
        right += [i for i, k, name in zip(rows.tolist(), predictions, names, strict=True) if k == model.index(name)]
        if len(right) >= 40:
            break
    right = right[:40]
    targets = torch.tensor([model.index(gallery.categories[gallery.labels[i]]) for i in right])
    masks = torch.stack([gallery.masks[i] for i in right])
    return Trial(model, torch.stack([images[i] for i in right]), masks, targets, "relu5_2")


@pytest.mark.slow
def test_on_photographs_grad_cam_points_better_than_the_middle(photographs):
    """SqueezeNet was trained on ImageNet; the photographs of ECSSD have their object mostly in the middle."""
    scores = score(photographs, ["grad_cam", "guided_grad_cam", "centre", "edges"])
    assert len(photographs.images) == 150
    assert scores["grad_cam"][0] > scores["centre"][0]
    assert scores["guided_grad_cam"][0] > scores["centre"][0]
    chance = float(photographs.masks.float().mean())
    assert scores["grad_cam"][1] > chance + 0.1


@pytest.mark.slow
def test_on_scenes_the_maps_know_more_than_chance_and_the_middle(scenes):
    scores = score(scenes, methods(""), tolerance=0)
    chance = float(scenes.masks.float().mean())
    assert len(scenes.images) >= 40
    assert chance < 0.4
    for name in methods(""):
        if name not in ("centre", "edges"):
            assert scores[name][1] > chance + 0.05, name
    for name in ("grad_cam", "guided_grad_cam", "guided_backprop"):
        assert scores[name][0] > scores["centre"][0] + 0.1, name
        assert scores[name][1] > scores["saliency"][1] + 0.1, name


def test_scenes_alone_would_be_won_without_a_network(scenes):
    """Why mass in the mask is not evidence by itself: pasted objects have strong edges."""
    of_edges = scoring.mass_in_mask(edges(scenes.images), scenes.masks).mean()
    saliency = viz.saliency(scenes.model, scenes.images, scenes.targets)
    assert of_edges > scoring.mass_in_mask(saliency, scenes.masks).mean() + 0.1
