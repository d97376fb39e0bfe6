"""Targeted adversarial examples (white box): pictures changed so little that only the network sees another class.

The loop is ``ascend``, the start is a photograph, and the objective the log-odds of any class at all. What differs is
how a step is made of the gradient g: the rules ``"nearest"`` (DDN), ``"unit"`` (normalised gradient) and ``"sign"``
(iterated FGSM) of :func:`fooling_image`, and the single step of :func:`fgsm`.
"""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_images, check_logits, check_numbers, check_targets, check_whole
from cs231n_viz.network.gradients import differentiate
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.synthesis.ascent import Ascent, Step, ascend
from cs231n_viz.synthesis.objectives import log_odds_of
from cs231n_viz.synthesis.parameterisation import Pixels

Rule = Literal["nearest", "unit", "sign"]
LEARNING_RATES = {"nearest": 1.0, "unit": 0.8, "sign": 1 / 510}  # chosen on 100 pairs at 224 px
# The norm of the perturbation of "nearest": its growth while the network is not fooled, its decay while it is, and its
# largest value in units of lr. And the learning rate of the direction.
_GROWTH, _DECAY, _LARGEST, _TURN = 1.3, 0.85, 24.0, 0.5


@outside_inference_mode()
def fooling_image(
    model: nn.Module,
    image: Tensor,
    target: Targets,
    *,
    steps: int = 30,
    lr: float | None = None,
    rule: Rule = "nearest",
    stop_when_fooled: bool | None = None,
    confidence: float | None = None,
    seed: int = 0,
    progress: bool = True,
) -> "Fooling":
    """Make targeted adversarial examples: add a small perturbation, so that the network sees a class of our choice.

    Args:
        model: Any classifier.
        image: (N, 3, H, W), RGB in [0, 1]: photographs, or ``start_noise(…)``. They are optimised side by side, each
            on its own.
        target: The class that each is to be taken for, one index or name, or (N,).
        steps: At most so many.
        lr: Learning rate, see ``rule``; if omitted, 1.0 for ``"nearest"``, 0.8 for ``"unit"``, 1 / 510 for ``"sign"``.
        rule: ``"unit"`` adds lr·g/‖g‖, g being the gradient of the log-odds of the target. ``"sign"`` adds
            lr·sign(g): iterated FGSM. ``"nearest"`` decouples direction and norm (DDN): the direction follows the
            gradient; the norm begins with lr, grows until the network is fooled, then shrinks to look for less.
        stop_when_fooled: End as soon as every picture is taken for its target. If omitted, ``"unit"`` and ``"sign"``
            do so, and ``"nearest"`` makes all its steps.
        confidence: Count a picture as fooled only if the probability of its target is at least this.
        seed: Only saved with the settings: nothing here is random.
        progress: Show a bar.

    Returns:
        An ascent with ``perturbation``, ``l2``, ``linf`` and ``flipped_at``; its score is the sum of the log-odds. A
        picture that is taken for its target already has ``flips`` 0 and, with the default settings, stays as it is.

    Raises:
        ValueError: If the images are not in [0, 1], the target is not a class, or an option makes no sense.

    Source: Szegedy et al., "Intriguing properties of neural networks", arXiv:1312.6199, section 4.1. The rules: Rony
        et al., arXiv:1811.09600 (``"nearest"``); Kurakin et al., arXiv:1607.02533 (``"sign"``).
    Differs from the paper: gradient steps instead of box-constrained L-BFGS, and no weighted norm in the objective.
    """
    if rule not in LEARNING_RATES:
        raise ValueError(f"rule must be one of {', '.join(LEARNING_RATES)}; got {rule!r}")
    lr = LEARNING_RATES[rule] if lr is None else lr
    check_numbers(lr=lr)
    check_whole(steps=steps)
    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    if not lr > 0 or not (confidence is None or 0 < confidence < 1):
        raise ValueError(f"wanted lr above 0 and a confidence between 0 and 1, got {lr} and {confidence}")
    start, targets = _prepared(model, image, target)
    nearest = rule == "nearest"
    stop = not nearest if stop_when_fooled is None else stop_when_fooled
    attack = _Attack(model, targets, confidence=confidence or 0.0, stop=stop, resting=stop and not nearest)
    if nearest:
        stages = ascend(_DirectionAndNorm(start, attack, lr), attack, steps=steps, lr=_TURN, rule="unit")
    else:
        stages = ascend(Pixels(start), attack, steps=steps, lr=lr, rule=rule)
    settings = {"target": targets.tolist(), "steps": steps, "lr": lr, "rule": rule, "confidence": confidence}
    settings |= {"seed": seed}
    return Fooling(stages, steps + 1, start=start, attack=attack, nearest=nearest, settings=settings, progress=progress)


