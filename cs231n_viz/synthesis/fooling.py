"""How little does it take? Pictures that a network takes for something else, and nobody else does.

The loop is ``ascend``, the start is a photograph, and the objective is any class at all. What differs is how a step
is made of the gradient g: the rules ``"nearest"``, ``"unit"`` and ``"sign"`` of :func:`fooling_image`, and the single
step of :func:`fgsm`.
"""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_images, check_targets
from cs231n_viz.network.gradients import differentiate
from cs231n_viz.synthesis.ascent import Ascent, Objective, Step, ascend
from cs231n_viz.synthesis.parameterisation import Pixels

Rule = Literal["nearest", "unit", "sign"]
STEP = {"nearest": 1.0, "unit": 0.8, "sign": 1 / 510}  # the default lr of each rule, chosen on 100 pairs at 224 px
# Of "nearest": how the radius changes while not fooled and while fooled, its most in units of lr, and how far each step
# turns the direction.
_OUT, _IN, _MOST, _TURN = 1.3, 0.85, 24.0, 0.5


def log_odds(model: nn.Module, targets: Targets) -> Objective:
    """The log of p / (1 - p), summed over the images, p being the probability of the target.

    It is the target's logit minus a soft maximum of all other logits: above 0 the target is more probable than all
    others together. Its gradient points where that of log p does, but does not fade while the network becomes sure.
    """

    def score(images: Tensor) -> Tensor:
        with evaluating(model):
            logits = model(images)
        return _log_odds(logits, check_targets(targets, len(images), logits.shape[1]).to(logits.device)).sum()

    return score


def _log_odds(logits: Tensor, rows: Tensor) -> Tensor:
    others = logits.scatter(1, rows[:, None], -torch.inf)
    return logits.gather(1, rows[:, None])[:, 0] - others.logsumexp(1)


def _lengths(pictures: Tensor) -> Tensor:
    return pictures.flatten(1).norm(dim=1)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


class _Duel:
    """The log-odds as an objective that remembers what it saw, and lets pictures rest that have arrived."""

    def __init__(self, model: nn.Module, rows: Tensor, *, confidence: float, resting: bool) -> None:
        self.model, self.rows, self.confidence, self.resting = model, rows, confidence, resting

    def __call__(self, images: Tensor) -> Tensor:
        with evaluating(self.model):
            logits = self.model(images)
        odds = _log_odds(logits, self.rows)
        self.odds = odds.detach()
        self.fooled = logits.argmax(1) == self.rows
        self.arrived = self.fooled & (self.odds.sigmoid() >= self.confidence)
        if self.resting and not self.arrived.all():  # where all have arrived nothing moves any more
            odds = odds.masked_fill(self.arrived, 0)
        return odds.sum()


