"""Read pictures of any kind as tensors (3, H, W), RGB in [0, 1]; resize and blur them; convert them to 8-bit pixels.

Example::

    image = load_image("cat")                     # a sample that comes with an installed package
    image = load_image("holiday.jpg")             # a file; also its bytes, a PIL image, an array, a tensor
    to_pil(image).save("copy.png")

Nothing is guessed: an array is (H, W, channels) and a tensor (channels, H, W), integers span their full range and
floats lie in [0, 1]. Anything else raises an :class:`ImageError`. Colour profiles are not applied.
"""

import difflib
import io
import os
import warnings
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

ImageSource = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | np.ndarray | Tensor

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_WANTED = "wanted a whole JPEG, PNG, WebP, GIF, BMP or TIFF picture"
_MAX_PIXELS = 100_000_000
# A file with more pixels than the first number has at most so many for each of its bytes, as photographs by far do;
# others are made, or damaged, so as to fill the memory.
_BOMB_PIXELS, _BOMB_PER_BYTE = 10_000_000, 1000

_PACKAGES = {"skimage": "scikit-image", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}
_SAMPLES = {  # name: (package, file, origin as the package's documentation states it)
    "astronaut": ("skimage", "data/astronaut.png", "Eileen Collins; NASA, public domain"),
    "brick": ("skimage", "data/brick.png", "CC0Textures (Bricks25), CC0"),
    "camera": ("skimage", "data/camera.png", "Lav Varshney, CC0"),
    "cat": ("skimage", "data/chelsea.png", "Chelsea the cat; Stefan van der Walt, CC0"),
    "china": ("sklearn", "datasets/images/china.jpg", "danielbuechele on Flickr (6061409035), CC BY 2.0"),
    "clock": ("skimage", "data/clock_motion.png", "Stefan van der Walt, public domain"),
    "coffee": ("skimage", "data/coffee.png", "Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0"),
    "coins": ("skimage", "data/coins.png", "Brooklyn Museum, no known copyright restrictions"),
    "flower": (
        "sklearn",
        "datasets/images/flower.jpg",
        "credited to danielbuechele, with a link to vultilion on Flickr (6056698931), CC BY 2.0",
    ),
    "grace_hopper": (
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "Wikimedia Commons (File:Grace_Hopper.jpg, from the file's own comment); no licence stated",
    ),
    "grass": ("skimage", "data/grass.png", "linolafett on DeviantArt (Grass-01), CC0"),
    "gravel": ("skimage", "data/gravel.png", "CC0Textures (Gravel04), CC0"),
    "hubble_deep_field": ("skimage", "data/hubble_deep_field.jpg", "NASA, HubbleSite 2012-37, public domain"),
    "moon": ("skimage", "data/moon.png", "no author or licence stated"),
    "motorcycle": (
        "skimage",
        "data/motorcycle_left.png",
        "Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014), reduced; no licence stated",
    ),
    "page": ("skimage", "data/page.png", "no author or licence stated"),
    "retina": ("skimage", "data/retina.jpg", "Mikael Häggström, Wikimedia Commons, CC0"),
    "rocket": ("skimage", "data/rocket.jpg", "SpaceX, public domain"),
    "text": ("skimage", "data/text.png", "Wikipedia (File:Corner.png), public domain"),
}


class ImageError(ValueError):
    """A picture that cannot be used; the message names it and says what was wanted."""


def sample_images() -> list[str]:
    """List the photographs that installed packages bring, names for :func:`load_image`, in alphabetical order."""
    return sorted(_SAMPLES)


def sample_source(name: str) -> str:
    """Name a sample's origin: package and file, then author and licence as far as these are stated.

    Raises:
        ImageError: If ``name`` is not one of :func:`sample_images`.
    """
    if name not in _SAMPLES:
        raise ImageError(f"no sample image {name!r}; {_closest(name)}")
    package, file, origin = _SAMPLES[name]
    return f"{_PACKAGES[package]}, {package}/{file}: {origin}"


