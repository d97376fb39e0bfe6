"""Make the pictures that take minutes: ``python -m training.plates``, or only some: ``python -m training.plates cat``.

``PLATES`` declares each: a method with its arguments, a seed, the networks, and the layout. A plate whose file holds
the same settings and is intact is not made again, whatever versions computed it (``--again`` makes it all the same).
A file appears under its name only when it is complete, so that an interrupted run goes on with the plate it was at.
"""

import argparse
import json
import os
import platform
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

import cs231n_viz as viz
from cs231n_viz.data_files import data_path, data_root
from cs231n_viz.network.shipped import sha256
from cs231n_viz.pictures.images import to_pil
from cs231n_viz.pictures.plates import CAPTIONS, PAD, SUMS, TITLE
from cs231n_viz.pictures.saving import animation_settings, save_animation
from training import plate_methods as methods
from training.plate_methods import Tile

_DESCRIPTION = 0x010E  # the EXIF tag that holds the settings, as in the animations of cs231n_viz


@dataclass(frozen=True)
class Sheet:
    """A picture, or several in a grid, each under its title; written as JPEG.

    Attributes:
        columns: Tiles per row.
        quality: Of the JPEG, whose colours have full resolution: at half of it fine texture would blur.
    """

    columns: int = 1
    quality: int = 85
    suffix = ".jpg"

    def save(self, tiles: Iterator[Tile], path: Path, settings: dict[str, object]) -> None:
        """Write the tiles, and the settings inside the file."""
        exif = Image.Exif()
        exif[_DESCRIPTION] = json.dumps(settings)
        page = compose(list(tiles), self.columns)
        page.save(path, "JPEG", quality=self.quality, subsampling=0, optimize=True, exif=exif)


@dataclass(frozen=True)
class Film:
    """Frames that follow each other in an endless loop, ``fps`` in a second; written as WebP."""

    fps: float = 12.0
    suffix = ".webp"

    def save(self, tiles: Iterator[Tile], path: Path, settings: dict[str, object]) -> None:
        """Write the frames, and the settings inside the file."""
        save_animation((tile.image for tile in tiles), path, fps=self.fps, settings=settings)


@dataclass(frozen=True)
class Plate:
    """What a plate is made by.

    Attributes:
        method: Called as ``method(*networks, seed=, **arguments)``; yields tiles.
        networks: Names of shipped networks.
        arguments: What JSON can represent.
        caption: What the plate shows and how it was made.
        alt: What is to be seen on it.
        layout: What becomes of the tiles.
        seed: Random seed.
    """

    method: Callable[..., Iterator[Tile]]
    networks: tuple[str, ...]
    arguments: dict[str, object]
    caption: str
    alt: str
    layout: Sheet | Film = Sheet()
    seed: int = 0

    def settings(self) -> dict[str, object]:
        """All that decides about its pixels, but for the versions of the libraries."""
        sums = json.loads(data_path("weights", "sha256.json").read_text(encoding="utf-8"))
        return {
            "method": self.method.__name__,
            "networks": list(self.networks),
            "arguments": self.arguments,
            "seed": self.seed,
            "layout": asdict(self.layout),
            "weights": {name: sums[f"{name}.safetensors"] for name in self.networks},
        }

    def tiles(self) -> Iterator[Tile]:
        """Make the pictures, one after the other."""
        networks = [viz.load_model(name) for name in self.networks]
        return self.method(*networks, seed=self.seed, **self.arguments)


def compose(tiles: list[Tile], columns: int) -> Image.Image:
    """Lay tiles out row by row, each under its title; a row is as high, a column as wide, as the largest tile in it.

    A single tile without a title is the picture as it is.
    """
    if len(tiles) == 1 and not tiles[0].title:
        return to_pil(tiles[0].image)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), TITLE)
    bar = TITLE + PAD if any(tile.title for tile in tiles) else 0
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heights = [max(tile.image.shape[1] for tile in row) + bar + PAD for row in rows]
    widths = [max(tile.image.shape[2] for tile in tiles[column::columns]) + PAD for column in range(len(rows[0]))]
    page = Image.new("RGB", (sum(widths) + PAD, sum(heights) + PAD), "white")
    draw = ImageDraw.Draw(page)
    for number, row in enumerate(rows):
        for column, tile in enumerate(row):
            left, top = PAD + sum(widths[:column]), PAD + sum(heights[:number])
            draw.text((left, top - 3), tile.title, fill="black", font=font)
            page.paste(to_pil(tile.image), (left, top + bar))
    return page


