"""Measure how exact the attributions are, ours and the peers', in float64: ``python -m benchmarks.exactness``.

The networks of ``tests/explicit.py`` with random weights, one random picture, one class. Gradients, guided backprop,
deconvnet and Grad-CAM are compared with the explicit backward pass; the sum of integrated gradients or DeepLIFT with
the difference of the logits; the sum of LRP with the logit. Writes the table into README.md beside this file.
"""

import argparse
import copy
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import Tensor

import cs231n_viz as viz
from benchmarks.peers import PEERS, STEPS, Peer
from cs231n_viz.network.models import Classifier
from tests.explicit import NETWORKS, Explicit, build, pictures, randomise, relative_error

CLASSES = 10
BEGIN, END = "<!-- exactness begins -->", "<!-- exactness ends -->"
PACKAGES = ("captum", "grad-cam", "torchcam", "zennit")
FITTED = "integrated gradients, fitted weights"
METHODS = ("gradient", "guided backprop", "deconvnet", "Grad-CAM", "integrated gradients", FITTED, "DeepLIFT", "LRP")
OURS: dict[str, Peer] = {
    "gradient": lambda model, images, layer, target: viz.gradient(model, images, target),
    "guided backprop": lambda model, images, layer, target: viz.guided_backprop(model, images, target),
    "deconvnet": lambda model, images, layer, target: viz.deconvnet(model, images, target),
    "Grad-CAM": lambda model, images, layer, target: viz.grad_cam(model, images, target, layer),
    "integrated gradients": lambda model, images, layer, target: viz.integrated_gradients(
        model, images, target, steps=STEPS
    ),
    FITTED: lambda model, images, layer, target: viz.integrated_gradients(
        model, images, target, steps=STEPS, complete=True
    ),
    "DeepLIFT": lambda model, images, layer, target: viz.deep_lift(model, images, target),
    "LRP": lambda model, images, layer, target: viz.lrp(model, images, target, "gamma"),
}


def prepared(name: str, side: int) -> tuple[Classifier, Tensor]:
    network = randomise(build(name, wide=False)).requires_grad_(False)
    model = Classifier(network, [str(row) for row in range(10)], name=name).double().eval()
    return model, pictures(1, side)


def errors(name: str) -> dict[str, dict[str, str]]:
    """Method -> package -> error, for one network."""
    side, layer = NETWORKS[name]
    model, images = prepared(name, side)
    explicit = Explicit(model, images)
    target = next(row for row in range(CLASSES) if grad_cam(explicit, layer, row).max() > 0)
    error_of = error_functions(model, images, layer, target)
    table: dict[str, dict[str, str]] = {}
    for method in METHODS:
        table[method] = {"ours": f"{error_of[method](OURS[method](model, images, layer, target)):.0e}"}
        for peer in PACKAGES:
            run = PEERS.get((method, peer))
            # A peer may change a network: each gets a copy.
            inputs = copy.deepcopy(model), images.clone(), layer, target
            table[method][peer] = "n/a" if run is None else attempt(run, inputs, error_of[method])
    return table


def attempt(run: Peer, inputs: tuple, error_of: Callable[[Tensor], float]) -> str:
    """The error of a peer, or the name of what it raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f"{error_of(torch.as_tensor(run(*inputs)).detach()):.0e}"
    except Exception as error:
        return type(error).__name__


def grad_cam(explicit: Explicit, layer: str, target: int) -> Tensor:
    gradients = explicit.gradient("plain", torch.tensor([target]))[explicit.layer(layer)]
    return (gradients.mean((2, 3), keepdim=True) * explicit.value(layer)).sum(1).clamp_min(0)


def error_functions(model: Classifier, images: Tensor, layer: str, target: int) -> dict[str, Callable[[Tensor], float]]:
    """Method -> a function that computes the relative error of an attribution."""
    explicit = Explicit(model, images)
    logit = explicit.logits[0, target]
    rise = logit - Explicit(model, torch.zeros_like(images)).logits[0, target]
    expected = {
        method: explicit.gradient(rule, torch.tensor([target]))["pixels"]
        for method, rule in (("gradient", "plain"), ("guided backprop", "guided"), ("deconvnet", "deconv"))
    }
    expected["Grad-CAM"] = grad_cam(explicit, layer, target)
    errors = {method: lambda result, method=method: compared(result, expected[method]) for method in expected}
    for method in ("integrated gradients", FITTED, "DeepLIFT"):
        errors[method] = lambda result: ((result.sum() - rise) / rise).abs().item()
    errors["LRP"] = lambda result: ((result.sum() - logit) / logit).abs().item()
    return errors


def compared(result: Tensor, expected: Tensor) -> float:
    """Relative error; some peers return a result without the dimension of the batch."""
    return relative_error(result.view(expected.shape), expected)


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def table(names: list[str]) -> str:
    """The table in Markdown: a row per network and method, a column per package."""
    titles = " | ".join(f"{package} {installed(package)}" for package in PACKAGES)
    lines = [f"{len(names)} networks, random weights, float64, PyTorch {torch.__version__.split('+')[0]}.", ""]
    lines += [f"| network | method | ours | {titles} |", "|---|---|" + "---:|" * (1 + len(PACKAGES))]
    for name in names:
        for method, row in errors(name).items():
            lines.append(f"| {name} | {method} | {' | '.join(row[column] for column in ('ours', *PACKAGES))} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "networks", nargs="*", default=list(NETWORKS), help="some networks; all, and README, if omitted"
    )
    names = parser.parse_args().networks
    written = table(names)
    if names == list(NETWORKS):
        readme = Path(__file__).with_name("README.md")
        before, after = readme.read_text().split(BEGIN)[0], readme.read_text().split(END)[1]
        readme.write_text(f"{before}{BEGIN}\n{written}\n{END}{after}")


if __name__ == "__main__":
    main()
