"""Count what mutated pictures and killed processes do: ``python -m benchmarks.fuzz [--minutes 60] [--seed 0]``.

Pictures of every format and mode that Pillow writes, with bytes flipped, cut, inserted or headers changed, are read in
a process that is watched: each must give a picture or an ``ImageError``, in two seconds of processor time and 300 MB.
Processes that write an index, a picture with settings, an animation or a style network are killed at random moments:
each file must then be the old or the new one, and nothing else be left by the next that writes there. Needs Linux.
"""

import argparse
import io
import multiprocessing
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cs231n_viz import ImageError, load_image, read_settings, save_animation, save_png
from cs231n_viz.pictures.saving import animation_settings
from cs231n_viz.style.fast import FastStyle, load_fast_style, save_fast_style

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO", "PCX", "SGI", "EPS", "PDF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
SECONDS, MEGABYTES = 2.0, 300.0
_CHUNK = 250  # pictures that one process reads
_ORIENTATION = 0x0112  # the EXIF tag
_INTERESTING = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\xff\xff", b"\x80\0", b"\0\1")


@cache
def originals() -> list[tuple[str, bytes]]:
    """A small picture in every format, mode and compression that Pillow writes: its kind, and the bytes."""
    random_numbers = np.random.default_rng(0)
    rgb = Image.fromarray(random_numbers.integers(0, 255, (23, 37, 3), np.uint8)).resize((61, 41))
    found = []
    for mode in MODES:
        try:
            picture = rgb.convert("L").convert(mode) if mode in ("I", "I;16", "F", "PA") else rgb.convert(mode)
        except ValueError:
            continue
        for kind in FORMATS:
            for options in _options(kind, mode):
                file = io.BytesIO()
                try:
                    picture.save(file, kind, **options)
                except (OSError, ValueError, KeyError, NameError, SystemError, RuntimeError):
                    continue  # not in this mode, or this build
                found.append((f"{kind} {mode}", file.getvalue()))
    return found


def _options(kind: str, mode: str) -> Iterator[dict[str, object]]:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    yield {}
    if kind in ("JPEG", "PNG", "WEBP"):
        yield {"exif": exif}
    if kind == "JPEG":
        yield {"progressive": True}
    if kind == "WEBP":
        yield {"lossless": True}
    if kind in ("GIF", "WEBP", "PNG", "TIFF"):
        yield {"save_all": True, "append_images": [Image.new("RGB", (61, 41), "red")]}
    if kind == "TIFF":
        names = ["tiff_lzw", "tiff_adobe_deflate", "packbits"]
        # In other modes some versions of Pillow end the process.
        names += ["group4"] * (mode == "1") + ["jpeg"] * (mode in ("L", "RGB", "CMYK", "YCbCr"))
        yield from ({"compression": name} for name in names)


def mutated(seed: int) -> tuple[str, bytes]:
    """One of the originals with a few mutations, the same for equal seeds: its kind, and the bytes."""
    chance = random.Random(seed)
    kind, data = chance.choice(originals())
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        _mutate(data, chance)
    return kind, bytes(data)


def _mutate(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    head = chance.randrange(min(len(data), 64) + 1)  # where formats say how large a picture is
    match chance.randrange(7):
        case 0 | 1 if place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        case 2:
            del data[place:]
        case 3:
            value = chance.choice(_INTERESTING)
            data[head : head + len(value)] = value
        case 4:
            del data[place : place + chance.randrange(1, 9)]
        case 5:
            data[place:place] = chance.randbytes(chance.randrange(1, 9))
        case _ if head < len(data):
            data[head] = chance.randrange(256)


def read(data: bytes) -> str:
    """Read a picture: "picture" or "refused", or in words what is wrong with how it went."""
    watched = Path("/proc/self/clear_refs")
    watched.write_text("5")  # the highest memory so far is now that of this moment
    before, start = _memory("VmRSS"), time.process_time()
    try:
        image = load_image(data)
        good = image.shape[0] == 3 and image.dtype == torch.float32 and bool(((image >= 0) & (image <= 1)).all())
        result = "picture" if good else f"a picture that is none: {tuple(image.shape)}"
    except ImageError:
        result = "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    seconds, megabytes = time.process_time() - start, _memory("VmHWM") - before
    if seconds > SECONDS or megabytes > MEGABYTES:
        return f"{result} after {seconds:.1f} s and {megabytes:.0f} MB"
    return result


def _memory(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def _read_several(seeds: range, sender: object) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes its complaints there
    warnings.simplefilter("ignore")
    for seed in seeds:
        sender.send((seed, None))  # if this process dies, this is what it read
        sender.send((seed, read(mutated(seed)[1])))


def pictures(seeds: range, until: float = float("inf")) -> tuple[Counter, list[str]]:
    """Read mutated pictures in processes of their own until a time; counts by result, and what went wrong."""
    counts, wrong, first = Counter(), [], seeds.start
    originals()  # made once, before the processes fork
    while first < seeds.stop and time.monotonic() < until:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        several = range(first, min(first + _CHUNK, seeds.stop))
        process = _fork(_read_several, several, sender)
        sender.close()
        seed, result = first, "died"
        while True:
            try:
                if not receiver.poll(60):
                    result = "hung for 60 s"
                    process.kill()
                    break
                seed, result = receiver.recv()
            except EOFError:
                break
            if result is not None:
                good = result in ("picture", "refused")
                counts[result if good else "wrong"] += 1
                wrong += [] if good else [f"seed {seed} ({mutated(seed)[0]}): {result}"]
        process.join()
        if result in (None, "died", "hung for 60 s"):
            counts["wrong"] += 1
            wrong.append(f"seed {seed} ({mutated(seed)[0]}): {result or f'the process ended with {process.exitcode}'}")
        first = seed + 1
    return counts, wrong


def _fork(function: Callable, *arguments: object) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    return process


IMAGE = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))