def load_image(source: ImageSource) -> Tensor:
    """Read a picture from a file, bytes, PIL, NumPy or torch.

    Args:
        source: One of

            - a name from :func:`sample_images`, else a path (write ``./cat`` for a file that is called ``cat``),
            - the bytes of a file,
            - a PIL image,
            - an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4): uint8, uint16, bool, or float in [0, 1],
            - a tensor (1, H, W) or (3, H, W): uint8, or float in [0, 1].

    Returns:
        (3, H, W) float32 on the CPU, RGB in [0, 1], sharing no memory with ``source``. Grey is repeated, transparency
        laid over white, the orientation in the EXIF data applied; of an animation the first frame.

    Raises:
        ImageError: If there is no such file, or it is not a picture, damaged, empty or over 100 megapixels, or has
            over 10 megapixels and less than a byte for a thousand of them; or if the array has another shape, dtype or
            range.
    """
    if isinstance(source, Tensor):
        return _from_tensor(source)
    if isinstance(source, np.ndarray):
        return _from_array(source, f"array of shape {source.shape}, {source.dtype}")
    if isinstance(source, Image.Image):
        return _decode(source, f"PIL image ({source.mode}, {source.width}x{source.height})")
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source))
    if isinstance(source, str) and source in _SAMPLES:
        return _from_file(_sample_path(source), f"sample {source!r}")
    if isinstance(source, str | os.PathLike):
        return _from_path(source)
    kind = type(source).__name__
    raise ImageError(f"cannot load a {kind}; wanted a sample name, path, bytes, PIL image, numpy array or torch tensor")


def to_uint8(image: Tensor) -> np.ndarray:
    """Convert a picture to 8-bit pixels: values are clamped to [0, 1] and rounded to the nearest of 256.

    Args:
        image: (3, H, W), float.

    Returns:
        (H, W, 3) uint8, sharing no memory with ``image``.

    Raises:
        ImageError: If ``image`` has another shape or dtype, or holds NaN.
    """
    wanted = "wanted one picture as a float tensor (3, H, W)"
    if not isinstance(image, Tensor):
        raise ImageError(f"got a {type(image).__name__}; {wanted}")
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ImageError(f"got a tensor of shape {tuple(image.shape)}, {image.dtype}; {wanted}")
    if image.numel() == 0:
        raise ImageError(f"got a picture without pixels, shape {tuple(image.shape)}; {wanted}")
    image = image.detach().cpu().float()
    if image.isnan().any():
        raise ImageError(f"the picture holds {int(image.isnan().sum())} NaN values; {wanted}")
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def to_pil(image: Tensor) -> Image.Image:
    """Convert a picture (3, H, W) to an RGB image of PIL, to save or to show; rounded as in :func:`to_uint8`.

    Raises:
        ImageError: If ``image`` has another shape or dtype, or holds NaN.
    """
    return Image.fromarray(to_uint8(image))


def _closest(name: str) -> str:
    names = difflib.get_close_matches(name.lower(), sample_images(), n=3, cutoff=0.5)
    return f"closest samples: {', '.join(names)}" if names else f"the samples are: {', '.join(sample_images())}"


def _sample_path(name: str) -> Path:
    package, file, _ = _SAMPLES[name]
    spec = find_spec(package)  # locates the package without importing it, which would take seconds
    if spec is None or not spec.submodule_search_locations:
        raise ImageError(f"sample {name!r} comes with {_PACKAGES[package]}: pip install {_PACKAGES[package]}")
    return Path(next(iter(spec.submodule_search_locations))) / file


def _from_path(source: str | os.PathLike) -> Tensor:
    path = Path(os.fsdecode(source))
    name = repr(str(path))
    try:
        path = path.expanduser()
        exists, is_folder, is_file = path.exists(), path.is_dir(), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise ImageError(f"cannot read {name}: {error}; {_WANTED}") from error
    if not exists:
        hint = f"; {_closest(source)}" if isinstance(source, str) else ""
        raise ImageError(f"no such file: {name}{hint}")
    if is_folder:
        raise ImageError(f"{name} is a folder; {_WANTED}")
    if not is_file:  # a pipe or a device might never end
        raise ImageError(f"{name} is not a regular file; {_WANTED}")
    return _from_file(path, name)


