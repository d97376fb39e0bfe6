"""Explorer of notebook 04: which seeds does a saliency map give, and what does GrabCut cut out from them?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.attribution import grabcut
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, INK, ORANGE, PAPER, Canvas, coloured, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.gradually import again
from cs231n_viz.explore.toolkit.heatmap import outlines
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.checks import check_images

_SIDE, _TOP = 204, 32  # CSS pixels of each panel, and where they begin
_LEFTS = (8, 222, 436, 650)
_KEPT = 32  # settings whose outlines are remembered, round by round
_LINE = '<div style="line-height: 1.5; max-width: 850px">{}</div>'


def outline(
    images: Tensor,
    masks: Tensor,
    maps: Mapping[str, Tensor],
    *,
    names: Sequence[str] | None = None,
    grabcut_seeds: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Move the quantiles that make seeds of a saliency map, and see what GrabCut cuts out and how true it is.

    One round of GrabCut takes about 30 ms for a picture of 192 px, so that five of them would be too slow to follow
    the hand: what is cut out is shown after the first, and refined round by round while one looks on. After the last
    it is the mask of ``viz.grabcut``.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        masks: (N, H, W) bool, True on the object.
        maps: Name of a saliency map -> (N, h, w), at least 0; a smaller one is enlarged.
        names: What each picture shows.
        grabcut_seeds: If given, makes the seeds: ``grabcut_seeds(saliency, foreground=, background=)`` -> (H, W)
            uint8, 1 for the object, 0 for the background, 2 for what GrabCut shall decide.

    Returns:
        The explorer; ``controls`` are ``picture``, ``map``, the quantiles ``foreground`` and ``background`` in per
        cent, and ``rounds``.

    Raises:
        ValueError: If the shapes do not fit, there is no map, or values are out of range.
    """
    check_images(images)
    _check(images, masks, maps, names)
    large = {name: _enlarged(found.detach().cpu().float(), images.shape[2:]) for name, found in maps.items()}
    return _Outline(images.detach().cpu(), masks.cpu(), large, names or [""] * len(images), grabcut_seeds).explorer


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _check(images: Tensor, masks: Tensor, maps: Mapping[str, Tensor], names: Sequence[str] | None) -> None:
    count, _, height, width = images.shape
    if masks.shape != (count, height, width) or masks.dtype != torch.bool:
        raise ValueError(f"masks must be ({count}, {height}, {width}) bool, got {tuple(masks.shape)} {masks.dtype}")
    if not maps:
        raise ValueError("maps is empty; wanted at least one, name -> (N, h, w)")
    for name, found in maps.items():
        if found.ndim != 3 or len(found) != count:
            hint = "; take the maximum of the channels" if found.ndim == 4 else ""
            raise ValueError(f"{name}: a map must be ({count}, h, w), got {tuple(found.shape)}{hint}")
        if not found.isfinite().all() or found.min() < 0:
            raise ValueError(f"{name}: a map must be finite and at least 0; take the magnitude of a signed one")
    if names is not None and len(names) != count:
        raise ValueError(f"got {len(names)} names for {count} images")


@dataclass
class _Cut:
    """Seeds, and the outlines that GrabCut made of them so far, one for each round."""

    marks: Tensor
    rounds: Iterator[Tensor]
    found: list[Tensor] = field(default_factory=list)

    def after(self, rounds: int) -> tuple[Tensor, int]:
        """The outline after as many rounds, or after one more than there have been; and how many these are."""
        if len(self.found) < rounds:
            self.found.append(next(self.rounds))
        done = min(rounds, len(self.found))
        return self.found[done - 1], done


class _Outline:
    def __init__(
        self, images: Tensor, masks: Tensor, maps: dict[str, Tensor], names: Sequence[str], seeds: Callable | None
    ) -> None:
        self.images, self.masks, self.maps, self.names, self.seeds = images, masks, maps, names, seeds
        self.cut = lru_cache(maxsize=_KEPT)(self._cut)
        self.controls = {
            "picture": slider("picture", 0, len(images) - 1),
            "map": dropdown("map", list(maps)),
            "foreground": slider("foreground", 50, 99, value=95),
            "background": slider("background", 1, 90, value=30),
            "rounds": slider("rounds", 1, 10, value=5),
        }
        rows = [("picture", "map"), ("foreground", "background"), ("rounds",)]
        panel = [widgets.HBox([self.controls[name] for name in row], layout=GAP) for row in rows]
        view = ImageView(
            alt="A picture with its object outlined, a map of what matters in it, the seeds that the map gives, and "
            "what GrabCut cuts out."
        )
        self.explorer: Explorer | None = None
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)
        self.explorer.update()  # the first drawing could not ask for another

    def _cut(self, picture: int, name: str, foreground: int, background: int) -> _Cut:
        heat, shares = self.maps[name][picture], {"foreground": foreground / 100, "background": background / 100}
        marks = grabcut.seeds(heat, **shares) if self.seeds is None else _checked(self.seeds(heat, **shares), heat)
        return _Cut(marks, grabcut.cut_rounds(self.images[picture], marks))

    def draw(self, picture: int, map: str, foreground: int, background: int, rounds: int) -> Drawing:
        truth, heat, photo = self.masks[picture].numpy(), self.maps[map][picture], to_pixels(self.images[picture])
        pale = photo.mean(axis=2, keepdims=True).repeat(3, axis=2)
        limit = float(heat.quantile(0.995)) or float(heat.max())
        panels = [
            (f"{self.names[picture]}, true outline".removeprefix(", "), _outlined(photo, truth)),
            (map, coloured(heat.numpy(), limit, signed=False)),
        ]
        if background >= foreground:
            panels += [("no seeds", _faint(pale)), ("not cut out", _faint(pale))]
            return Drawing(_side_by_side(panels, (foreground, background)), "", _overlap(foreground, background))
        cut = self.cut(picture, map, foreground, background)
        mask, done = cut.after(rounds)
        if done < rounds and self.explorer is not None:
            again(self.explorer)
        panels += [
            ("seeds", _outlined(_with_seeds(pale, cut.marks.numpy()), truth)),
            ("cut out", _outlined(np.where(mask.numpy()[..., None], photo, np.uint8(255)), truth)),
        ]
        sentence = _sentence(cut.marks, mask, self.masks[picture], (done, rounds))
        return Drawing(_side_by_side(panels, (foreground, background)), sentence)