_CLASSES = [
    "cat", "church", "elephant", "strawberry", "Faces", "pagoda",
    "sunflower", "dalmatian", "Motorbikes", "chandelier", "lotus", "soccer_ball",
]  # fmt: skip
_CHANNELS = {  # layer -> channels, and what is to be seen
    "relu2_1": (
        list(range(0, 36, 4)),
        "Nine pictures of edges and colours: slanted ridges in grey or orange and blue, fine stripes, and patches of "
        "plain colour, blue beside orange or green beside violet.",
    ),
    "relu3_2": (
        list(range(0, 54, 6)),
        "Nine textures: slanted red and green ridges, brown beads, vertical fibres, ripples, red and green dots, rows "
        "of dark knobs, a mesh, chains of pearls, diagonal braids.",
    ),
    "relu4_2": (
        list(range(0, 90, 10)),
        "Nine textures: violet scales, brown arches, rows of small eyes, a green weave, yellow and white fringes, "
        "stacked arcs, brown bulges, dark eyes on orange and blue, ledges with fringes.",
    ),
    "relu5_2": (
        list(range(0, 144, 16)),
        "Nine pictures: orange tufts, round feathered bodies on long legs, spiky white flowers, a blue fleece, red "
        "lumps between green leaves, brown necks, dark eyes in rings, orange legs, tufts of brown fur.",
    ),
}
_INVERTED = ["relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu4_1", "relu4_2", "relu5_2"]
_PAGODA = {"name": "china"}
_SKY = {"name": "rocket", "top": 0.0, "bottom": 0.6}
_ZOOM = {"frames": 30, "magnify": 1.06}
_PAINTINGS = ["swirls", "waves", "mosaic", "watercolour"]
_DREAM = {"size": [512, 768], "octaves": 5, "steps": 20}

_REPEATED = "mini_vgg, 224 px, 200 steps of Adam on Fourier coefficients, random views and total variation."
_PLAIN = (
    "192 steps of length 1 from the mean colour, x ← clamp(x + g / ‖g‖), on 128 px, without any regulariser; shown "
    "enlarged."
)
_FOUR, _THREE = Sheet(columns=4), Sheet(columns=3)

