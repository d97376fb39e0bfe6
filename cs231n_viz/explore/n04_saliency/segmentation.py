"""Explorer of notebook 04: which seeds does a saliency map give, and what does GrabCut segment from them?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.attribution import grabcut
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, INK, ORANGE, PAPER, Canvas, themed
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, heatmap, map_panel, outlined, robust_limit
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.checks import check_images
from cs231n_viz.pictures.images import to_uint8

_SIDE, _TOP = 204, 32  # CSS pixels of each panel, and where they begin
_LEFTS = (8, 222, 436, 650)
_MOST_MASKS = 32  # settings whose masks are remembered, round by round
_OVERLAP = "There is no mask: choose a smaller share for the background or for the object."


def segmentation(
    images: Tensor,
    masks: Tensor,
    maps: Mapping[str, Tensor],
    *,
    names: Sequence[str] | None = None,
    grabcut_seeds: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Choose how much of a saliency map becomes seeds, and see GrabCut's mask and its IoU with the object.

    One round of GrabCut takes about 30 ms for a picture of 192 px, and five of them would be too slow to follow the
    hand: the mask is shown after the first round, and refined round by round. After the last it is the mask of
    ``viz.grabcut``.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        masks: (N, H, W) bool, True on the object.
        maps: Name of a saliency map -> (N, h, w), at least 0; a smaller one is enlarged.
        names: Title of each picture.
        grabcut_seeds: If given, makes the seeds: ``grabcut_seeds(saliency, foreground=, background=)`` -> (H, W)
            uint8, 1 for the object, 0 for the background, 2 for the pixels that GrabCut decides about.

    Returns:
        The explorer; ``controls`` are ``picture``, ``map``, ``rounds``, and the shares of the pixels in per cent that
        are seeds: ``foreground``, the highest of the map, and ``background``, the lowest.

    Raises:
        ValueError: If the shapes do not fit, there is no map, or values are out of range.
    """
    check_images(images)
    _check(images, masks, maps, names)
    large = {name: _enlarged(values.detach().cpu().float(), images.shape[2:]) for name, values in maps.items()}
    return _Segmentation(images.detach().cpu(), masks.cpu(), large, names or [""] * len(images), grabcut_seeds).explorer


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _check(images: Tensor, masks: Tensor, maps: Mapping[str, Tensor], names: Sequence[str] | None) -> None:
    count, _, height, width = images.shape
    if masks.shape != (count, height, width) or masks.dtype != torch.bool:
        raise ValueError(f"masks must be ({count}, {height}, {width}) bool, got {tuple(masks.shape)} {masks.dtype}")
    if not maps:
        raise ValueError("maps is empty; wanted at least one, name -> (N, h, w)")
    for name, values in maps.items():
        if values.ndim != 3 or len(values) != count:
            hint = "; take the maximum over the channels" if values.ndim == 4 else ""
            raise ValueError(f"{name}: a map must be ({count}, h, w), got {tuple(values.shape)}{hint}")
        if not values.isfinite().all() or values.min() < 0:
            raise ValueError(f"{name}: a map must be finite and at least 0; take the magnitude of a signed one")
    if names is not None and len(names) != count:
        raise ValueError(f"got {len(names)} names for {count} images")


@dataclass
class _Rounds:
    """Seeds, and the masks that GrabCut made of them so far, one for each round."""

    seeds: Tensor
    rounds: Iterator[Tensor]
    masks: list[Tensor] = field(default_factory=list)

    def after(self, rounds: int) -> tuple[Tensor, int]:
        """The mask after as many rounds, or after one more than there have been; and how many these are."""
        if len(self.masks) < rounds:
            self.masks.append(next(self.rounds))
        done = min(rounds, len(self.masks))
        return self.masks[done - 1], done


class _Segmentation:
    def __init__(
        self, images: Tensor, masks: Tensor, maps: dict[str, Tensor], names: Sequence[str], seeds: Callable | None
    ) -> None:
        self.images, self.masks, self.maps, self.names, self.seeds = images, masks, maps, names, seeds
        self.rounds_of = lru_cache(maxsize=_MOST_MASKS)(self._rounds_of)
        self.controls = {
            "picture": slider("picture", 0, len(images) - 1),
            "map": dropdown("map", list(maps)),
            "foreground": slider("object, %", 1, 50, value=5),
            "background": slider("background, %", 1, 90, value=30),
            "rounds": slider("rounds", 1, 10, value=5),
        }
        self.controls["background"].style.description_width = "110px"  # else the label is cut off
        panel = [("picture", "map"), ("foreground", "background"), ("rounds",)]
        view = ImageView(
            alt="A picture with its object outlined, a saliency map, the seeds that the map gives, and GrabCut's mask."
        )
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def _rounds_of(self, picture: int, name: str, foreground: int, background: int) -> _Rounds:
        values = self.maps[name][picture]
        shares = {"foreground": (100 - foreground) / 100, "background": background / 100}
        make = grabcut.seeds if self.seeds is None else self.seeds
        seeds = _checked(make(values, **shares), values)
        return _Rounds(seeds, grabcut.cut_rounds(self.images[picture], seeds))

    def draw(self, picture: int, map: str, foreground: int, background: int, rounds: int) -> Drawing:
        photo, truth = to_uint8(self.images[picture]), self.masks[picture].numpy()
        values, canvas = self.maps[map][picture].numpy(), Canvas(_TOP + _SIDE + BAR)
        grey = photo.mean(axis=2, keepdims=True).repeat(3, axis=2)
        overlap = foreground + background - 100
        pixels = {"no seeds": _faint(grey), "not cut out": _faint(grey)}
        if overlap < 0:
            cut = self.rounds_of(picture, map, foreground, background)
            mask, done = cut.after(rounds)
            pixels = {
                "seeds": _outlined(_with_seeds(grey, cut.seeds.numpy()), truth),
                "cut out": _outlined(np.where(mask.numpy()[..., None], photo, np.uint8(themed(PAPER))), truth),
            }
        outline = f"{self.names[picture]}, true outline".removeprefix(", ")
        canvas.panel(_outlined(photo, truth), (_LEFTS[0], _TOP), _SIDE, outline, bold=True)
        map_panel(canvas, heatmap(values, signed=False, limit=robust_limit(values)), (_LEFTS[1], _TOP), _SIDE, map)
        for left, (title, shown) in zip(_LEFTS[2:], pixels.items(), strict=True):
            canvas.panel(shown, (left, _TOP), _SIDE, title, bold=True)
            canvas.frame((left, _TOP), (_SIDE, _SIDE), colour=GREY)
        _legend(canvas, foreground, background)
        if overlap >= 0:
            return Drawing(canvas.array, paragraph(_why(foreground, background)), _OVERLAP)
        sentence = _sentence(cut.seeds, mask, self.masks[picture], done, rounds)
        return Drawing(canvas.array, sentence, unfinished=done < rounds)


