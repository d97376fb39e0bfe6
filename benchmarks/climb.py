"""How many steps of the optimisation one pass of the fast style network is worth, as in notebook 12."""

from collections.abc import Iterator

import torch

import cs231n_viz as viz
from benchmarks.row import Row

SIDE, STYLE = 256, "swirls"


def rows() -> Iterator[Row]:
    network, model = viz.load_fast_style(), viz.load_model("mini_vgg")
    photo, painting = viz.centre_square(viz.load_image("astronaut"), SIDE), viz.load_painting(STYLE)
    pixels = viz.Painter(network)(photo[0], network.weights_of(**{STYLE: 1}))
    of_pass, resized = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, viz.resize(painting[None], (SIDE, SIDE))
    own = viz.StyleLoss(style=8.0, tv=10.0, style_layers=viz.style_layers(model, pools=True), average_pooling=True)
    # At least as many as notebook 12 asserts; the last as in the curves of Johnson et al. (2016).
    asked = (
        ("the loss of stylize", viz.StyleLoss(), {}, 8),
        ("the loss that it was trained by", own, {}, 15),
        ("the same, from noise, in pixels", own, {"start": "noise", "coordinates": "pixels"}, 36),
    )
    for name, loss, climb, least in asked:
        level = viz.JointLoss(model, photo, [resized], loss)(of_pass).item()
        schedule = viz.Schedule(size=SIDE, scales=1, steps=2 * least, **climb)
        run = viz.stylize(model, photo, painting, loss=loss, schedule=schedule, seed=0, progress=False)
        reached = next((step.index for step in run if -step.score <= level), 2 * least)
        yield Row(f"one pass of fast style, by {name}: steps of stylize", reached, "≥", least)