PLATES: dict[str, Plate] = {
    "channel_small": Plate(
        methods.channel_pictures,
        ("mini_vgg",),
        {"layer": "relu3_2", "channels": [12], "size": 96, "steps": 12},
        caption="Channel 12 of relu3_2 of mini_vgg after twelve steps: the plate that a test makes again, bit for bit.",
        alt="A small square of faint regular texture.",
    ),
    "classes": Plate(
        methods.class_pictures,
        ("mini_vgg",),
        {"categories": _CLASSES, "size": 224, "steps": 200},
        caption=f"What excites twelve classes most: {_REPEATED}",
        alt="Twelve pictures, each under the name of its class and full of repeated examples of it: kittens, pointed "
        "roofs with arches, a herd of elephants, red fruit, faces, stacked roofs, dark flowers with yellow petals, "
        "white dogs' heads with black eyes, wheels and tanks, candelabra, spiky pink flowers, panels of a ball.",
        layout=_FOUR,
    ),
    "classes_robust": Plate(
        methods.plain_ascent,
        ("mini_vgg_robust",),
        {"categories": _CLASSES, "size": 128, "steps": 192},
        caption=f"The same twelve classes for mini_vgg_robust, by plain gradient ascent: {_PLAIN}",
        alt="Twelve pictures, each under the name of its class: kittens, a church with spires and arched windows, "
        "elephants, a large strawberry, faces, grey roofs one above the other, sunflowers, dalmatians' heads, a "
        "motorbike with two wheels, candles, lotus flowers, the black and white panels of a ball.",
        layout=_FOUR,
    ),
    **{
        f"channels_{layer}": Plate(
            methods.channel_pictures,
            ("mini_vgg",),
            {"layer": layer, "channels": channels, "size": 200, "steps": 64},
            caption=f"What excites nine channels of {layer} of mini_vgg most; evenly spaced, nobody chose them.",
            alt=alt,
            layout=_THREE,
        )
        for layer, (channels, alt) in _CHANNELS.items()
    },
    "channels_robust": Plate(
        methods.channels_by_layer,
        ("mini_vgg_robust",),
        {"layers": list(_CHANNELS), "channels": [3, 8, 13], "size": 200, "steps": 64},
        caption="What excites three channels in each of four layers of mini_vgg_robust most: the recipe of mini_vgg, "
        "64 steps of Adam on Fourier coefficients, random views and total variation.",
        alt="Four columns of three pictures: ridges and plain colours in relu2_1; red tufts on blue, white combs and "
        "striped patches in relu3_2; rows of dark beads, a woven fleece and fringes in relu4_2; large curved shapes, "
        "like ropes, bowls and shells, on a soft ground in relu5_2.",
        layout=_FOUR,
    ),
    "dream_pagoda": Plate(
        methods.dream,
        ("mini_vgg",),
        {"layer": "relu4_2", "source": _PAGODA, **_DREAM},
        caption="DeepDream of the photograph “china”: relu4_2 of mini_vgg, five octaves of twenty steps.",
        alt="A pagoda by a lake: windows, ends of eaves and bushes have become large round eyes, and rings with eyes "
        "in their middle spread over the sky.",
    ),
    "dream_pagoda_deep": Plate(
        methods.dream,
        ("mini_vgg",),
        {"layer": "relu5_1", "source": _PAGODA, **_DREAM},
        caption="The same dream in a deeper layer: relu5_1 of mini_vgg.",
        alt="The pagoda again: black and red figures climb its pillars, a herd of brown animals with many legs walks "
        "below, and pale round bodies on long thin legs stand in the sky.",
    ),
    "dream_pagoda_robust": Plate(
        methods.dream,
        ("mini_vgg_robust",),
        {"layer": "relu5_2", "source": _PAGODA, **_DREAM},
        caption="DeepDream of the photograph “china”: relu5_2 of mini_vgg_robust, five octaves of twenty steps.",
        alt="A pagoda by a lake under a green roof like a tent, its lower floors bodies on thin legs; pale round birds "
        "stand beside it and in the sky, dark animals with many legs on the right.",
    ),
    "dream_sky": Plate(
        methods.dream,
        ("mini_vgg",),
        {"layer": "relu4_2", "source": _SKY, **_DREAM},
        caption="DeepDream of the night sky of “rocket”: relu4_2 of mini_vgg, five octaves of twenty steps.",
        alt="A dark blue night full of eyes with rings around them, one above the tip of the rocket like a lamp on its "
        "post, and rows of dark dots like a pattern of scales.",
    ),
    "dream_sky_robust": Plate(
        methods.dream,
        ("mini_vgg_robust",),
        {"layer": "relu5_2", "source": _SKY, **_DREAM},
        caption="DeepDream of the night sky of “rocket”: relu5_2 of mini_vgg_robust, five octaves of twenty steps.",
        alt="The night sky has become a green and violet marsh with a flock of flamingos: round pink backs with light "
        "and shade, bent red necks, thin legs; the rocket is one more glowing neck.",
    ),
    "dream_zoom": Plate(
        methods.dream_zoom,
        ("mini_vgg",),
        {"layer": "relu4_2", "source": _PAGODA, "size": [256, 384], "octaves": 3, "steps": 6} | _ZOOM,
        caption="A zoom into the dream of a pagoda: each frame is the last one, 6 % larger, dreamt upon again.",
        alt="The camera moves into a pagoda by a lake; its windows turn into eyes, and rings with eyes grow out of the "
        "sky, until eyes fill the picture.",
        layout=Film(fps=8),
    ),
    "inversions": Plate(
        methods.inversions,
        ("mini_vgg",),
        {"source": "cat", "layers": _INVERTED, "size": 224, "steps": 120},
        caption="What seven layers of mini_vgg have kept of a photograph: pictures with its features, 120 steps each.",
        alt="A cat's face and seven inversions of it: as good as the photograph up to relu3_2, with blurred eyes and "
        "stains of colour from relu4_1 on; from relu5_2 a pale furry face, eyes and nose roughly in their place.",
        layout=_FOUR,
    ),
    "inversions_robust": Plate(
        methods.inversions,
        ("mini_vgg_robust",),
        {"source": "cat", "layers": _INVERTED, "size": 224, "steps": 120},
        caption="The same inversions for mini_vgg_robust.",
        alt="A photograph of a cat and seven inversions of it, from the first layer to the last of the robust network.",
        layout=_FOUR,
    ),
    "styles": Plate(
        methods.styles,
        ("mini_vgg",),
        {"source": "china", "paintings": _PAINTINGS, "size": 512, "steps": [60, 60, 60], "style": 30.0, "inset": 112},
        caption="One photograph in the manner of four paintings, each in its corner: Gatys' method with mini_vgg, "
        "three sizes up to 512 px, 60 steps each.",
        alt="A pagoda by a lake four times, each with a small copy of a painting: in blue and yellow strokes around "
        "whirling suns, in dark blue and white waves, in coloured stones, in pale washes of pink and green.",
        layout=Sheet(columns=2),
    ),
    "poster": Plate(
        methods.all_methods,
        ("mini_vgg",),
        {"source": "cat", "category": "cat", "layer": "relu5_2", "painting": "swirls", "size": 224, "steps": 96},
        caption="One photograph, one network, one class, and the methods of the course: above, where mini_vgg sees the "
        "cat; below, what is made by gradient ascent.",
        alt="The photograph of a cat's face and nineteen tiles: maps in which the eyes and the nose stand out, most "
        "clearly in guided backprop and LRP; then pictures made with the network, such as a dream with eyes in rings, "
        "inversions, a texture and a painted cat.",
        layout=Sheet(columns=5),
    ),
}