def _from_file(path: Path, name: str) -> Tensor:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _decode(file, name, size) if size else _from_bytes(b"", name)
    except OSError as error:
        raise ImageError(f"cannot read {name}: {error.strerror or error}; {_WANTED}") from error


def _from_bytes(data: bytes, name: str = "") -> Tensor:
    if not data:
        raise ImageError(f"{name or 'the bytes object'} is empty; {_WANTED}")
    return _decode(io.BytesIO(data), name or f"bytes object of length {len(data)}", len(data))


def _decode(source: IO[bytes] | Image.Image, name: str, size: int | None = None) -> Tensor:
    """Decode with PIL; the many kinds of errors that it raises for malformed bytes all become an ``ImageError``.

    ``size`` is that of the file in bytes, if it is one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's own about size, at 89 megapixels, and about damaged metadata
            opened = nullcontext(source) if isinstance(source, Image.Image) else Image.open(source, formats=FORMATS)
            with opened as image:
                _check_size(*image.size, name)
                _check_bomb(image.width * image.height, size, name)
                pixels = _pixels(image, name)
        return _from_array(pixels, name)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large; wanted at most 100 megapixels ({error})") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not a picture, or its header is damaged; {_WANTED}") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ImageError(f"{name} is damaged or truncated ({reason}); {_WANTED}") from error


def _check_size(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} wide, {height} high); {_WANTED}")
    if width * height > _MAX_PIXELS:
        size = f"{width}x{height}, {width * height / 1e6:.1f} megapixels"
        raise ImageError(f"{name} is too large ({size}); wanted at most 100 megapixels")


def _check_bomb(pixels: int, size: int | None, name: str) -> None:
    if size is not None and pixels > max(_BOMB_PIXELS, _BOMB_PER_BYTE * size):
        raise ImageError(
            f"{name} is damaged, or made to fill the memory: {pixels / 1e6:.1f} megapixels in {size} bytes; {_WANTED}"
        )


def _pixels(image: Image.Image, name: str) -> np.ndarray:
    """Decode a picture, rotate it upright, and return it as one of the arrays that ``_from_array`` takes."""
    stored = getattr(image, "tile", None)
    image.load()
    with suppress(Exception):  # metadata damaged, pixels intact: keep the stored orientation, as viewers do
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return _deep_grey(image, name)
    if image.mode == "F":
        return np.asarray(image)
    if image.has_transparency_data:
        return np.asarray(_with_alpha(image, str(stored[0][3]) if stored else ""))
    return np.asarray(image.convert("RGB"))


def _deep_grey(image: Image.Image, name: str) -> np.ndarray:
    """Return 16-bit grey, in any of PIL's modes for it; with an alpha channel if one value stands for transparent."""
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ImageError(f"{name}: grey values from {pixels.min()} to {pixels.max()}; wanted 16 bits, 0 to 65535")
    grey = pixels.astype(np.uint16)
    if "transparency" not in image.info:
        return grey
    alpha = np.where(pixels == image.info["transparency"], 0, 65535).astype(np.uint16)
    return np.stack([grey, grey, grey, alpha], axis=2)


def _with_alpha(image: Image.Image, stored: str) -> Image.Image:
    # PIL converts the pixels of a PNG to 8 bits but leaves the transparent colour at the file's own depth.
    key = image.info.get("transparency")
    scale = {"L;2": 85, "L;4": 17}.get(stored)
    if scale or stored == "RGB;16B":
        image = image.copy()
        image.info["transparency"] = key * scale if scale else tuple(value >> 8 for value in key)
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _from_tensor(tensor: Tensor) -> Tensor:
    name = f"tensor of shape {tuple(tensor.shape)}, {tensor.dtype}"
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3):
        hint = " (take one picture of the batch: images[0])" if tensor.ndim == 4 else ""
        hint = " (an array may be (H, W, 3); a tensor may not)" if tensor.ndim == 3 and tensor.shape[2] == 3 else hint
        raise ImageError(f"{name}; wanted channels first, (3, H, W) or (1, H, W){hint}")
    if tensor.dtype != torch.uint8 and not tensor.is_floating_point():
        raise ImageError(f"{name}; wanted uint8, or float in [0, 1]")
    tensor = tensor.detach().cpu()
    array = (tensor if tensor.dtype == torch.uint8 else tensor.float()).permute(1, 2, 0).numpy()
    return _from_array(array, name)