@outside_inference_mode()
def fgsm(model: nn.Module, images: Tensor, targets: Targets, epsilon: float, *, towards: bool = True) -> Tensor:
    """Move every value of a picture by epsilon along the sign of the gradient: the fast gradient sign method (FGSM).

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,): the one that is wanted, or, if ``towards`` is False, the true class.
        epsilon: The most that a value may change; 1 / 255 is one level of an ordinary picture.
        towards: Targeted: raise the log-probability of the targets instead of lowering it.

    Returns:
        (N, 3, H, W), in [0, 1].

    Raises:
        ValueError: If the images are not in [0, 1], a target is not a class, or epsilon is negative.

    Source: Goodfellow, Shlens & Szegedy, "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572, section 4;
        the targeted variant is that of Kurakin et al., arXiv:1607.02533, section 2.3.
    """
    check_numbers(epsilon=epsilon)
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be at least 0, got {epsilon}")
    start, rows = _prepared(model, images, targets)
    gradient = differentiate(model, start, lambda x: log_odds_of(model(x), rows))  # signs as those of log p
    return (start + (epsilon if towards else -epsilon) * gradient.sign()).clamp(0, 1)


class Fooling(Ascent):
    """The steps towards an adversarial example, and its perturbation.

    With the rule ``"nearest"`` the picture of a step is the nearest one so far that fooled the network, and the present
    one until there is any.

    Attributes:
        start: The original pictures, (N, 3, H, W).
        flips_so_far: As ``flips``, after the steps that were made until now; -1 where there was none yet.
    """

    def __init__(
        self, steps: Iterator[Step], total: int, *, start: Tensor, attack: "_Attack", nearest: bool, **options: object
    ) -> None:
        super().__init__(self._judged(steps, attack, nearest), total, **options)
        self.start = start
        self.flips_so_far = torch.full((len(start),), -1)

    def _judged(self, steps: Iterator[Step], attack: "_Attack", nearest: bool) -> Iterator[Step]:
        """The best pictures so far, with their log-odds as the score; ends with the last step that is needed."""
        best, odds = self.start, torch.zeros(len(self.start))
        shortest = self.start.new_full((len(self.start),), torch.inf)  # length of the perturbation that fooled
        for step in steps:  # the attack has just evaluated the picture of this step
            self.flips_so_far[attack.fooled.cpu() & (self.flips_so_far < 0)] = step.index
            shorter = attack.arrived & ((length := _lengths(step.image - self.start)) < shortest)
            shortest = torch.where(shorter, length, shortest)
            take = shorter | shortest.isinf() if nearest else torch.ones_like(shorter)
            best = torch.where(_column(take), step.image, best)
            odds = torch.where(take, attack.odds, odds.to(attack.odds))
            done = attack.stop and not shortest.isinf().any()
            if done:
                self.total = step.index + 1
            yield Step(step.index, odds.sum().item(), best)
            if done:
                return

    @property
    def flips(self) -> Tensor:
        """The step at which each picture was first taken for its target, (N,); 0 at once, -1 never."""
        self.finish()
        return self.flips_so_far

    @property
    def flipped_at(self) -> int | None:
        """The step at which every picture had been taken for its target; None if one never was."""
        return None if (self.flips < 0).any() else int(self.flips.max())

    @property
    def perturbation(self) -> Tensor:
        """What was added to the pictures in the end, (N, 3, H, W), of both signs."""
        return self.image - self.start

    @property
    def l2(self) -> Tensor:
        """The L2 norm of each perturbation, (N,): the root of the sum of its squares over all pixels and channels."""
        return _lengths(self.perturbation)

    @property
    def linf(self) -> Tensor:
        """The L∞ norm of each perturbation, (N,): its largest value; one level of an ordinary picture is 1 / 255."""
        return self.perturbation.abs().flatten(1).amax(1)


