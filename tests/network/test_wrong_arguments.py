"""Wrong arguments are one clear error of our own, which names the argument; never an obscure one, never nonsense."""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cs231n_viz as viz
from cs231n_viz.network.interception import UnknownOperationError

pytestmark = pytest.mark.usefixtures("one_thread")

PACKAGE = str(Path(viz.__file__).parent)
CLEAR = (ValueError, TypeError, KeyError, IndexError, UnknownOperationError)
SIDE, NAN = 24, float("nan")
X = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
STYLES = viz.load_fast_style()


def classifier() -> viz.Classifier:
    """It ends in a linear layer that takes pictures of one size only."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 3))
    return viz.wrap(network.eval(), ["ant", "bee", "cat"], input_size=SIDE)


MODEL = classifier()


def put(index: tuple, value: float) -> Tensor:
    images = X.clone()
    images[index] = value
    return images


IMAGES = {
    "None": None,
    "a name": "cat",
    "a number": 0.5,
    "a list": X.tolist(),
    "an array": X.numpy(),
    "a path": Path("cat.png"),
    "one picture": X[0],
    "a grey picture": X[:1, 0],
    "grey": X[:, :1],
    "channels last": X.permute(0, 2, 3, 1),
    "no picture": X[:0],
    "0 px": X[..., :0],
    "1 px": X[..., :1, :1],
    "another size": torch.rand(2, 3, 30, 20),
    "5000 px wide": torch.rand(1, 3, 4, 5000),
    "five axes": X[None],
    "uint8": (X * 255).byte(),
    "int64": (X * 255).long(),
    "bool": X > 0.5,
    "complex": X.to(torch.complex64),
    "0..255": X * 255,
    "normalised": (X - 0.45) / 0.22,
    "NaN": put((0, 0, 3, 3), NAN),
    "inf": put((0, 0, 3, 3), float("inf")),
    "sparse": X.to_sparse(),
    "meta": X.to("meta"),
}
TARGETS = {
    "None": None,
    "unknown": "dog",
    "too large": 3,
    "negative": -1,
    "1.0": 1.0,
    "NaN": NAN,
    "True": True,
    "three for two": [0, 1, 2],
    "a table": torch.zeros(2, 2, dtype=torch.long),
    "none": [],
    "names and none": ["ant", None],
    "a dict": {"ant": 1},
    "floats": torch.rand(2),
    "an array of floats": np.ones(2),
    "a function": len,
}
LAYERS = {"unknown": "conv9", "a number": 3, "None": None, "a list": ["0"], "empty": "", "bytes": b"0", "call": "0:7"}
COUNTS = {"0": 0, "negative": -3, "a name": "5", "None": [], "NaN": NAN, "a table": torch.ones(2, 2)}
QUIET = {"progress": False}


def below(value: object) -> object:
    """Where 0 is right, -1 is wrong."""
    return -1 if isinstance(value, int) and value == 0 else value


def no_value(value: object) -> object:
    """Where any number is right, NaN is wrong."""
    return NAN if isinstance(value, int) else value


# Function of (model, images, target) -> what it gives. Those are replaced by wrong ones in turn.
METHODS: dict[str, Callable] = {
    "saliency": viz.saliency,
    "gradient": viz.gradient,
    "gradient_times_input": viz.gradient_times_input,
    "guided_backprop": viz.guided_backprop,
    "deconvnet": viz.deconvnet,
    "smooth_grad": lambda m, x, t: viz.smooth_grad(m, x, t, samples=1),
    "integrated_gradients": lambda m, x, t: viz.integrated_gradients(m, x, t, steps=1),
    "expected_gradients": lambda m, x, t: viz.expected_gradients(m, x, t, baselines=X, samples=1),
    "occlusion": lambda m, x, t: viz.occlusion(m, x, t, window=8, stride=8, **QUIET),
    "grad_cam": lambda m, x, t: viz.grad_cam(m, x, t, "4"),
    "guided_grad_cam": lambda m, x, t: viz.guided_grad_cam(m, x, t, "4"),
    "lrp": viz.lrp,
    "deep_lift": viz.deep_lift,
    "fgsm": lambda m, x, t: viz.fgsm(m, x, t, 0.01),
    "fooling_image": lambda m, x, t: viz.fooling_image(m, x, t, steps=1, **QUIET).image,
    "randomization_test": lambda m, x, t: viz.scoring.randomization_test(m, x, t, viz.saliency),
    "deletion_insertion": lambda m, x, t: viz.scoring.deletion_insertion(m, x, t, torch.rand(2, SIDE, SIDE), steps=1),
    "completeness_error": lambda m, x, t: viz.completeness_error(m, x, t, X),
}
OF_PICTURES: dict[str, Callable] = {
    "model": lambda m, x: m(x),
    "predict": lambda m, x: m.predict(x, k=2),
    "activations": lambda m, x: viz.activations(m, x, ["4"]),
    "grams": lambda m, x: viz.grams(m, x, ["4"]),
    "transfer": lambda m, x: viz.transfer(m, x, ["ant", "bee"]),
    "deep_dream": lambda m, x: viz.deep_dream(m, x, "4", octaves=1, steps=1, **QUIET).image,
    "invert": lambda m, x: viz.invert(m, x, "4", steps=1, **QUIET).image,
    "pixels": lambda m, x: viz.Pixels(x)(),
    "fast style": lambda m, x: STYLES(x, torch.ones(len(STYLES.styles))),
    "psnr": lambda m, x: viz.psnr(x, X),
    "total_variation": lambda m, x: viz.total_variation(x),
    "match_histogram": lambda m, x: viz.match_histogram(x, X[:1]),
}
OF_LAYERS: dict[str, Callable] = {
    "activations": lambda layer: viz.activations(MODEL, X, [layer]),
    "grad_cam": lambda layer: viz.grad_cam(MODEL, X, 1, layer),
    "guided_grad_cam": lambda layer: viz.guided_grad_cam(MODEL, X, 1, layer),
    "guided_backprop": lambda layer: viz.guided_backprop(MODEL, X, neuron=(layer, 0, 0, 0)),
    "deconvnet": lambda layer: viz.deconvnet(MODEL, X, neuron=(layer, 0, 0, 0)),
    "lrp_layers": lambda layer: viz.lrp_layers(MODEL, X, 1, [layer]),
    "grams": lambda layer: viz.grams(MODEL, X, [layer]),
    "features": lambda layer: viz.features(MODEL, [(X[0], 0)], layer, **QUIET),
    "top_patches": lambda layer: viz.top_patches(MODEL, [(X[0], 0)], layer, k=1, **QUIET).values,
    "receptive_field": lambda layer: viz.receptive_field(MODEL, layer),
    "layer": lambda layer: MODEL.layer(layer),
    "deep_dream": lambda layer: viz.deep_dream(MODEL, X, layer, octaves=1, steps=1, **QUIET).image,
    "invert": lambda layer: viz.invert(MODEL, X[:1], layer, steps=1, **QUIET).image,
    "channel": lambda layer: viz.objectives.channel(MODEL, layer, 0)(X),
    "bytes_per_pixel": lambda layer: viz.bytes_per_pixel(MODEL, [layer]),
}
OF_NUMBERS: dict[str, Callable] = {
    "samples": lambda n: viz.smooth_grad(MODEL, X, 1, samples=n),
    "noise": lambda n: viz.smooth_grad(MODEL, X, 1, samples=1, noise=below(n)),
    "steps": lambda n: viz.integrated_gradients(MODEL, X, 1, steps=n),
    "expected samples": lambda n: viz.expected_gradients(MODEL, X, 1, baselines=X, samples=n),
    "window": lambda n: viz.occlusion(MODEL, X, 1, window=n, **QUIET),
    "stride": lambda n: viz.occlusion(MODEL, X, 1, window=8, stride=n, **QUIET),
    "batch": lambda n: viz.occlusion(MODEL, X, 1, window=8, batch=n, **QUIET),
    "epsilon": lambda n: viz.fgsm(MODEL, X, 1, below(n)),
    "lr": lambda n: viz.fooling_image(MODEL, X, 1, lr=n, steps=1, **QUIET).image,
    "attack steps": lambda n: viz.fooling_image(MODEL, X, 1, steps=below(n), **QUIET).image,
    "curve steps": lambda n: viz.scoring.deletion_insertion(MODEL, X, 1, X, steps=n),
    "k": lambda n: MODEL.predict(X, k=n),
    "octaves": lambda n: viz.deep_dream(MODEL, X, "4", octaves=n, steps=1, **QUIET).image,
    "restarts": lambda n: viz.invert(MODEL, X[:1], "4", restarts=n, steps=1, **QUIET).image,
    "patches": lambda n: viz.top_patches(MODEL, [(X[0], 0)], "4", k=n, **QUIET).values,
    "baseline": lambda n: viz.deep_lift(MODEL, X, 1, baseline=no_value(n)),
    "start": lambda n: viz.integrated_gradients(MODEL, X, 1, baseline=no_value(n), steps=1),
    "ascent steps": lambda n: viz.class_visualization(MODEL, 1, steps=below(n), **QUIET).image,
}
# Right for some: networks of any size, doors that take a name or one picture, and no picture at all.
FINE = {
    "model": {"no picture"},
    "predict": {"a name", "a list", "an array", "one picture", "a grey picture", "another size"},
    "activations": {"another size"},
    "grams": {"another size"},
    "transfer": {"another size", "1 px"},
    "deep_dream": {"one picture", "another size"},
    "invert": {"one picture", "another size"},
    "pixels": {"grey", "1 px", "another size", "5000 px wide", "channels last"},
    "fast style": {"another size", "no picture"},
    "total_variation": {"grey", "another size", "5000 px wide", "channels last", "0..255", "normalised"},
    "match_histogram": {"another size", "1 px", "5000 px wide"},
}
# Of Python's and torch's own about a value that nobody has looked at.
OBSCURE = ("not supported", "unsupported operand", "can only concatenate", "cannot be interpreted", "not iterable",
           "'NoneType'", "object has no", "ambiguous", "not subscriptable", "not callable")  # fmt: skip


def wrong_calls() -> Iterator[tuple[str, str, Callable]]:
    """All wrong calls, as (function, what is wrong, call)."""
    for name, method in METHODS.items():
        for wrong, images in IMAGES.items():
            yield name, wrong, lambda method=method, images=images: method(MODEL, images, 1)
        for wrong, targets in TARGETS.items():
            yield name, wrong, lambda method=method, targets=targets: method(MODEL, X, targets)
    for name, method in OF_PICTURES.items():
        for wrong, images in IMAGES.items():
            yield name, wrong, lambda method=method, images=images: method(MODEL, images)
    for table, values in ((OF_LAYERS, LAYERS), (OF_NUMBERS, COUNTS)):
        for name, call in table.items():
            for wrong, value in values.items():
                yield name, wrong, lambda call=call, value=value: call(value)


def judged(call: Callable) -> tuple[str, str]:
    """How a wrong call ends, and what it says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except CLEAR as error:
        innermost = traceback.extract_tb(error.__traceback__)[-1].filename
        ours = innermost.startswith(PACKAGE) and not any(words in str(error) for words in OBSCURE)
        return "clear" if ours and len(str(error)) > 20 else "obscure", f"{type(error).__name__}: {error}"[:150]
    except Exception as error:
        return "obscure", f"{type(error).__name__}: {error}"[:150]
    return "silent", f"gives {type(result).__name__}"


@pytest.mark.slow
def test_every_wrong_argument_is_one_clear_error():
    counts, bad = Counter(), []
    for name, wrong, call in wrong_calls():
        if wrong in FINE.get(name, ()):
            continue
        verdict, said = judged(call)
        counts[verdict] += 1
        if verdict != "clear":
            bad.append(f"{verdict}: {name}({wrong}): {said}")
    assert not bad, "\n".join(bad)
    assert counts["clear"] > 1000
