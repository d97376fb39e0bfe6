"""The explorers of notebooks 04 to 06b take a person's own network, also one of grey pictures, and an own picture."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_viz import explore, gradient, load_image
from cs231n_viz.attribution import scoring
from cs231n_viz.explore.n04_saliency import saliency
from tests.explore.toolkit.test_upload import given


@pytest.mark.parametrize(
    "name", ["occlusion", "saliency", "class_activation", "two_objects", "relevance", "all_methods"]
)
def test_an_own_network_and_an_own_picture(name, network, monkeypatch):
    monkeypatch.setattr(saliency, "SAMPLES", 2)
    monkeypatch.setattr(saliency, "SEGMENTS", 2)
    file, image = io.BytesIO(), load_image("coffee")[:, 20:320, 100:480]
    pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    explorer = getattr(explore, name)(network)
    assert explorer.error is None
    explorer.controls["file"].value = given("mine.png", "image/png", file.getvalue())
    assert explorer.error is None
    best = network.categories[int(network(network.prepare(image))[0].argmax())]
    assert f"<b>{best}</b>" in explorer.text.value or explorer.controls["category"].value == best
    for method in getattr(explorer.controls.get("method"), "options", ()):
        explorer.controls["method"].value = method
        assert explorer.error is None, method
    if name == "saliency":
        explorer.controls["layer"].value = "relu2"
    if name == "occlusion":
        explorer.controls["start"].click()
    assert explorer.error is None
    assert "No map" not in explorer.text.value
    explorer.controls["file"].value = given("notes.txt", "text/plain", b"no picture")
    assert "notes.txt" in explorer.message.value


def test_the_maps_of_an_own_network_are_put_on_trial(network):
    images = network.prepare(["cat", "coffee"])
    masks = torch.zeros(2, 32, 32, dtype=torch.bool)
    masks[:, 8:20, 8:20] = True
    maps = {"gradient": gradient(network, images, 1)}
    curves = {"gradient": scoring.deletion_insertion(network, images, 1, maps["gradient"], steps=2)}
    assert explore.deletion(images, masks, maps, curves).error is None
    found = {"gradient": maps["gradient"].abs().amax(1)}
    assert explore.segmentation(images.expand(-1, 3, -1, -1), masks, found).error is None
