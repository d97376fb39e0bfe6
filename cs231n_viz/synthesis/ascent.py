"""Gradient ascent on a picture: ``ascend``, the one loop of all synthesis, and ``Ascent``, what the recipes return.

Class visualisation, fooling images, DeepDream, feature inversion, texture and style differ in three things only: the
*objective* (a function from images to a number), the *parameterisation* (what is optimised, and how a picture is made
of it) and the *start*. The loop is the same, and it yields, so that whoever runs it may watch, pause, or stop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cs231n_viz.network.checks import check_numbers, check_whole
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.progress import Watched

Objective = Callable[[Tensor], Tensor]
After = Callable[[nn.Module, list[Tensor], int], None]
Rule = Literal["adam", "plain", "unit", "mean", "sign", "lbfgs"]

_HISTORY = 20  # steps that L-BFGS remembers
LBFGS_COPIES = 2 * _HISTORY  # so many more copies of the parameters take memory: steps, and changes of the gradient


class Step(NamedTuple):
    """One iterate: how many steps were made, the objective's value, and the picture (N, 3, H, W), detached."""

    index: int
    score: float
    image: Tensor


class AscentError(RuntimeError):
    """The optimisation cannot go on: the objective is dead or not a number. The message says what to try."""


@dataclass(frozen=True)
class Update:
    """How a step is made of the gradient. What is None is left to the recipe.

    Attributes:
        rule: The update rule, see :func:`ascend`.
        lr: Learning rate: the length of a step, in units of the rule.
    """

    rule: Rule | None = None
    lr: float | None = None

    def resolved(self, rule: Rule, lr: float) -> dict[str, Rule | float]:
        """The learning rate and the rule, as :func:`ascend` takes them, with defaults for what is None."""
        return {"lr": lr if self.lr is None else self.lr, "rule": self.rule or rule}


DEFAULT_UPDATE = Update()


def ascend(
    image_of: nn.Module,
    objective: Objective,
    *,
    steps: int = 256,
    lr: float = 0.05,
    rule: Rule = "adam",
    after: After | None = None,
) -> Iterator[Step]:
    """Optimise a picture by gradient ascent, so that an objective rises, and yield every step.

    Args:
        image_of: A parameterisation: a module without inputs that makes the picture out of its parameters. If it has
            a method ``project``, that is called after each step, to project the parameters onto the allowed set.
        objective: Image (N, 3, H, W) -> scalar. Penalties and random transformations belong in here.
        steps: Number of steps; ``steps + 1`` pictures are yielded, the first one is the start.
        lr: Learning rate: the length of a step, in units of the rule.
        rule: What a step adds to the parameters, g being the gradient: ``"plain"`` lr·g; ``"unit"`` lr·g/‖g‖ for
            each picture, so that lr is an L2 length; ``"mean"`` lr·g/mean|g|; ``"sign"`` lr·sign(g); ``"adam"`` and
            ``"lbfgs"`` torch's optimizers.
        after: Called as ``after(image_of, gradients, index)`` after each step, for regularisers that are not terms of
            the objective.

    Yields:
        Steps, the last with ``index == steps``.

    Raises:
        ValueError: If the rule, ``steps`` or ``lr`` makes no sense, or nothing depends on the parameters.
        AscentError: If the score is not a number, or no parameter changes it at the start.

    Example:
        >>> *_, last = ascend(Pixels(photo), lambda image: model(image)[:, 7].sum(), steps=20, lr=0.5, rule="unit")
    """
    parameters = [parameter for parameter in image_of.parameters() if parameter.requires_grad]
    check_whole(steps=steps)
    check_numbers(lr=lr)
    if steps < 0 or not lr > 0:
        raise ValueError(f"wanted steps >= 0 and lr > 0, got steps={steps} and lr={lr}")
    stages = _steps(image_of, objective, _optimizer(rule, parameters, lr), steps=steps, after=after)
    while True:
        with outside_inference_mode():
            step = next(stages, None)
        if step is None:
            return
        yield step


def _steps(
    image_of: nn.Module, objective: Objective, optimizer: torch.optim.Optimizer, *, steps: int, after: After | None
) -> Iterator[Step]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index in range(steps + 1):
        with torch.enable_grad():
            image = image_of()
            score = objective(image)
        _check_score(score, index)
        gradients = _gradients(score, parameters, index) if index < steps else []
        yield Step(index, score.item(), image.detach().clone())  # a parameterisation may hand out its parameter
        if index < steps:
            _move(optimizer, parameters, gradients, score)
            with torch.no_grad():
                if after is not None:
                    after(image_of, gradients, index)
                if hasattr(image_of, "project"):
                    image_of.project()


