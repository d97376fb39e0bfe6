"""Measure how well the shipped networks classify scenes: ``python -m training.scene_report``.

Prints the top-1 accuracy for every class, every photograph and bins of the object's size. The range of sizes in
``cs231n_viz.pictures.scenes.SCALE`` was chosen so that each network classifies at least three of four scenes correctly.
"""

import argparse

import torch

from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier, load_model
from cs231n_viz.pictures.scenes import CLASSES, SCALE, Scenes

NETWORKS = ("mini_alexnet", "mini_vgg")
BINS = 4


@torch.no_grad()
def predictions(model: Classifier, scenes: Scenes, count: int) -> torch.Tensor:
    """Predict the categories of scenes 0 to ``count`` - 1: (count,)."""
    model.eval()
    predicted = []
    for first in range(0, count, 16):
        images = torch.stack([scenes(i) for i in range(first, min(first + 16, count))])
        predicted.append(model(to_channels_last(model, model.prepare(images))).argmax(1))
    return torch.cat(predicted)


def report(model: Classifier, scenes: Scenes, count: int) -> str:
    """Make a table of accuracies: all scenes, each class, each photograph, each quarter of the range of sizes."""
    plans = [scenes.plan(i) for i in range(count)]
    labels = torch.tensor([model.index(CLASSES[scenes.label(i)]) for i in range(count)])
    correct = (predictions(model, scenes, count) == labels).float()
    low, high = scenes.scale
    sizes = torch.tensor([(max(plan.box[2:]) / scenes.size - low) / max(high - low, 1e-9) for plan in plans])
    bins = (sizes * BINS).long().clamp(0, BINS - 1)
    groups = {f"class {name}": torch.tensor([scenes.label(i) == k for i in range(count)])
              for k, name in enumerate(CLASSES)}  # fmt: skip
    groups |= {f"photo {name}": torch.tensor([plan.photo == name for plan in plans])
               for name in sorted({plan.photo for plan in plans})}  # fmt: skip
    for k in range(BINS):
        edges = [low + (high - low) * part / BINS for part in (k, k + 1)]
        groups[f"size {edges[0]:.2f} to {edges[1]:.2f}"] = bins == k
    lines = [f"{model.name}: top-1 {correct.mean():.1%} of {count} scenes"]
    lines += [f"  {name:<22}{correct[members].mean():6.1%} of {int(members.sum())}"
              for name, members in groups.items() if members.any()]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Print the tables of both shipped networks."""
    parser = argparse.ArgumentParser(prog="python -m training.scene_report", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--scale", type=float, nargs=2, default=SCALE, metavar=("LOW", "HIGH"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    scenes = Scenes(args.seed, 224, tuple(args.scale))
    for name in NETWORKS:
        print(report(load_model(name), scenes, args.count))


if __name__ == "__main__":
    main()
