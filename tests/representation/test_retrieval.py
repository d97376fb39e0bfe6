"""Looking for pictures of the same thing among photographs that no network was trained on."""

import random
from collections import defaultdict
from functools import partial

import pytest
import torch

import cs231n_viz as viz
from training import pictures as training_pictures


@pytest.fixture(scope="module")
def held_out(pictures_of_caltech):
    """Eight pictures each of forty classes, or fewer where fewer were held out of the training."""
    by_class = defaultdict(list)
    for path, name in pictures_of_caltech:
        by_class[name].append(path)
    names = sorted(random.Random(0).sample([name for name, paths in by_class.items() if len(paths) >= 6], 40))
    rows = [(path, label) for label, name in enumerate(names) for path in sorted(by_class[name])[:8]]
    load = partial(_load, [str(path) for path, _ in rows])
    return viz.Gallery(load, [label for _, label in rows], names, names=[path.name for path, _ in rows])


@pytest.fixture(scope="module")
def pictures_of_caltech(request):
    root = request.getfixturevalue("pictures")
    if not (root / "caltech101/101_ObjectCategories").is_dir():
        pytest.skip(f"{root} has no caltech101/101_ObjectCategories")
    return training_pictures.find(root).held_out["caltech101"]


@pytest.fixture(scope="module")
def by_pixels(held_out):
    return top_1(viz.pixels(held_out), held_out.labels)


def _load(paths, index):
    return viz.load_image(paths[index])


def top_1(rows, labels):
    """The share of pictures whose nearest other picture is of their class."""
    near = viz.nearest(rows, rows, 1, "cosine", exclude_self=True).indices
    return float(viz.purity(near, labels, labels).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layer"), [("mini_alexnet", "fc7"), ("mini_vgg", "gap")])
def test_features_find_the_class_at_least_twice_as_often_as_pixels(held_out, by_pixels, name, layer):
    model = viz.load_model(name).to(memory_format=torch.channels_last)  # faster
    rows = viz.features(model, held_out, layer, progress=False)
    by_features = top_1(rows, held_out.labels)
    assert len(held_out) > 250
    assert by_features >= 2 * by_pixels, f"{by_features:.1%} against {by_pixels:.1%}"
    assert by_features > 0.4  # chance is 2.5 %