def ascend_carefully(
    image_of: nn.Module, objective: Objective, *, steps: int, lr: float, rule: Rule, careful: int, short: float
) -> Iterator[Step]:
    """Optimise as :func:`ascend` does, but warm L-BFGS up by a few short steps of Adam.

    L-BFGS makes no line search here: its first steps may leap to black and white, and where the picture of a spectrum
    is saturated, the gradient vanishes.

    Args:
        image_of: As for :func:`ascend`.
        objective: As for :func:`ascend`.
        steps: Number of all steps, those of Adam included.
        lr: As for :func:`ascend`.
        rule: As for :func:`ascend`; only ``"lbfgs"`` is warmed up.
        careful: Number of steps of Adam, of which at most a quarter of all steps is made.
        short: Their learning rate.
    """
    first = min(careful, steps // 4) if rule == "lbfgs" else 0
    if first:
        for step in ascend(image_of, objective, steps=first, lr=short):
            if step.index < first:  # the next ascent shows the last picture as its first
                yield step
    for step in ascend(image_of, objective, steps=steps - first, lr=lr, rule=rule):
        yield step._replace(index=first + step.index)


class Ascent(Watched[Step]):
    """The steps of an optimisation one by one, or its end result: what the recipes return.

    Iterate over it to watch; ``.image`` and ``.score`` make the steps that are left and give the last ones. It can
    be left at any time: ``.latest`` is what was reached.

    Args:
        steps: The steps, as ``ascend`` yields them.
        total: Number of steps that will be yielded, the start included.
        settings: What the picture was made with, to be saved beside it.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Attributes:
        scores: The objective's value after each step so far.
    """

    def __init__(
        self, steps: Iterator[Step], total: int, *, settings: dict[str, object] | None = None, progress: bool = True
    ) -> None:
        super().__init__(steps, total, settings=settings, progress=progress)
        self.scores: list[float] = []

    @outside_inference_mode()
    def __next__(self) -> Step:
        step = super().__next__()
        self.scores.append(step.score)
        return step

    def _show(self, bar: tqdm) -> None:
        super()._show(bar)
        bar.set_postfix_str(f"score {self.latest.score:.4g}", refresh=False)

    @property
    def image(self) -> Tensor:
        """The final picture, (N, 3, H, W) in [0, 1]."""
        return self.finish().image

    @property
    def score(self) -> float:
        """The objective's value for the final picture."""
        return self.finish().score


class _GradientStep(torch.optim.Optimizer):
    """Plain gradient steps, whose length a rule normalises."""

    def __init__(self, parameters: list[Tensor], lr: float, rule: str) -> None:
        super().__init__(parameters, {"lr": lr})
        self.direction = _DIRECTIONS[rule]

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> None:
        closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * self.direction(parameter.grad)


def _each(gradient: Tensor, size: Callable[[Tensor], Tensor]) -> Tensor:
    """Divide each picture's gradient by its own size; a gradient of 0 stays 0."""
    sizes = size(gradient.flatten(1)).clamp_min(torch.finfo(gradient.dtype).tiny)
    return gradient / sizes.view(-1, *[1] * (gradient.ndim - 1))


_DIRECTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda gradient: gradient,
    "unit": lambda gradient: _each(gradient, lambda rows: rows.norm(dim=1)),
    "mean": lambda gradient: _each(gradient, lambda rows: rows.abs().mean(dim=1)),
    "sign": torch.sign,
}


def _optimizer(rule: str, parameters: list[Tensor], lr: float) -> torch.optim.Optimizer:
    if not parameters:
        raise ValueError("the parameterisation has no parameter to change; Pixels(image) makes one of a picture")
    if rule == "adam":
        return torch.optim.Adam(parameters, lr=lr)
    if rule == "lbfgs":  # one evaluation a step, so that every one of them is seen
        return torch.optim.LBFGS(
            parameters, lr=lr, max_iter=1, history_size=_HISTORY, tolerance_grad=0.0, tolerance_change=0.0
        )
    if rule not in _DIRECTIONS:
        raise ValueError(f"rule must be one of adam, lbfgs, {', '.join(_DIRECTIONS)}; got {rule!r}")
    return _GradientStep(parameters, lr, rule)


def _check_score(score: Tensor, index: int) -> None:
    if score.numel() != 1:
        raise ValueError(f"an objective must give one number, got {tuple(score.shape)}; sum it over the images")
    if not torch.isfinite(score):
        raise AscentError(f"the score is {score.item()} after {index} steps; try a smaller lr, or Pixels in [0, 1]")


def _gradients(score: Tensor, parameters: list[Tensor], index: int) -> list[Tensor]:
    if not score.requires_grad:
        raise ValueError("the objective does not depend on the picture; was it computed under torch.no_grad()?")
    gradients = list(torch.autograd.grad(score, parameters))
    if not all(torch.isfinite(gradient).all() for gradient in gradients):
        raise AscentError(f"the gradient is not finite after {index} steps; try a smaller lr")
    if index == 0 and not any(gradient.any() for gradient in gradients):
        raise AscentError(
            "the objective is dead: no pixel changes it at the start, as after a ReLU whose output is 0; try "
            "redirected(objective), another start or seed, or the layer before the ReLU"
        )
    return gradients


def _move(optimizer: torch.optim.Optimizer, parameters: list[Tensor], gradients: list[Tensor], score: Tensor) -> None:
    """Make one step of ascent: torch's optimizers minimise, so they get everything with the other sign."""

    def closure() -> Tensor:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            # In the parameter's own memory order: L-BFGS views gradients as one flat row.
            parameter.grad = torch.empty_like(parameter).copy_(gradient).neg_()
        return -score.detach()

    optimizer.step(closure)
    for parameter in parameters:
        parameter.grad = None
