"""Load classifiers: those that ship with the course, EfficientNet-Lite0, torchvision's, and your own.

Each is a ``Classifier``, which takes RGB images in [0, 1] and knows its categories and its layers.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cs231n_viz.network import efficientnet
from cs231n_viz.network.checks import check_images, check_inputs, check_logits
from cs231n_viz.network.interception import SHAPES, EachOperation, noticing_dropout
from cs231n_viz.network.layers import Layer, trace_layers
from cs231n_viz.network.running import Wrapper, evaluating, is_compiled, outside_inference_mode
from cs231n_viz.network.shipped import ARCHITECTURES, fetch, fill, read_facts, read_state, weights_file
from cs231n_viz.pictures.images import centre_square, load_image

# How torchvision builds those of its networks that are built differently for trained weights.
_TRAINED = {name: {"transform_input": True, "init_weights": False} for name in ("googlenet", "inception_v3")}
# The published files of DenseNets use names of layers that PyTorch no longer allows: norm.1 is now norm1.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


# What torch says where a picture is of a size that the network cannot take.
_WRONG_SIZE = ("cannot be multiplied", "too small", "can't be greater", "must match", "invalid for input of size")
_GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue in luma, ITU-R BT.601


class Classifier(Wrapper):
    """A network that turns images in [0, 1] into logits, one per category.

    Images are RGB, or have as many channels as ``mean`` has numbers: one for a network of grey pictures.

    Attributes:
        network: The bare network; it gets normalised images, and its submodules give the layers their names.
        categories: Name of every logit.
        input_size: Side in pixels of the square pictures that ``prepare`` makes.
        name: The name that it was loaded by.
    """

    def __init__(
        self,
        network: nn.Module,
        categories: Sequence[str],
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        input_size: int = 224,
        name: str = "",
    ) -> None:
        super().__init__()
        if not len(mean) == len(std) > 0 or not min(std) > 0:
            wanted = "as many numbers as the pictures have channels, std above 0"
            raise ValueError(f"mean and std must be {wanted}; got mean={mean}, std={std}")
        self.network = network
        self.categories = list(categories)
        self.input_size = input_size
        self.name = name or type(network).__name__
        with outside_inference_mode():
            self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
            self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))
        self.training = network.training  # its own alone: a network may have frozen batch norms
        self._layers: list[Layer] = []
        self._traced: list[tuple[str, nn.Module]] = []  # the modules that the network had then

    def forward(self, images: Tensor) -> Tensor:
        """Score images.

        Args:
            images: (N, 3, H, W), RGB in [0, 1]; computed in the type of the network's weights.

        Returns:
            Logits, (N, K), in the type of ``images``.

        Raises:
            TypeError: If the network does not return a tensor.
            ValueError: If ``images`` has another shape, size or type than the network takes, or they are clearly not
                in [0, 1].
        """
        check_inputs(images, len(self.mean), self.mean.device)
        pixels = self.normalised(images)
        try:
            outputs = self.network(pixels)
        except RuntimeError as error:
            self._explain(error, images)
            raise
        outputs = self.logits_of(outputs)
        return outputs if pixels.dtype == images.dtype else outputs.to(images.dtype)

    def normalised(self, images: Tensor) -> Tensor:
        """Subtract the mean and divide by the standard deviation: what the bare network gets, in its own type."""
        pixels = (images - self.mean) / self.std
        own = next(self.network.parameters(), self.mean).dtype
        return pixels.to(own) if pixels.dtype != own and own.is_floating_point else pixels

    def logits_of(self, outputs: Tensor) -> Tensor:
        """Make the logits (N, K) of what the network returns: 0 and x of a single x, whose sigmoid is a softmax then.

        Raises:
            TypeError: If the network does not return a tensor.
        """
        if len(self.categories) == 2 and isinstance(outputs, Tensor) and outputs.shape[1:].numel() == 1:
            outputs = outputs.reshape(-1, 1)
            return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        return check_logits(outputs, self)

    def _explain(self, error: RuntimeError, images: Tensor) -> None:
        """Raise a better error if this one comes from the size of the pictures."""
        (height, width), side = images.shape[-2:], self.input_size
        reason = str(error).partition("\n")[0]
        if (height, width) != (side, side) and any(words in reason for words in _WRONG_SIZE):
            raise ValueError(
                f"{self.name} cannot take images of {width} × {height} pixels ({reason}); model.prepare(image) makes "
                f"them {side} × {side}"
            ) from error

    def index(self, category: str) -> int:
        """Return the index of a category, ignoring case.

        Raises:
            KeyError: If there is no such category; names the closest.
        """
        lower = [name.lower() for name in self.categories]
        if category in self.categories:
            return self.categories.index(category)
        if category.lower() in lower:
            return lower.index(category.lower())
        close = get_close_matches(category.lower(), lower, n=3, cutoff=0.4)
        names = ", ".join(repr(self.categories[lower.index(name)]) for name in close)
        raise KeyError(f"{self.name} has no category {category!r}; close names: {names or 'none'}")

    def prepare(self, images: Any) -> Tensor:
        """Resize and crop pictures to the input size, as one batch on the model's device.

        Args:
            images: Anything that ``load_image`` takes, a list of such things, or (N, 3, H, W) in [0, 1].

        Returns:
            (N, 3, S, S), RGB in [0, 1]; (N, 1, S, S), grey, if that is what the network takes.

        Raises:
            ImageError: If a picture cannot be read.
            ValueError: If the list is empty, or the network takes neither RGB nor grey.
        """
        channels = len(self.mean)
        if channels not in (1, 3):
            raise ValueError(f"prepare makes pictures of 1 or 3 channels, and {self.name} takes {channels}")
        several = isinstance(images, list | tuple) or (isinstance(images, Tensor) and images.ndim == 4)
        pictures = list(images) if several else [images]
        if not pictures:
            raise ValueError("prepare was given an empty list; it needs at least one picture")
        batch = torch.cat([centre_square(load_image(picture), self.input_size) for picture in pictures])
        if channels == 1:
            batch = torch.tensordot(batch, batch.new_tensor(_GREY), dims=([1], [0]))[:, None]
        return batch.clamp(0, 1).to(self.mean)

    @torch.no_grad()
    def predict(self, images: Any, k: int = 5) -> list[list[tuple[str, float]]]:
        """Predict the k most probable categories of each picture, most probable first.

        Args:
            images: (N, 3, H, W) in [0, 1], used as it is, or anything that ``prepare`` takes.
            k: Number of categories.

        Returns:
            For each picture a list of (category, softmax probability).

        Raises:
            ImageError: If a picture cannot be read.
            ValueError: If ``k`` is below 1 or above the number of categories, or the images are not in [0, 1].
        """
        if not (isinstance(k, int) and 1 <= k <= len(self.categories)):
            raise ValueError(f"k must be from 1 to {len(self.categories)}, got {k!r}")
        batch = isinstance(images, Tensor) and images.ndim == 4
        images = check_images(images, self) if batch else self.prepare(images)
        with evaluating(self):
            top = self(images).softmax(1).topk(k)
        rows = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return [[(self.categories[i], p) for i, p in zip(*row, strict=True)] for row in rows]

    def layers(self) -> list[Layer]:
        """List the layers in order of execution, each a ``Layer``, for a picture of the input size."""
        modules = list(self.network.named_modules())
        same = len(modules) == len(self._traced) and all(
            name == old and module is before
            for (name, module), (old, before) in zip(modules, self._traced, strict=True)
        )
        if not same:  # the first time, or after a part of the network was replaced
            image = torch.zeros(1, len(self.mean), self.input_size, self.input_size).to(self.mean)
            self._layers, self._traced = trace_layers(self, image), modules
        return list(self._layers)

    def layer(self, name: str) -> Layer:
        """Look up one layer by name.

        Raises:
            KeyError: If there is no such layer; names the closest.
        """
        if not isinstance(name, str):
            raise TypeError(f"a layer must be a name from model.layers(), got {name!r:.60}")
        layers = {layer.name: layer for layer in self.layers()}
        if name not in layers:
            close = get_close_matches(name, layers, n=3, cutoff=0.3)
            raise KeyError(f"{self.name} has no layer {name!r}; close names: {', '.join(close) or 'none'}")
        return layers[name]

    def extra_repr(self) -> str:
        """Make the line that ``print(model)`` shows first."""
        return f"name={self.name!r}, categories={len(self.categories)}, input_size={self.input_size}"


def wrap(
    module: nn.Module,
    categories: Sequence[str],
    *,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    input_size: int = 224,
) -> Classifier:
    """Wrap a network of your own as a ``Classifier``.

    Args:
        module: Takes normalised images (N, C, H, W), returns logits (N, K). It is used, not copied, and keeps the
            mode of each of its parts. One that returns a single logit x for each image, (N,) or (N, 1), counts as one
            with the two logits 0 and x.
        categories: K names; of a single logit two, what x < 0 and what x > 0 means.
        mean: Mean of each channel, which is subtracted from images in [0, 1] before ``module``; as many numbers as
            the images have channels, one for grey ones.
        std: Standard deviation of each channel, which the difference is divided by.
        input_size: Side in pixels of the pictures it was trained on.

    Raises:
        TypeError: If the network does not return a tensor; names what it returns.
        ValueError: If the number of names is not the number of logits, or the network was compiled or built in
            inference mode.

    Warns:
        UserWarning: If the network ends in a softmax or sigmoid: attributions explain logits; or has a dropout that is
            on also in eval mode.
    """
    _check_plain(module)
    model = Classifier(module, categories, mean=mean, std=std, input_size=input_size)
    last = _LastOperation()
    with outside_inference_mode(), evaluating(model), torch.no_grad():
        parameter = next(module.parameters(), model.mean)
        model.mean, model.std = model.mean.to(parameter), model.std.to(parameter)
        with EachOperation(last.record):
            logits = model(torch.zeros(1, len(model.mean), input_size, input_size).to(parameter))
    if logits.shape != (1, len(model.categories)):
        got = f"(N, {len(model.categories)}) logits for these categories, got {tuple(logits.shape)}"
        raise ValueError(f"the network must return {got}")
    if len(model.categories) == 1:
        raise ValueError("one logit has two meanings: give two names, what it means below 0 and above")
    sums_to_one = logits.shape[1] > 1 and logits.min() >= 0 and abs(logits.double().sum().item() - 1) < 1e-3
    if sums_to_one or last.squashes:
        warnings.warn(
            f"{model.name} seems to return probabilities, not logits: leave out the softmax or sigmoid at its end, or "
            "gradients vanish where it is sure",
            stacklevel=2,
        )
    return model


def _check_plain(module: nn.Module) -> None:
    """Refuse what no method can look into or differentiate."""
    for each in module.modules():
        if is_compiled(each):
            raise ValueError("the network was compiled, and hooks do not see into it; wrap it before torch.compile")
    tensors = (*module.parameters(), *module.buffers())
    if any(not is_lazy(tensor) and tensor.is_inference() for tensor in tensors):
        raise ValueError("the network was built in torch.inference_mode and has no gradients; build it outside of it")


class _LastOperation:
    """Notices whether the last operation on numbers was a sigmoid or softmax."""

    squashes = False

    def record(self, name: str, function: Callable, args: tuple, kwargs: dict) -> object:
        """Run an operation."""
        result = noticing_dropout(name, function, args, kwargs)
        if isinstance(result, Tensor) and name not in SHAPES:
            self.squashes = name in ("sigmoid", "softmax")
        return result


def offline_models() -> list[str]:
    """List the models that need no download: those that ship, and EfficientNet-Lite0 where its package is installed."""
    return [*ARCHITECTURES, *([efficientnet.NAME] if efficientnet.is_installed() else [])]


def load_model(name: str, *, weights: str | Path | None = "DEFAULT", seed: int = 0) -> Classifier:
    """Load a network by name, in eval mode, its parameters frozen.

    Args:
        name: ``"mini_alexnet"`` or ``"mini_vgg"``, which ship with the course; ``"efficientnet_lite0"``, which knows
            the classes of ImageNet; or any of torchvision's classifiers, for example ``"resnet18"``.
        weights: ``"DEFAULT"`` for trained weights (those of EfficientNet-Lite0 are in a package of their own, and
            torchvision downloads and caches its own), None for random ones, or the path of a safetensors file or a
            state dict for this network.
        seed: Random seed for the random weights.

    Returns:
        The model.

    Raises:
        ValueError: If there is no model of that name; names the closest.
        WeightsError: If the weights are not installed, cannot be downloaded, are damaged, or belong to another network.
    """
    own = {**dict.fromkeys(ARCHITECTURES, _load_mini), efficientnet.NAME: _load_efficientnet}
    if name not in own:
        _check_known(name, [*own])
    load = own.get(name, _load_torchvision)
    with (
        outside_inference_mode(),
        torch.random.fork_rng(devices=[]),
    ):  # layers are initialised by torch's global generator
        torch.manual_seed(seed)
        model = load(name, weights)
    return model.eval().requires_grad_(False)


def _check_known(name: str, own: list[str]) -> None:
    from torchvision import models  # takes longer to import than the whole package

    known = [*own, *models.list_models(module=models)]
    if name not in known:
        close = get_close_matches(name, known, n=4, cutoff=0.3)
        raise ValueError(f"there is no model {name!r}; close names: {', '.join(close) or 'none'}")


def _load_mini(name: str, weights: str | Path | None) -> Classifier:
    shipped = weights_file(f"{name}.safetensors")
    facts = read_facts(shipped, "classifier")
    network = ARCHITECTURES[name](len(facts["categories"]))
    if weights is None:
        _randomise(network)
    else:
        fill(network, read_state(shipped if weights == "DEFAULT" else Path(weights)), name)
    return Classifier(network, **facts, name=name)


def _load_efficientnet(name: str, weights: str | Path | None) -> Classifier:
    from torchvision.models import MobileNet_V2_Weights

    network = efficientnet.efficientnet_lite0()
    if weights is not None:
        file = efficientnet.packaged_weights() if weights == "DEFAULT" else Path(weights)
        fill(network, efficientnet.renamed(read_state(file)), name)
    categories = MobileNet_V2_Weights.DEFAULT.meta["categories"]  # ImageNet's, in their usual order
    return Classifier(network, categories, mean=[efficientnet.MEAN] * 3, std=[efficientnet.STD] * 3, name=name)


def _load_torchvision(name: str, weights: str | Path | None) -> Classifier:
    from torchvision import models

    entry = models.get_model_weights(name).DEFAULT
    if weights == "DEFAULT":
        # Not by torchvision's own `weights=entry`, which unpickles the file and so runs any code in it.
        state = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in read_state(fetch(name, entry)).items()}
        network = models.get_model(name, weights=None, **_TRAINED.get(name, {}))
        fill(network, state, name)
        if name == "googlenet":  # its auxiliary heads were not trained
            network.aux_logits, network.aux1, network.aux2 = False, None, None
    else:
        extra = {"init_weights": True} if name in _TRAINED else {}
        network = models.get_model(name, weights=None, **extra)
        if weights is not None:
            fill(network, read_state(Path(weights)), name)
    transforms = entry.transforms()
    return Classifier(
        network,
        entry.meta["categories"],
        mean=transforms.mean,
        std=transforms.std,
        input_size=transforms.crop_size[0],
        name=name,
    )


def _randomise(network: nn.Module) -> None:
    """Initialise all weights so that the variance of activations stays the same from layer to layer (He et al.).

    Source: He et al., "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852, eq. 10.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