def _write_png(folder: Path, number: int) -> None:
    save_png(IMAGE, folder / "picture.png", {"number": number})


def _write_animation(folder: Path, number: int) -> None:
    save_animation([IMAGE, 1 - IMAGE], folder / "film.webp", settings={"number": number})


def _write_style(folder: Path, number: int) -> None:
    save_fast_style(_network(), folder / "style.safetensors")


def _write_index(folder: Path, number: int) -> None:
    _patches().save(folder / "index.safetensors")


@cache
def _network() -> FastStyle:
    torch.manual_seed(0)
    return FastStyle(["a", "b"])


@cache
def _patches() -> object:
    from cs231n_viz import Gallery, load_model, top_patches

    model, gallery = load_model("mini_vgg", weights=None), Gallery.digits().subset(range(4))
    return top_patches(model, gallery, "relu1_1", k=2, progress=False)


def _check_index(path: Path) -> None:
    from cs231n_viz import load_patches

    patches = _patches()
    assert torch.equal(load_patches(path, patches._model, patches._gallery, patches.layer).values, patches.values)


WRITERS = {"png": _write_png, "animation": _write_animation, "style network": _write_style, "index": _write_index}
READERS = {
    ".png": lambda path: (load_image(path), read_settings(path)["number"]),
    ".webp": lambda path: (load_image(path), animation_settings(path)["number"]),
    ".safetensors": lambda path: load_fast_style(path) if path.stem == "style" else _check_index(path),
}


def _write_for_ever(write: Callable[[Path, int], None], folder: Path) -> None:
    torch.set_num_threads(1)
    for number in count():
        write(folder, number)


def kills(number: int, seed: int = 0, until: float = float("inf")) -> tuple[Counter, list[str]]:
    """Kill processes that write, each at a random moment; counts by what they wrote, and what went wrong."""
    counts, wrong, chance = Counter(), [], random.Random(seed)
    torch.set_num_threads(1)  # before the processes fork
    _network(), _patches()
    names = list(WRITERS)
    for turn in range(number):
        if time.monotonic() > until:
            break
        name = names[turn % len(names)]
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            WRITERS[name](folder, -1)
            process = _fork(partial(_write_for_ever, WRITERS[name]), folder)
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.join()
            WRITERS[name](folder, -2)
            complaint = _complaint(folder)
        counts[name if not complaint else "wrong"] += 1
        wrong += [f"kill {turn} of seed {seed} ({name}): {complaint}"] if complaint else []
    return counts, wrong


def _complaint(folder: Path) -> str:
    for path in folder.iterdir():
        if path.name.startswith("."):
            return f"{path.name} was left behind"
        try:
            READERS[path.suffix](path)
        except Exception as error:
            return f"{path.name} is damaged: {error}"
    return ""


def main() -> int:
    """Print what was tried and what survived; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="at most so long (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=10_000, help="mutated pictures (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=500, help="killed processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: %(default)s)")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    print(f"seeds from {options.seed}; {len(originals())} originals", flush=True)
    bad = []
    parts = {
        "pictures": partial(pictures, range(options.seed, options.seed + options.pictures), until),
        "kills": partial(kills, options.kills, options.seed, until),
    }
    for part, run in parts.items():
        counts, wrong = run()
        print(f"{part}: {sum(counts.values())} tried, {counts['wrong']} wrong; {dict(counts)}", flush=True)
        print(*wrong, sep="\n", end="\n" if wrong else "", flush=True)
        bad += wrong
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