def _from_array(array: np.ndarray, name: str) -> Tensor:
    """Convert (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of any allowed dtype to (3, H, W) float32."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        hint = " (channels first? then torch.from_numpy(array))" if array.ndim == 3 and array.shape[0] in (1, 3) else ""
        raise ImageError(f"{name}; wanted (H, W), (H, W, 1), (H, W, 3) or (H, W, 4){hint}")
    _check_size(array.shape[1], array.shape[0], name)
    pixels = _scaled(array, name).reshape(*array.shape[:2], -1)
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:]
        pixels = pixels[:, :, :3] * alpha + (1 - alpha)
    return torch.from_numpy(pixels).permute(2, 0, 1).expand(3, -1, -1).contiguous()


def _scaled(array: np.ndarray, name: str) -> np.ndarray:
    """Copy as float32, scaled to [0, 1]."""
    largest = {"b1": 1, "u1": 255, "u2": 65535}.get(array.dtype.str[1:])
    if largest is None and array.dtype.kind != "f":
        raise ImageError(f"{name}; wanted uint8, uint16, bool, or float in [0, 1]")
    if largest is None and not (array.min() >= 0 and array.max() <= 1):  # NaN fails as well
        raise ImageError(f"{name}: values from {array.min():g} to {array.max():g}; wanted finite values in [0, 1]")
    pixels = array.astype(np.float32)
    return pixels if largest in (None, 1) else np.divide(pixels, np.float32(largest), out=pixels)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize pictures, bilinear and antialiased.

    Args:
        images: (N, C, H, W).
        size: (height, width) in pixels.

    Returns:
        (N, C, height, width); ``images`` itself if it has this size.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def resize_shorter(image: Tensor, side: int) -> Tensor:
    """Resize a picture so that its short side is ``side`` pixels, bilinear and antialiased.

    Args:
        image: (C, H, W).
        side: Short side of the result in pixels.

    Returns:
        (1, C, height, width), a batch of one.
    """
    short = min(image.shape[1:])
    height, width = (side * length // short for length in image.shape[1:])
    return resize(image[None], (height, width))


def centre_square(image: Tensor, side: int) -> Tensor:
    """Resize a picture so that its short side is ``side`` pixels, and crop the centre square.

    Args:
        image: (3, H, W), RGB in [0, 1].
        side: Side of the result in pixels.

    Returns:
        (1, 3, side, side), RGB in [0, 1], a batch of one.
    """
    picture = resize_shorter(image, side)
    top, left = (round((length - side) / 2) for length in picture.shape[2:])
    return picture[..., top : top + side, left : left + side].clamp(0, 1)


def gaussian_blur(images: Tensor, size: int, sigma: float) -> Tensor:
    """Blur pictures by a Gaussian, down and then across, mirrored at the border pixel (PyTorch's "reflect").

    It is torchvision's without the import, which takes longer than that of the whole package.

    Args:
        images: (N, C, H, W).
        size: Number of weights in each direction, odd.
        sigma: Standard deviation in pixels.

    Returns:
        (N, C, H, W).
    """
    reach, channels = size // 2, images.shape[1]
    distances = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = (-(distances / sigma).square() / 2).softmax(0)  # exp(-d² / 2σ²), divided by their sum
    weights = weights.to(images).expand(channels, 1, 1, size)
    padded = F.pad(images, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(F.conv2d(padded, weights.mT, groups=channels), weights, groups=channels)