def _side_by_side(panels: Sequence[tuple[str, np.ndarray]], quantiles: tuple[int, int]) -> np.ndarray:
    """The four pictures, and what the colours of the seeds mean."""
    canvas = Canvas(_TOP + _SIDE + 30)
    for left, (title, pixels) in zip(_LEFTS, panels, strict=True):
        canvas.text((left, _TOP - 8), title, size=13, bold=True, anchor="ls")
        canvas.paste(pixels, (left, _TOP), (_SIDE, _SIDE), smooth=True)
        canvas.frame((left, _TOP), (_SIDE, _SIDE), colour=GREY)
    below = _TOP + _SIDE + 8
    object_, background = f"object: highest {100 - quantiles[0]} %", f"background: lowest {quantiles[1]} %"
    for shift, colour, label in ((0, ORANGE, object_), (160, BLUE, background)):
        canvas.frame((_LEFTS[2] + shift, below + 2), (11, 11), colour=colour, fill=colour)
        canvas.text((_LEFTS[2] + shift + 16, below), label, size=12, colour=GREY)
    return canvas.array


def _outlined(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with a double line around the object, dark inside and white outside: seen on any ground."""
    around = np.pad(mask, 1, mode="edge")
    drawn = pixels.copy()
    drawn[outlines(~around)[1:-1, 1:-1]] = PAPER
    drawn[outlines(around)[1:-1, 1:-1]] = INK
    return drawn


def _faint(pixels: np.ndarray) -> np.ndarray:
    return (255 - (255 - pixels) * 0.25).astype(np.uint8)


def _with_seeds(pale: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """A grey picture with the seeds laid over it; what is undecided stays grey."""
    mixed = pale.copy()
    for mark, colour in ((grabcut.OBJECT, ORANGE), (grabcut.GROUND, BLUE)):
        mixed[marks == mark] = 0.45 * pale[marks == mark] + 0.55 * np.array(colour)
    return mixed.round().astype(np.uint8)


def _overlap(foreground: int, background: int) -> str:
    """Why there is nothing to cut, and what to change."""
    if background == foreground:
        why = "every pixel would be a seed, and nothing would be left for GrabCut to decide"
    else:
        why = f"{background - foreground} % of the pixels would be seeds of both sides"
    return (
        f"The background takes the map's lowest {background} % and the object what lies above {foreground} %: {why}. "
        "Choose a background below the object's quantile."
    )


def _sentence(marks: Tensor, mask: Tensor, truth: Tensor, rounds: tuple[int, int]) -> str:
    done, wanted = rounds
    shared, either = int((mask & truth).sum()), int((mask | truth).sum())
    misplaced = {}
    for side, wrong in ((grabcut.OBJECT, ~truth), (grabcut.GROUND, truth)):
        chosen = marks == side
        misplaced[side] = f"{float((chosen & wrong).sum() / chosen.sum()):.1%} of {int(chosen.sum())}"
    after = f"{done} round{'s' * (done > 1)}" if done == wanted else f"{done} of {wanted} rounds"
    return _LINE.format(
        f"After {after} the IoU is <b>{shared / max(either, 1):.2f}</b>: the cut covers {int(mask.sum())} pixels, the "
        f"object {int(truth.sum())}, and {shared} are shared.<br>On the wrong side lie {misplaced[grabcut.OBJECT]} "
        f"seeds of the object and {misplaced[grabcut.GROUND]} of the background; GrabCut decides about the other "
        f"{float((marks == grabcut.UNDECIDED).float().mean()):.0%} of the picture."
    )


def _checked(marks: Tensor, heat: Tensor) -> Tensor:
    """The learner's seeds.

    Raises:
        ValueError: If their shape or codes are wrong, or one of the two sides has none.
    """
    if not isinstance(marks, Tensor) or marks.shape != heat.shape:
        got = tuple(marks.shape) if isinstance(marks, Tensor) else type(marks).__name__
        raise ValueError(f"grabcut_seeds must return {tuple(heat.shape)}, got {got}")
    codes = set(marks.unique().tolist())
    if not codes <= {grabcut.GROUND, grabcut.OBJECT, grabcut.UNDECIDED}:
        raise ValueError(f"grabcut_seeds must return the codes 0, 1 and 2, got {sorted(codes)}")
    if not {grabcut.GROUND, grabcut.OBJECT} <= codes:
        raise ValueError("grabcut_seeds must give seeds of both sides, 1 for the object and 0 for the background")
    return marks.detach().cpu().byte()