def _prepared(model: nn.Module, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The pictures and one class for each, checked before anything is begun."""
    start = check_images(images, model).clone().clamp(0, 1)
    with evaluating(model), torch.no_grad():
        classes = check_logits(model(start[:1]), model).shape[1]
    return start, check_targets(targets, len(start), classes, model).to(start.device)


class _Attack:
    """The log-odds as an objective that remembers its last values, and lets pictures rest that have arrived.

    Attributes:
        odds: The log-odds of each picture, (N,).
        fooled: Whether the network takes each for its target, (N,).
        arrived: Whether it does so with the confidence that is asked for, (N,).
    """

    def __init__(
        self, model: nn.Module, targets: Tensor, *, confidence: float = 0.0, stop: bool = False, resting: bool = False
    ) -> None:
        self.model, self.targets, self.confidence = model, targets, confidence
        self.stop, self.resting = stop, resting
        self.odds = torch.zeros(len(targets), device=targets.device)
        self.fooled = self.arrived = torch.zeros_like(targets, dtype=torch.bool)

    def __call__(self, images: Tensor) -> Tensor:
        moving = ~self.arrived if self.resting else torch.ones_like(self.arrived)
        rows, targets = (images, self.targets) if moving.all() else (images[moving], self.targets[moving])
        with evaluating(self.model):
            logits = self.model(rows)  # a picture that rests is what it was, and so is all that is known of it
        odds, fooled = log_odds_of(logits, targets), logits.argmax(1) == targets
        arrived = fooled & (odds.detach().sigmoid() >= self.confidence)
        self.odds = self.odds.to(odds.dtype).masked_scatter(moving, odds.detach())
        self.fooled = self.fooled.masked_scatter(moving, fooled)
        self.arrived = self.arrived.masked_scatter(moving, arrived)
        if self.resting and not arrived.all():  # where all have arrived nothing moves any more
            odds = odds.masked_fill(arrived, 0)
        return odds.sum()


class _DirectionAndNorm(nn.Module):
    """A perturbation as a direction, which gradient ascent turns, and a norm, which follows from the attack's success.

    Source: Rony et al., "Decoupling Direction and Norm", CVPR 2019, arXiv:1811.09600, algorithm 1.
    Differs from the paper: the norm grows faster than it shrinks, so that 30 steps are enough, and each step turns
        the direction by the same angle at most.
    """

    def __init__(self, start: Tensor, attack: _Attack, norm: float) -> None:
        super().__init__()
        self.start, self.attack = start, attack
        self.direction = nn.Parameter(torch.zeros_like(start))  # of length 1 after the first step
        self.norm, self.largest = start.new_full((len(start),), norm / _GROWTH), _LARGEST * norm

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W) in [0, 1]."""
        return (self.start + _column(self.norm) * self.direction).clamp(0, 1)

    @torch.no_grad()
    def project(self) -> None:
        """Bring the direction back to length 1; shrink the norm if the network is fooled, and let it grow if not."""
        self.direction /= _column(_lengths(self.direction).clamp_min(1e-12))
        self.norm = (self.norm * torch.where(self.attack.arrived, _DECAY, _GROWTH)).clamp_max(self.largest)


def _lengths(pictures: Tensor) -> Tensor:
    return pictures.flatten(1).norm(dim=1)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