def _legend(canvas: Canvas, foreground: int, background: int) -> None:
    """What the colours of the seeds mean."""
    below = _TOP + _SIDE + 8
    labels = [(0, ORANGE, f"object: highest {foreground} %"), (160, BLUE, f"background: lowest {background} %")]
    for shift, colour, label in labels:
        canvas.frame((_LEFTS[2] + shift, below + 2), (11, 11), colour=colour, fill=colour)
        canvas.text((_LEFTS[2] + shift + 16, below), label, size=12, colour=GREY)


def _outlined(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with a double line around the object, dark inside and white outside: visible on any ground."""
    return outlined(outlined(pixels, ~mask, PAPER), mask, INK)


def _faint(pixels: np.ndarray) -> np.ndarray:
    return (255 - (255 - pixels) * 0.25).astype(np.uint8)


def _with_seeds(grey: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Colour the seeds of a grey picture; undecided pixels stay grey."""
    mixed = grey.copy()
    for side, colour in ((grabcut.FOREGROUND, ORANGE), (grabcut.BACKGROUND, BLUE)):
        mixed[seeds == side] = 0.45 * grey[seeds == side] + 0.55 * np.array(colour)
    return mixed.round().astype(np.uint8)


def _why(foreground: int, background: int) -> str:
    """Why there is nothing to segment."""
    overlap = foreground + background - 100
    why = f"{overlap} % of the pixels would be seeds of both sides"
    if not overlap:
        why = "every pixel would be a seed, and nothing would be left for GrabCut to decide"
    return f"The object takes the map's highest {foreground} % and the background its lowest {background} %: {why}."


def _sentence(seeds: Tensor, mask: Tensor, truth: Tensor, done: int, rounds: int) -> str:
    shared, either = int((mask & truth).sum()), int((mask | truth).sum())
    misplaced = {}
    for side, wrong in ((grabcut.FOREGROUND, ~truth), (grabcut.BACKGROUND, truth)):
        chosen = seeds == side
        misplaced[side] = f"{float((chosen & wrong).sum() / chosen.sum()):.1%} of {int(chosen.sum())}"
    after = f"{done} round{'s' * (done > 1)}" if done == rounds else f"{done} of {rounds} rounds"
    return paragraph(
        f"After {after} the IoU is <b>{shared / max(either, 1):.2f}</b>: the mask covers {int(mask.sum())} pixels, the "
        f"object {int(truth.sum())}, and {shared} are shared.<br>On the wrong side lie {misplaced[grabcut.FOREGROUND]} "
        f"seeds of the object and {misplaced[grabcut.BACKGROUND]} of the background; GrabCut decides about the other "
        f"{float((seeds == grabcut.UNDECIDED).float().mean()):.0%} of the picture."
    )


def _checked(seeds: Tensor, values: Tensor) -> Tensor:
    """Check the seeds, which a learner's function may have made of a saliency map.

    Raises:
        ValueError: If their shape or codes are wrong, or one of the two sides has none.
    """
    if not isinstance(seeds, Tensor) or seeds.shape != values.shape:
        got = tuple(seeds.shape) if isinstance(seeds, Tensor) else type(seeds).__name__
        raise ValueError(f"grabcut_seeds must return {tuple(values.shape)}, got {got}")
    codes = set(seeds.unique().tolist())
    if not codes <= {grabcut.BACKGROUND, grabcut.FOREGROUND, grabcut.UNDECIDED}:
        raise ValueError(f"grabcut_seeds must return the codes 0, 1 and 2, got {sorted(codes)}")
    if not {grabcut.BACKGROUND, grabcut.FOREGROUND} <= codes:
        raise ValueError("grabcut_seeds must give seeds of both sides, 1 for the object and 0 for the background")
    return seeds.detach().cpu().byte()
