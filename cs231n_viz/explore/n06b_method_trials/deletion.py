"""Explorer of notebook 06b: delete or insert the most important pixels of a map, and watch the probability."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.scoring import Curves, as_maps, mass_in_mask, pointing_game
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, LINE, ORANGE, Canvas, number
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, heatmap, limit_of, map_panel, outlined
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.pictures.images import gaussian_blur, to_uint8

_SIDE, _TOP = 204, 32  # CSS pixels of each picture, and where they begin
_COLUMNS = (8, 222, 436, 650)
_PLOT = (52, _TOP + _SIDE + BAR + 30, 800, 180)  # x, y, width and height of the curves


def deletion(
    images: Tensor,
    masks: Tensor,
    maps: Mapping[str, Tensor],
    curves: Mapping[str, Curves],
    *,
    names: Sequence[str] | None = None,
    tolerance: int = 0,
) -> Explorer:
    """Compare attribution methods on one picture: their maps, their deletion and insertion curves, and the object.

    Args:
        images: (N, 3, H, W), RGB in [0, 1], or (N, 1, H, W), grey.
        masks: (N, H, W), True on the object.
        maps: Name of a method -> its attributions (N, h, w) or (N, C, H, W).
        curves: Name of a method -> its curves by ``scoring.deletion_insertion``, for the same pictures.
        names: Title of each picture.
        tolerance: Pixels by which the maximum of a map may miss the object in the pointing game.

    Returns:
        The explorer; ``controls`` are ``picture``, ``method``, ``against`` (a second method, in thin lines) and
        ``share``, the per cent of the pixels that are deleted or inserted.

    Raises:
        ValueError: If there is nothing to compare, or maps and curves are not of the same methods and pictures.
    """
    if not maps or set(maps) != set(curves):
        raise ValueError(f"maps and curves must be of the same methods, got {sorted(maps)} and {sorted(curves)}")
    for name in maps:
        if not len(maps[name]) == len(curves[name].deletion) == len(images) == len(masks):
            counts = (len(maps[name]), len(curves[name].deletion), len(masks))
            raise ValueError(f"{name}: {counts} maps, curves and masks for {len(images)} images; wanted one of each")
    return _Deletion(images, masks, dict(maps), dict(curves), names or [""] * len(images), tolerance).explorer


class _Deletion:
    def __init__(
        self,
        images: Tensor,
        masks: Tensor,
        maps: dict[str, Tensor],
        curves: dict[str, Curves],
        names: Sequence[str],
        tolerance: int,
    ) -> None:
        self.images, self.masks = images, masks
        self.maps, self.curves, self.names, self.tolerance = maps, curves, names, tolerance
        side = min(self.images.shape[2:])
        self.blurred = gaussian_blur(self.images, min(51, 2 * side - 1), sigma=12.0)
        methods = list(maps)
        self.controls = {
            "picture": slider("picture", 0, len(self.images) - 1),
            "share": slider("share, %", 0, 100, value=20),
            "method": dropdown("method", methods),
            "against": dropdown("against", methods, value=methods[-1]),
        }
        panel = [("picture", "share"), ("method", "against")]
        view = ImageView(
            alt="A picture with its object outlined, a method's map, the picture without its most important pixels and "
            "with only those; below, the probability of the class under deletion and insertion."
        )
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def draw(self, picture: int, share: int, method: str, against: str) -> Drawing:
        image, blurred = self.images[picture].cpu(), self.blurred[picture].cpu()
        values = as_maps(self.maps[method][picture : picture + 1], tuple(image.shape[1:]))[0].cpu()
        first = _most_important(values, share / 100)
        mask = self.masks[picture].cpu().numpy()
        values = values.numpy()
        drawn = heatmap(values, signed=False, limit=limit_of(values))
        panels = (
            (
                f"{self.names[picture]}, object outlined".removeprefix(", "),
                outlined(_shown(image), mask, ORANGE, width=2),
            ),
            (f"{share} % blurred away", _shown(torch.where(first, blurred, image))),
            (f"only {share} % sharp", _shown(torch.where(first, image, blurred))),
        )
        canvas = Canvas(_PLOT[1] + _PLOT[3] + 30)
        map_panel(canvas, drawn, (_COLUMNS[1], _TOP), _SIDE, method)
        for x, (title, pixels) in zip((_COLUMNS[0], *_COLUMNS[2:]), panels, strict=True):
            canvas.panel(pixels, (x, _TOP), _SIDE, title, bold=True)
        self._curves(canvas, picture, (method, against), share / 100)
        text = "".join(self._sentence(picture, name) for name in dict.fromkeys((method, against)))
        return Drawing(canvas.array, text)

    def _curves(self, canvas: Canvas, picture: int, methods: tuple[str, str], share: float) -> None:
        x, y, width, height = _PLOT
        for level in (0, 0.5, 1):
            at = y + height * (1 - level)
            canvas.line([(x, at), (x + width, at)], colour=LINE)
            canvas.text((x - 6, at), f"{level:g}", size=11, colour=GREY, anchor="rm")
        canvas.text((x, y - 22), "deletion: probability without the most important pixels", size=13, colour=ORANGE)
        canvas.text((x + width, y - 22), "insertion: with only those", size=13, colour=BLUE, anchor="ra")
        for method, thickness in zip(methods, (3.0, 1.2), strict=True):
            for curve, colour in zip(self.curves[method], (ORANGE, BLUE), strict=True):
                values = curve[picture].tolist()
                steps = len(values) - 1
                points = [(x + width * k / steps, y + height * (1 - value)) for k, value in enumerate(values)]
                canvas.line(points, colour=colour, width=thickness)
        canvas.line([(x + width * share, y), (x + width * share, y + height)], colour=GREEN, width=1.5)
        thick, thin = methods
        canvas.text((x + width / 2, y + height + 8), f"thick: {thick}; thin: {thin}", size=12, colour=GREY, anchor="ma")

    def _sentence(self, picture: int, method: str) -> str:
        one = slice(picture, picture + 1)
        values, mask = self.maps[method][one], self.masks[one]
        deletion, insertion = (float(area[picture]) for area in self.curves[method].areas)
        hit = "lies on" if bool(pointing_game(values, mask, tolerance=self.tolerance)) else "misses"
        text = (
            f"<b>{method}</b>: area {number(deletion)} under deletion, {number(insertion)} under insertion; "
            f"{float(mass_in_mask(values, mask)):.0%} of the map lies on the object, which covers "
            f"{float(mask.float().mean()):.0%} of the picture; its maximum {hit} it."
        )
        return paragraph(text)


def _shown(image: Tensor) -> np.ndarray:
    return to_uint8(image.expand(3, -1, -1))


def _most_important(values: Tensor, share: float) -> Tensor:
    """(H, W) bool: the pixels that ``deletion_insertion`` has changed after this share of its steps."""
    order = values.flatten().argsort(descending=True, stable=True)
    first = torch.zeros(values.numel(), dtype=torch.bool)
    first[order[: round(share * values.numel())]] = True
    return first.view(values.shape)
