"""Draw the figure of the README: one photograph on its way through mini_alexnet. ``python docs/lecture.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

import cs231n_viz as viz

PHOTO, UNITS = "cat", 6


def best_patches(model: viz.Classifier, images: torch.Tensor, layer: str) -> list[torch.Tensor]:
    """What the ``UNITS`` most excited channels of a layer see at the place where they are most excited."""
    found = viz.activations(model, images, [layer])[layer][0]
    field, crops = viz.receptive_field(model, layer), []
    for channel in found.amax((1, 2)).topk(UNITS).indices:
        row, col = divmod(int(found[channel].argmax()), found.shape[2])
        top, left, bottom, right = field.box(row, col)
        crop = images[:, :, top:bottom, left:right]
        crops.append(torch.nn.functional.interpolate(crop, size=96, mode="bilinear")[0])
    return crops


def saliency(model: viz.Classifier, images: torch.Tensor) -> tuple[str, torch.Tensor]:
    """The most probable category and, per pixel, the largest |gradient| of its logit over the channels."""
    images = images.clone().requires_grad_()
    logits = model(images)
    (gradient,) = torch.autograd.grad(logits.max(), images)
    return model.categories[int(logits.argmax())], gradient[0].abs().amax(0)


def bars(ax: Axes, answers: list[tuple[str, float]]) -> None:
    """The most probable categories, the first on top."""
    names, shares = zip(*reversed(answers), strict=True)
    ax.barh(range(len(names)), shares, color="#0072B2", height=0.55)
    ax.set(xticks=[], yticks=[], xlim=(0, 1), title="the answer")
    for place, (name, share) in enumerate(zip(names, shares, strict=True)):
        ax.text(0.02, place + 0.42, f"{name} {share:.0%}", va="center", fontsize=10)
    ax.spines[:].set_visible(False)


def main() -> None:
    """Write ``docs/lecture.png``."""
    model = viz.load_model("mini_alexnet")
    images = model.prepare(PHOTO)
    figure, axes = plt.subplots(1, 6, figsize=(16, 3.1), layout="constrained")
    viz.plotting.show_image(images[0], ax=axes[0], title="the photograph")
    viz.plotting.show_grid(viz.first_layer_filters(model), ax=axes[1], title="conv1 looks for")
    maps = viz.activations(model, images, ["relu1"])["relu1"][0]
    strongest = maps.amax((1, 2)).topk(16).indices
    maps = maps[strongest] / maps[strongest].amax((1, 2), keepdim=True)
    viz.plotting.show_grid(maps[:, None].expand(-1, 3, -1, -1), columns=4, ax=axes[2], title="conv1 finds")
    crops = torch.stack(best_patches(model, images, "relu3") + best_patches(model, images, "relu5")[:3])
    viz.plotting.show_grid(crops[:9], columns=3, pad=3, ax=axes[3], title="conv3, conv5 answer to")
    category, heat = saliency(model, images)
    smooth = torch.nn.functional.avg_pool2d(heat[None], 5, 1, 2)[0]
    limit = float(smooth.quantile(0.995))
    viz.plotting.show_heatmap(smooth, limit=limit, ax=axes[4], title=f"what decides “{category}”")
    bars(axes[5], model.predict(images, k=5)[0])
    figure.savefig(Path(__file__).with_name("lecture.png"), dpi=100, facecolor="white")


if __name__ == "__main__":
    main()