def waiting(name: str) -> list[str]:
    """The networks of a plate whose weights are not there yet."""
    return [each for each in PLATES[name].networks if not (data_root() / "weights" / f"{each}.safetensors").is_file()]


def make(name: str, out: Path, *, again: bool = False) -> Path:
    """Make a plate, unless its file is intact and holds the same settings; enter its sha256 and its words.

    Args:
        name: One of ``PLATES``.
        out: The folder of the plates, which exists.
        again: Make it in any case, for example after a method was changed.

    Returns:
        The path of its file.
    """
    plate = PLATES[name]
    path = out / f"{name}{plate.layout.suffix}"
    settings = plate.settings()
    if again or not is_made(path, settings):
        with _replacing(path) as temporary:
            plate.layout.save(plate.tiles(), temporary, settings | {"versions": versions()})
        _enter(out / SUMS, path.name, sha256(path))
    _enter(out / CAPTIONS, name, {"caption": plate.caption, "alt": plate.alt})
    return path


def is_made(path: Path, settings: dict[str, object]) -> bool:
    """Whether a file is the one whose sha256 was entered, and was made with these settings; versions may differ."""
    if not path.is_file() or sha256(path) != _entries(path.with_name(SUMS)).get(path.name):
        return False
    stored = animation_settings(path)
    stored.pop("versions", None)
    return stored == settings


def versions() -> dict[str, str]:
    """What computes: rounding, and with it each pixel, depends on the libraries and the processor's instructions."""
    libraries = {name: version(name) for name in ("torch", "torchvision", "numpy", "pillow")}
    processor = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    if (kind := Path("/proc/cpuinfo")).exists():  # the same instructions, but other sums, from one maker to the next
        numbers = dict(re.findall(r"(vendor_id|cpu family|model)\s*: (\S+)", kind.read_text()))
        processor += "".join(f", {name} {number}" for name, number in numbers.items())
    return {"python": platform.python_version(), **libraries, "processor": processor}


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a hidden path in the same folder to write to, and at the end give that file its real name."""
    temporary = path.with_name(f".{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _entries(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _enter(path: Path, key: str, value: object) -> None:
    """Enter something into a JSON file, whose keys stay in order."""
    entries = dict(sorted((_entries(path) | {key: value}).items()))
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    with _replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main() -> None:
    """Make all plates, or some, and print the lines for ``data/README.md``."""
    parser = argparse.ArgumentParser(prog="python -m training.plates", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all if omitted: {', '.join(PLATES)}")
    parser.add_argument("--out", type=Path, default=data_root() / "plates")
    parser.add_argument("--again", action="store_true", help="make them even if they are there with the same settings")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(PLATES))
    if unknown:
        (nearest,) = get_close_matches(unknown[0], PLATES, n=1, cutoff=0)
        parser.error(f"no plate {unknown[0]!r}; did you mean {nearest!r}? There are {', '.join(PLATES)}")
    torch.set_num_threads(1)  # sums in one order
    args.out.mkdir(parents=True, exist_ok=True)
    for name in tqdm(args.names or list(PLATES), unit="plate"):
        if missing := waiting(name):
            tqdm.write(f"{name} waits for the weights of {', '.join(missing)}")
            continue
        path = make(name, args.out, again=args.again)
        tqdm.write(f"| `plates/{path.name}` | `{_entries(args.out / SUMS)[path.name]}` |")


if __name__ == "__main__":
    main()