class _Shell(nn.Module):
    """A picture at some distance from the start: the climb turns the direction, the duel decides about the distance.

    Source: Rony et al., "Decoupling Direction and Norm", CVPR 2019, arXiv:1811.09600, algorithm 1.
    Differs from the paper: the radius grows faster than it shrinks, so that 30 steps are enough, and each step turns
        the direction by the same angle at most.
    """

    def __init__(self, start: Tensor, duel: _Duel, radius: float) -> None:
        super().__init__()
        self.start, self.duel = start, duel
        self.direction = nn.Parameter(torch.zeros_like(start))  # of length 1 after the first step
        self.radius, self.most = start.new_full((len(start),), radius / _OUT), _MOST * radius

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W) in [0, 1]."""
        return (self.start + _column(self.radius) * self.direction).clamp(0, 1)

    @torch.no_grad()
    def project(self) -> None:
        """Bring the direction back to length 1; come nearer if the network is fooled, and go further if not."""
        self.direction /= _column(_lengths(self.direction).clamp_min(1e-12))
        self.radius = (self.radius * torch.where(self.duel.arrived, _IN, _OUT)).clamp_max(self.most)


class Fooling(Ascent):
    """The steps towards a picture that fools a network, and what was done to it.

    With the rule ``"nearest"`` the picture of a step is the nearest one so far that arrived, and the present one until
    there is any.

    Attributes:
        start: The pictures to begin with, (N, 3, H, W).
        flips_so_far: As ``flips``, after the steps that were made until now; -1 where there was none yet.
    """

    def __init__(
        self, steps: Iterator[Step], total: int, duel: _Duel, start: Tensor, *, nearest: bool, stop: bool, **options
    ) -> None:
        super().__init__(steps, total, **options)
        self.start, self._duel, self._nearest, self._stop = start, duel, nearest, stop
        self.flips_so_far = torch.full((len(start),), -1)
        self._length = start.new_full((len(start),), torch.inf)  # of the nearest that arrived
        self._kept, self._odds = start, torch.zeros(len(start))

    def __next__(self) -> Step:
        if not len(self):
            raise StopIteration
        step, duel = next(self._steps), self._duel  # the duel has just judged the picture of this step
        self.flips_so_far[duel.fooled.cpu() & (self.flips_so_far < 0)] = step.index
        nearer = duel.arrived & ((length := _lengths(step.image - self.start)) < self._length)
        self._length = torch.where(nearer, length, self._length)
        take = nearer | self._length.isinf() if self._nearest else torch.ones_like(nearer)
        self._kept = torch.where(_column(take), step.image, self._kept)
        self._odds = torch.where(take, duel.odds, self._odds.to(duel.odds))
        self.latest = Step(step.index, self._odds.sum().item(), self._kept)
        self.scores.append(self.latest.score)
        if self._stop and not self._length.isinf().any():
            self.total = len(self.scores)
        return self.latest

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
        """The length of each perturbation, (N,): the root of the sum of its squares over all pixels and channels."""
        return _lengths(self.perturbation)

    @property
    def linf(self) -> Tensor:
        """The largest change of any value, (N,); 1 / 255 is one level of an ordinary picture."""
        return self.perturbation.abs().flatten(1).amax(1)


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
) -> Fooling:
    """Change pictures a little, so that the network takes them for a class of our choice.

    Args:
        model: Any classifier.
        image: (N, 3, H, W), RGB in [0, 1]: photographs, or :func:`noise`. They climb side by side, each on its own.
        target: The class that each is to be taken for, one index or (N,).
        steps: At most so many.
        lr: Length of a step, see ``rule``; ``STEP[rule]`` if omitted.
        rule: ``"unit"`` adds lr·g/‖g‖, g being the gradient of the log-odds of the target. ``"sign"`` adds
            lr·sign(g): FGSM, iterated. ``"nearest"`` keeps direction and length apart: the direction follows the
            gradient, the length begins with lr, grows until the network is fooled, then shrinks to look for less.
        stop_when_fooled: End as soon as every picture is taken for its target. If omitted, ``"unit"`` and ``"sign"``
            do so, and ``"nearest"`` makes all its steps.
        confidence: Count a picture as fooled only if the probability of its target is at least this.
        seed: Only kept with the settings: nothing here is random.
        progress: Show a bar.

    Returns:
        An ascent with ``perturbation``, ``l2``, ``linf`` and ``flipped_at``; its score is the sum of the log-odds. A
        picture that is taken for its target already has ``flips`` 0 and, with the default settings, stays as it is.

    Raises:
        ValueError: If the images are no pictures in [0, 1], the target is no class, or an option makes no sense.

    Source: Szegedy et al., "Intriguing properties of neural networks", arXiv:1312.6199, section 4.1.
    Differs from the paper: gradient steps in place of box-constrained L-BFGS, and no weighted norm in the objective.
    """
    if rule not in STEP:
        raise ValueError(f"rule must be one of {', '.join(STEP)}; got {rule!r}")
    lr = STEP[rule] if lr is None else lr
    if not lr > 0 or not (confidence is None or 0 < confidence < 1):
        raise ValueError(f"wanted lr above 0 and a confidence between 0 and 1, got {lr} and {confidence}")
    start, rows = _prepared(model, image, target)
    nearest = rule == "nearest"
    stop = not nearest if stop_when_fooled is None else stop_when_fooled
    duel = _Duel(model, rows, confidence=confidence or 0.0, resting=stop and not nearest)
    image_of = _Shell(start, duel, lr) if nearest else Pixels(start)
    climb = ascend(image_of, duel, steps=steps, lr=_TURN if nearest else lr, rule="unit" if nearest else rule)
    named = {"target": rows.tolist(), "steps": steps, "lr": lr, "rule": rule, "confidence": confidence, "seed": seed}
    return Fooling(climb, steps + 1, duel, start, nearest=nearest, stop=stop, settings=named, progress=progress)


def _prepared(model: nn.Module, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The pictures and one class for each, checked before anything is begun."""
    start = check_images(images).clone().clamp(0, 1)
    with evaluating(model), torch.no_grad():
        classes = model(start[:1]).shape[1]
    return start, check_targets(targets, len(start), classes).to(start.device)


def fgsm(model: nn.Module, images: Tensor, targets: Targets, epsilon: float, *, towards: bool = True) -> Tensor:
    """Move every value of a picture by epsilon, up or down as the sign of the gradient says: one step, no loop.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: One class index or (N,): where to, or, if ``towards`` is False, the true class that is to be left.
        epsilon: The most that a value may change; 1 / 255 is one level of an ordinary picture.
        towards: Climb the log-probability of the targets in place of going down.

    Returns:
        (N, 3, H, W), in [0, 1].

    Raises:
        ValueError: If the images are no pictures in [0, 1], a target is no class, or epsilon is negative.

    Source: Goodfellow, Shlens & Szegedy, "Explaining and Harnessing Adversarial Examples", arXiv:1412.6572, section 4;
        the variant towards a target is that of Kurakin et al., arXiv:1607.02533, section 2.3.
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be at least 0, got {epsilon}")
    start, rows = _prepared(model, images, targets)
    gradient = differentiate(model, start, lambda x: _log_odds(model(x), rows))  # the sign is that of log p's gradient
    return (start + (epsilon if towards else -epsilon) * gradient.sign()).clamp(0, 1)
