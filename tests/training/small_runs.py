"""What the tests of the training scripts share: a short training run, and pictures that were rotated."""

import dataclasses

import numpy as np
import torch
from PIL import Image

from training import classifiers, pictures


def run_for(root, out, epochs, monkeypatch, *, more=()):
    """Train a small mini_vgg on tiny pictures up to ``epochs`` of 2; returns its checkpoint."""
    recipe = dataclasses.replace(classifiers.RECIPES["mini_vgg"], sizes=((1.0, 32),), epochs=2, input_size=64)
    monkeypatch.setitem(classifiers.RECIPES, "mini_vgg", recipe)
    arguments = [str(root), "--network", "mini_vgg", "--batch", "8", "--out", str(out), *more]
    args = classifiers.parser().parse_args(arguments)
    data = pictures.find(root)
    run = classifiers.Run(args, data)
    images = pictures.load(data.train)
    labels = torch.tensor([run.categories.index(name) for _, name in data.train])
    for epoch in range(len(run.history), epochs):
        run.epoch(epoch, images, labels)
        run.save()
    return torch.load(out / "mini_vgg/last.pt", weights_only=True)


def stripes(angle, *, size=(120, 120), seed=0):
    """A bright picture whose upper half is red and lower half green, rotated clockwise, with black corners."""
    height, width = size
    pixels = np.random.default_rng(seed).integers(120, 200, (height, width, 3), dtype=np.uint8)
    pixels[: height // 2, :, 1:] //= 4
    pixels[height // 2 :, :, ::2] //= 4
    picture = Image.fromarray(pixels).rotate(-angle, expand=True, resample=Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
