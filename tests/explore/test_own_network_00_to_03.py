"""The explorers of notebooks 00 to 03 take any network, also one of grey pictures, and any picture."""

import io

import numpy as np
import pytest
from PIL import Image

from cs231n_viz import Gallery, explore, load_image, pixels, top_patches
from tests.explore.toolkit.test_upload import given


@pytest.fixture(scope="module")
def gallery():
    return Gallery.crops(12, size=32)


def embedding(network, gallery):
    plane = pixels(gallery)[:, :2]
    return explore.embedding(
        gallery, network, perplexities=(3,), maps={(s, 3): plane for s in ("pixels", "flatten of Sequential")}
    )


PHOTOGRAPHS = {
    "receptive_fields": explore.receptive_fields,
    "filters": lambda network, image: explore.filters(network, image=image),
    "responses": explore.responses,
    "activation_maps": explore.activation_maps,
    "unit_wall": explore.unit_wall,
}
OTHERS = {
    "second_layer": lambda network, gallery: explore.second_layer(network),
    "neighbours": lambda network, gallery: explore.neighbours(gallery, network),
    "embedding": embedding,
    "top_patches": lambda network, gallery: explore.top_patches(
        {"mine": top_patches(network, gallery, "relu2", progress=False)}, gallery
    ),
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_picture_that_is_given_and_one_from_a_file_are_shown_alike(name, network):
    check_that_pictures_are_shown_alike(lambda image: PHOTOGRAPHS[name](network, image))


@pytest.mark.parametrize("make", [explore.convolution, explore.pooling])
def test_a_patch_of_a_picture_that_is_given_and_of_one_from_a_file_are_shown_alike(make):
    check_that_pictures_are_shown_alike(make)


def check_that_pictures_are_shown_alike(make):
    image = (load_image("coffee")[:, 20:320, 100:480].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    direct = make(image)
    assert direct.error is None, direct.error
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    explorer = make("cat")
    for name in {"unit", "row", "col"} & set(direct.controls):  # where a map of this picture is strongest
        explorer.controls[name].value = direct.controls[name].value
    explorer.controls["file"].value = given("mine.png", "image/png", file.getvalue())
    assert explorer.error is None, explorer.error
    assert explorer.controls["photograph"].value.endswith("mine.png")
    np.testing.assert_array_equal(explorer.picture, direct.picture)
    explorer.controls["file"].value = given("notes.txt", "text/plain", b"no picture")
    assert "notes.txt" in explorer.message.value
    for name in {"layer", "stride"} & set(explorer.controls):  # nothing else fails for it
        control = explorer.controls[name]
        control.value = control.options[0] if name == "layer" else 3
        assert "notes.txt" in explorer.message.value
    explorer.controls["photograph"].value = "coffee"
    assert explorer.error is None, explorer.error


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_of_ones_own_is_explored(name, network, gallery):
    explorer = OTHERS[name](network, gallery)
    assert explorer.error is None, explorer.error
    assert explorer.picture.std() > 10
