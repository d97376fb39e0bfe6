"""The explorers of notebooks 07 to 12 take a person's own network, which names no ReLU, and a person's own picture."""

import io

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from cs231n_viz import explore, wrap
from cs231n_viz.explore.toolkit.upload import PictureUpload

BUILD = {
    "class_visualization": lambda models, own: explore.class_visualization(models),
    "fooling": lambda models, own: explore.fooling(models, own),
    "deep_dream": lambda models, own: explore.deep_dream(models, own, width=48),
    "inversion": lambda models, own: explore.inversion(models, own),
    "texture": lambda models, own: explore.texture(models, own, side=48),
    "style": lambda models, own: explore.style(models, own, own, size=64),
    "growing": lambda models, own: explore.growing(own, side=16, size=32),  # without a network: once
}


class ThreeLayers(nn.Module):
    """Two convolutions and a linear layer; its nonlinearities are functions."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, 6, 5, stride=2, padding=2), nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, images):
        return self.head(torch.tanh(self.second(F.relu(self.first(images)))).mean((2, 3)))


def own_network(channels):
    torch.manual_seed(0)
    statistics = {} if channels == 3 else {"mean": [0.5], "std": [0.25]}
    return wrap(ThreeLayers(channels).eval(), ["a", "b", "c"], input_size=32, **statistics)


@pytest.fixture(scope="module")
def file():
    """What the button sends: a picture of 60 × 40 px."""
    content = io.BytesIO()
    Image.effect_noise((60, 40), 80).convert("RGB").save(content, "PNG")
    return ({"name": "mine.png", "type": "image/png", "size": 1, "content": memoryview(content.getvalue())},)


@pytest.mark.parametrize(("name", "channels"), [*((name, 3) for name in BUILD), *((name, 1) for name in BUILD)][:-1])
def test_an_own_network_and_an_own_picture(name, channels, file):
    models = {"mine": own_network(channels), "another": own_network(3)}
    explorer = BUILD[name](models, torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0)))
    assert explorer.error is None
    uploads = [control for control in explorer.controls.values() if isinstance(control, PictureUpload)]
    shown = explorer.picture
    for button in uploads:
        button.value = file
    assert bool(uploads) == bool((explorer.picture != shown).any())  # only class visualization has no photograph
    if "steps" in explorer.controls:
        explorer.controls["steps"].value = explorer.controls["steps"].min
    explorer.start()
    assert explorer.error is None
    assert explorer.state == "finished"
    assert torch.isfinite(explorer.step.image).all()
    if uploads:  # after a run another picture is shown at once, without the handle of a wipe
        photograph = explorer.controls.get("photograph", explorer.controls.get("sample"))
        photograph.value = photograph.options[1]
        assert "The last run was made with other settings" in explorer.message.value
        assert getattr(explorer.view, "box", ()) == ()
    if name not in ("class_visualization", "growing"):
        explorer.controls["network"].value = "another"
        assert explorer.error is None
