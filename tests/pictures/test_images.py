import io
import struct
import sys
import time
import warnings
import zlib
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cs231n_viz.pictures import images
from cs231n_viz.pictures.images import ImageError, load_image, sample_images, sample_source, to_pil, to_uint8

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY16 = np.array([[0, 1, 255], [256, 40000, 65535]], dtype=np.uint16)
y, x = np.mgrid[:48, :64]
SMOOTH = np.stack([4 * x, 5 * y, 2 * (x + y)], axis=2).astype(np.uint8)  # lossy formats keep this closely


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def expected(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(array, 2, 0).astype(np.float32) / np.float32(255))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], depth: int, colour_type: int, rows: bytes, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# ---- formats and modes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
    ],
)
def test_lossless_formats_give_exact_pixels_from_bytes_and_from_a_file(tmp_path, kind, options):
    data = encoded(Image.fromarray(COLOURS), kind, **options)
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), path, str(path), Image.open(path)):
        image = load_image(source)
        assert image.dtype == torch.float32
        assert image.is_contiguous()
        assert torch.equal(image, expected(COLOURS))


@pytest.mark.parametrize("options", [{"quality": 95}, {"quality": 95, "progressive": True}])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_stay_close(kind, options):
    image = load_image(encoded(Image.fromarray(SMOOTH), kind, **options))
    assert image.shape == (3, 48, 64)
    assert (image - expected(SMOOTH)).abs().mean() < 0.02


def test_gif_and_animations_give_their_first_frame():
    palette = Image.fromarray(COLOURS).quantize(54)
    wanted = expected(np.asarray(palette.convert("RGB")))
    other = palette.rotate(180)
    assert torch.equal(load_image(encoded(palette, "GIF")), wanted)
    assert torch.equal(load_image(encoded(palette, "GIF", save_all=True, append_images=[other])), wanted)
    first, second = Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1].copy())
    animation = encoded(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert torch.equal(load_image(animation), expected(COLOURS))
    pages = encoded(first, "TIFF", save_all=True, append_images=[second])
    assert torch.equal(load_image(pages), expected(COLOURS))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_grey_and_one_bit_are_repeated_over_the_channels(kind):
    grey = COLOURS[:, :, 0]
    assert torch.equal(load_image(encoded(Image.fromarray(grey), kind)), expected(np.stack([grey] * 3, axis=2)))
    bits = Image.fromarray(np.where(grey > 127, 255, 0).astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    wanted = torch.from_numpy((grey > 127).astype(np.float32)).expand(3, -1, -1)
    assert torch.equal(load_image(encoded(bits, kind)), wanted)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_over_white(kind):
    alpha = np.array([0, 1, 64, 128, 200, 255], np.uint8)[:, None].repeat(9, axis=1)
    rgba = np.dstack([COLOURS, alpha])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = load_image(encoded(Image.fromarray(rgba), kind, **options))
    a = alpha / 255
    closed_form = np.moveaxis(COLOURS / 255 * a[:, :, None] + (1 - a[:, :, None]), 2, 0)
    assert np.allclose(image.numpy(), closed_form, atol=1e-6, rtol=0)
    assert bool((image[:, 0] == 1).all()), "fully transparent is white"
    assert torch.equal(image[:, 5], expected(COLOURS)[:, 5]), "opaque is untouched"


def test_grey_with_alpha():
    image = load_image(encoded(Image.merge("LA", [Image.new("L", (2, 1), 51), Image.new("L", (2, 1), 51)]), "PNG"))
    assert torch.allclose(image, torch.full((3, 1, 2), 0.2 * 0.2 + 0.8), atol=1e-6)


@pytest.mark.parametrize("mode", ["RGBa", "La", "PA"])
def test_rarer_modes_with_alpha(mode):
    whole = Image.new("LA" if mode == "La" else "RGBA", (2, 1), (51, 0) if mode == "La" else (51, 51, 51, 0))
    assert torch.equal(load_image(whole.convert(mode)), torch.ones(3, 1, 2))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    inks = {(0, 0, 0, 0): (1, 1, 1), (255, 0, 0, 0): (0, 1, 1), (0, 255, 0, 0): (1, 0, 1), (0, 0, 0, 255): (0, 0, 0)}
    for ink, colour in inks.items():
        image = load_image(encoded(Image.new("CMYK", (8, 8), ink), kind))
        assert torch.allclose(image, torch.tensor(colour, dtype=torch.float32)[:, None, None], atol=0.02)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_and_without_transparency(kind):
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    assert torch.equal(load_image(encoded(picture, kind))[:, 0], torch.eye(3))
    wanted = torch.eye(3)
    wanted[:, 1] = 1
    assert torch.equal(load_image(encoded(picture, kind, transparency=1))[:, 0], wanted)


def test_palette_with_graded_transparency():
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    image = load_image(encoded(picture, "PNG", transparency=bytes([255, 51, 0])))[:, 0]
    assert torch.allclose(image, torch.tensor([[1, 0.8, 1], [0, 1, 1], [0, 0.8, 1]]), atol=1e-6)


@pytest.mark.parametrize(
    ("depth", "row", "key", "wanted"),
    [
        (1, b"\x80", 1, [1, 0]),  # white is transparent, hence white again
        (1, b"\x80", 0, [1, 1]),
        (2, b"\x10", 0, [1, 1 / 3]),  # 0 and 1 of 3
        (2, b"\x10", 1, [0, 1]),
        (4, b"\x03", 3, [0, 1]),  # 0 and 3 of 15
        (8, b"\x00\x33", 0x33, [0, 1]),
        (16, b"\x00\x00\x12\x34", 0x1234, [0, 1]),
        (16, b"\x00\x00\x12\x34", 0, [1, 0x1234 / 65535]),
    ],
)
def test_grey_png_with_a_transparent_value_at_every_depth(depth, row, key, wanted):
    data = png((2, 1), depth, 0, b"\0" + row, chunk(b"tRNS", struct.pack(">H", key)))
    assert torch.allclose(load_image(data)[:, 0], torch.tensor(wanted).float().expand(3, -1), atol=1e-6)


@pytest.mark.parametrize("depth", [8, 16])
def test_colour_png_with_a_transparent_colour(depth):
    pixels = np.array([[10, 20, 30], [200, 100, 50]])
    stored = pixels if depth == 8 else pixels * 256 + 7  # PIL keeps the upper byte
    row = stored.astype(">u1" if depth == 8 else ">u2").tobytes()
    data = png((2, 1), depth, 2, b"\0" + row, chunk(b"tRNS", struct.pack(">HHH", *stored[0])))
    wanted = torch.tensor([[1, 1, 1], [200 / 255, 100 / 255, 50 / 255]]).T
    assert torch.allclose(load_image(data)[:, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    wanted = torch.from_numpy((GREY16 / 65535).astype(np.float32)).expand(3, -1, -1)
    image = load_image(encoded(Image.fromarray(GREY16), kind))
    assert torch.allclose(image, wanted, atol=1e-7, rtol=0)
    assert len(image.unique()) == 6


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_pil_modes_of_16_bit_grey(mode):
    if mode == "I":
        picture = Image.fromarray(GREY16.astype(np.int32))
    else:
        picture = Image.frombytes(mode, (3, 2), GREY16.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    assert picture.mode == mode
    assert torch.equal(load_image(picture), load_image(GREY16))


def test_pil_values_of_unknown_range_are_refused():
    with pytest.raises(ImageError, match=r"PIL image.*-1 to 70000.*0 to 65535"):
        load_image(Image.fromarray(np.array([[-1, 70000]], np.int32)))
    with pytest.raises(ImageError, match=r"values from 0 to 255; wanted finite values in \[0, 1\]"):
        load_image(Image.fromarray(np.array([[0, 255]], np.float32)))
    half = load_image(encoded(Image.fromarray(np.array([[0, 0.5]], np.float32)), "TIFF"))
    assert half[:, 0].tolist() == [[0, 0.5]] * 3


# ---- EXIF -----------------------------------------------------------------------------------------------------------

# From the EXIF standard, tag 274: where row 0 and column 0 of the stored pixels belong, here as the stored
# arrangement of a picture whose upright pixels are numbered 0 1 2 / 3 4 5.
STORED = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[2, 5], [1, 4], [0, 3]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[3, 0], [4, 1], [5, 2]],
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    levels = np.array(STORED[orientation], np.uint8) * 50
    blocks = np.kron(levels, np.ones((16, 16), np.uint8))  # large blocks survive JPEG
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(blocks).convert("RGB"), kind, exif=exif, **options)
    upright = torch.tensor([[0, 1, 2], [3, 4, 5]]) * 50 / 255
    for source in (data, Image.open(io.BytesIO(data))):
        image = load_image(source)
        assert image.shape == (3, 32, 48)
        assert torch.allclose(image[:, 8::16, 8::16], upright.expand(3, -1, -1), atol=0.01)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_ignored(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    assert torch.equal(load_image(encoded(Image.fromarray(COLOURS), "PNG", exif=exif)), expected(COLOURS))


def test_a_sound_picture_with_damaged_exif_is_shown_as_stored():
    data = png((1, 1), 8, 2, b"\0\x33\x66\x99", chunk(b"eXIf", b"MM\0\x63 no directory here"))
    assert torch.allclose(load_image(data)[:, 0, 0], torch.tensor([0.2, 0.4, 0.6]), atol=1e-6)


# ---- arrays and tensors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "first"),
    [
        (np.full((2, 3), 51, np.uint8), [0.2, 0.2, 0.2]),
        (np.full((2, 3, 1), 51, np.uint8), [0.2, 0.2, 0.2]),
        (np.full((2, 3, 3), [51, 102, 255], np.uint8), [0.2, 0.4, 1]),
        (np.full((2, 3, 4), [51, 102, 255, 51], np.uint8), [0.84, 0.88, 1]),
        (np.full((2, 3), 13107, np.uint16), [0.2, 0.2, 0.2]),
        (np.full((2, 3), 13107, ">u2"), [0.2, 0.2, 0.2]),
        (np.full((2, 3, 4), [0, 65535, 13107, 13107], np.uint16), [0.8, 1, 0.84]),
        (np.full((2, 3), True), [1, 1, 1]),
        (np.full((2, 3, 3), [0, 0.25, 1], np.float64), [0, 0.25, 1]),
        (np.full((2, 3, 3), [0, 0.25, 1], np.float16), [0, 0.25, 1]),
        (np.full((2, 3, 4), [0, 0.25, 1, 0.5], np.float32), [0.5, 0.625, 1]),
    ],
)
def test_arrays(array, first):
    image = load_image(array)
    assert image.shape == (3, 2, 3)
    assert image.dtype == torch.float32
    assert torch.allclose(image, torch.tensor(first, dtype=torch.float32)[:, None, None].expand(3, 2, 3), atol=1e-6)


def test_tensors():
    floats = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(load_image(floats), floats)
    assert torch.equal(load_image(floats.double()), floats)
    assert torch.equal(load_image(floats.requires_grad_()), floats.detach())
    assert not load_image(floats).requires_grad
    assert torch.equal(load_image(floats[:1]), floats[:1].detach().expand(3, -1, -1))
    assert torch.equal(load_image(torch.tensor([[[51, 255]]], dtype=torch.uint8)), torch.tensor([[[0.2, 1]]] * 3))
    assert load_image(torch.full((3, 1, 1), 0.5, dtype=torch.bfloat16)).tolist() == [[[0.5]]] * 3


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_an_array_is_neither_altered_nor_aliased(shape, step):
    array = np.random.default_rng(0).random(shape, dtype=np.float32)[::step, ::step]
    before = array.copy()
    load_image(array).zero_()
    assert np.array_equal(array, before)
    read_only = before.copy()
    read_only.flags.writeable = False
    load_image(read_only).zero_()
    assert np.array_equal(read_only, before)


def test_a_tensor_and_a_pil_image_are_neither_altered_nor_aliased():
    tensor = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    before = tensor.clone()
    load_image(tensor).zero_()
    assert torch.equal(tensor, before)
    grey = load_image(tensor[:1])
    grey[0] = 0
    assert torch.equal(grey[1], before[0]), "the repeated channels are separate"
    picture = Image.fromarray(COLOURS)
    load_image(picture).zero_()
    assert np.array_equal(np.asarray(picture), COLOURS)
    picture.info["transparency"] = tuple(int(value) for value in COLOURS[0, 0])
    assert load_image(picture)[:, 0, 0].tolist() == [1, 1, 1]
    assert picture.mode == "RGB"
    assert "transparency" in picture.info


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((3, 8, 8)), r"shape \(3, 8, 8\).*wanted \(H, W\).*channels first\? then torch.from_numpy"),
        (np.zeros((8, 8, 2)), r"shape \(8, 8, 2\).*\(H, W, 4\)$"),
        (np.zeros(8), r"shape \(8,\)"),
        (np.zeros((1, 8, 8, 3)), r"shape \(1, 8, 8, 3\)"),
        (np.zeros((0, 8, 3)), r"no pixels \(8 wide, 0 high\)"),
        (np.zeros((8, 0)), r"no pixels \(0 wide, 8 high\)"),
        (np.zeros((8, 8), np.int64), r"int64; wanted uint8, uint16, bool, or float in \[0, 1\]"),
        (np.zeros((8, 8), complex), r"complex128; wanted uint8"),
        (np.zeros((8, 8), object), r"object; wanted uint8"),
        (np.array([[0, 255.0]]), r"from 0 to 255; wanted finite values in \[0, 1\]"),
        (np.array([[-0.5, 1]]), r"from -0.5 to 1; wanted finite"),
        (np.array([[0, np.nan]]), r"nan.*wanted finite"),
        (np.array([[0, np.inf]]), r"inf; wanted finite"),
        (torch.zeros(8, 8, 3), r"shape \(8, 8, 3\).*wanted channels first, \(3, H, W\).*an array may be"),
        (torch.zeros(1, 3, 8, 8), r"\(3, H, W\) or \(1, H, W\) \(take one picture of the batch: images\[0\]\)"),
        (torch.zeros(4, 8, 8), r"shape \(4, 8, 8\).*channels first"),
        (torch.zeros(8, 8), r"shape \(8, 8\).*channels first"),
        (torch.zeros(3, 0, 8), r"no pixels"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), r"torch.int64; wanted uint8, or float in \[0, 1\]"),
        (torch.full((3, 8, 8), 2.0), r"from 2 to 2; wanted finite values in \[0, 1\]"),
        (Image.new("RGB", (0, 5)), r"PIL image \(RGB, 0x5\) has no pixels"),
        (np.broadcast_to(np.uint8(0), (10001, 10000)), r"10000x10001, 100.0 megapixels.*at most 100 megapixels"),
        (None, r"cannot load a NoneType; wanted a sample name, path, bytes"),
        ([[0, 1]], r"cannot load a list"),
    ],
)
def test_what_is_not_a_picture_is_refused_with_what_was_wanted(source, message):
    with pytest.raises(ImageError, match=message):
        load_image(source)


# ---- files that cannot be used --------------------------------------------------------------------------------------


def test_missing_file_names_the_closest_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError, match=r"no such file: 'astronat'; closest samples: astronaut"):
        load_image("astronat")
    with pytest.raises(ImageError, match=r"no such file: 'zzzzzz'; the samples are: astronaut, .*text"):
        load_image("zzzzzz")
    with pytest.raises(ImageError, match=r"no such file: 'cat'$"):
        load_image(Path("cat"))


def test_a_sample_name_wins_over_a_file_and_a_path_reaches_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("cat").write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    assert load_image("cat").shape == (3, 300, 451)
    assert torch.equal(load_image("./cat"), expected(COLOURS))
    assert torch.equal(load_image(Path("cat")), expected(COLOURS))


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.png").write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    assert torch.equal(load_image("~/mine.png"), expected(COLOURS))


def test_folder_empty_file_and_foreign_file(tmp_path):
    with pytest.raises(ImageError, match=rf"{tmp_path.name}' is a folder; wanted a whole JPEG, PNG"):
        load_image(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png' is empty; wanted"):
        load_image(tmp_path / "empty.png")
    (tmp_path / "notes.png").write_text("no picture at all")
    with pytest.raises(ImageError, match=r"notes\.png' is not a picture.*wanted"):
        load_image(tmp_path / "notes.png")
    with pytest.raises(ImageError, match=r"the bytes object is empty"):
        load_image(b"")
    with pytest.raises(ImageError, match=r"bytes object of length 3 is not a picture"):
        load_image(b"abc")


def test_other_formats_that_pil_knows_are_not_opened():
    with pytest.raises(ImageError, match="not a picture"):
        load_image(encoded(Image.fromarray(COLOURS), "PPM"))


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000, "~nobody-of-this-name/x.png"])
def test_strange_paths(path):
    with pytest.raises(ImageError):
        load_image(path)


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"cannot read .*secret\.png': Permission denied; wanted"):
        load_image(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_refused_rather_than_read_for_ever():
    with pytest.raises(ImageError, match="not a regular file"):
        load_image("/dev/zero")


# ---- size -----------------------------------------------------------------------------------------------------------


def header_only(kind: str, width: int, height: int) -> bytes:
    if kind == "PNG":
        return png((width, height), 8, 2, b"")
    if kind == "GIF":
        return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(9) + b"\x02\x00;"
    if kind == "BMP":
        size = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + size
    data = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("sides", [(10001, 10000), (13000, 13000), (60000, 60000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_a_huge_picture_is_refused_from_its_header(kind, sides):
    limit = Image.MAX_IMAGE_PIXELS
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=r"too large.*at most 100 megapixels"):
            load_image(header_only(kind, *sides))
    assert time.process_time() - start < 0.5
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_limit_is_100_megapixels_in_spite_of_the_lower_one_of_pil():
    data = png((10_000, 9_500), 1, 0, bytes(1251 * 9_500))  # PIL warns from 89 megapixels on
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(io.BytesIO(header_only("PNG", 100, 100))):
            pass
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(io.BytesIO(data))
        images._check_size(10_000, 10_000, "the largest picture allowed")
        with pytest.raises(ImageError, match=" damaged"):  # neither a warning nor "too large"
            load_image(data[:200])
    assert limit == Image.MAX_IMAGE_PIXELS
    assert filters == warnings.filters


# ---- damaged files --------------------------------------------------------------------------------------------------


def _sound_files() -> dict[str, bytes]:
    colours = Image.fromarray(SMOOTH[:24, :32].copy())
    palette, exif = colours.quantize(32), Image.Exif()
    exif[274] = 6
    return {
        "jpeg": encoded(colours, "JPEG", exif=exif),
        "progressive jpeg": encoded(colours, "JPEG", progressive=True),
        "cmyk jpeg": encoded(colours.convert("CMYK"), "JPEG"),
        "png": encoded(colours, "PNG", exif=exif),
        "palette png": encoded(palette, "PNG", transparency=bytes(range(0, 256, 8))),
        "16-bit png": encoded(Image.fromarray(SMOOTH[:24, :32, 0].astype(np.uint16) * 257), "PNG"),
        "webp": encoded(colours, "WEBP", exif=exif),
        "lossless webp": encoded(colours.convert("RGBA"), "WEBP", lossless=True),
        "gif": encoded(palette, "GIF", transparency=3),
        "animated gif": encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "bmp": encoded(colours, "BMP"),
        "palette bmp": encoded(palette, "BMP"),
        "tiff": encoded(colours, "TIFF", exif=exif),
        "lzw tiff": encoded(colours, "TIFF", compression="tiff_lzw"),
        "one-bit tiff": encoded(colours.convert("1"), "TIFF", compression="group4"),
    }


SOUND = _sound_files()


@pytest.mark.parametrize("kind", SOUND)
def test_a_truncated_file_is_refused_unless_every_pixel_is_there(kind, tmp_path):
    data, path = SOUND[kind], tmp_path / "cut"
    whole = load_image(data)
    refused = 0
    for length in sorted({*range(1, len(data), max(1, len(data) // 60)), *range(len(data) - 12, len(data))}):
        path.write_bytes(data[:length])
        for source in (data[:length], path):
            try:
                image = load_image(source)
            except ImageError as error:
                assert "wanted a whole JPEG" in str(error)  # noqa: PT017 - both outcomes are right
                refused += 1
            else:
                assert torch.equal(image, whole), f"cut to {length} of {len(data)} bytes"
    assert refused >= 50


def test_a_truncated_photograph_is_refused():
    for name in ("astronaut", "rocket"):
        data = images._sample_path(name).read_bytes()
        for length in (100, len(data) // 3, len(data) - 1000):
            with pytest.raises(ImageError, match=rf"length {length} is damaged or truncated"):
                load_image(data[:length])


def test_a_truncated_picture_of_pil_is_refused():
    with pytest.raises(ImageError, match=r"PIL image \(RGB, 32x24\) is damaged or truncated"):
        load_image(Image.open(io.BytesIO(SOUND["bmp"][:1000])))


@pytest.mark.parametrize(
    "error", [OSError, SyntaxError, struct.error, zlib.error, EOFError, MemoryError, OverflowError, RecursionError]
)
def test_whatever_pil_raises_becomes_one_error_with_its_cause(monkeypatch, error):
    def fail(*_, **__):
        warnings.warn("damaged metadata", stacklevel=1)
        raise error("deep inside")

    monkeypatch.setattr(images.Image, "open", fail)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ImageError, match="deep inside") as raised:
            load_image(b"some bytes")
    assert isinstance(raised.value.__cause__, error)
    assert caught == []


malformed = settings(
    max_examples=120,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)


def assert_picture_or_image_error(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = load_image(data)
        except ImageError as error:
            assert len(str(error)) > 20  # noqa: PT017 - both outcomes are right
            return
    assert image.ndim == 3
    assert image.shape[0] == 3
    assert image.dtype == torch.float32
    assert image.numel() > 0
    assert image.min() >= 0
    assert image.max() <= 1


SIGNATURES = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF\xff\0\0\0WEBPVP8 ",
]


@malformed
@given(start=st.sampled_from(SIGNATURES), rest=st.binary(max_size=400))
def test_random_bytes(start, rest):
    assert_picture_or_image_error(start + rest)


@pytest.mark.parametrize("kind", SOUND)
@settings(malformed, max_examples=40)
@given(draw=st.data())
def test_mutated_files(kind, draw):
    data = bytearray(SOUND[kind])
    # Headers hold the sizes, counts and offsets, so half of the damage goes there.
    position = st.integers(0, len(data) - 1) | st.integers(0, min(len(data), 160) - 1)
    for at, value in draw.draw(st.lists(st.tuples(position, st.integers(0, 255)), min_size=1, max_size=6)):
        data[at] = value
    cut, gap = draw.draw(position), draw.draw(st.integers(0, 8))
    assert_picture_or_image_error(bytes(data))
    assert_picture_or_image_error(bytes(data[:cut] + data[cut + gap :]))
    assert_picture_or_image_error(bytes(data[:cut]))


@malformed
@given(
    width=st.integers(0, 2**32 - 1) | st.integers(0, 40),
    height=st.integers(0, 2**32 - 1) | st.integers(0, 40),
    depth=st.sampled_from([1, 2, 4, 8, 16, 3]),
    colour_type=st.integers(0, 7),
    rows=st.binary(max_size=300),
    key=st.none() | st.binary(max_size=12),
)
def test_png_with_sound_checksums_and_any_content(width, height, depth, colour_type, rows, key):
    more = [] if key is None else [chunk(b"PLTE", bytes(range(30))), chunk(b"tRNS", key), chunk(b"eXIf", key)]
    assert_picture_or_image_error(png((width, height), depth, colour_type, rows, *more))


# ---- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sample_images())
def test_every_sample_loads_at_a_sensible_size(name):
    image = load_image(name)
    assert image.shape[0] == 3
    assert min(image.shape[1:]) >= 170
    assert max(image.shape[1:]) <= 1500
    assert image.std() > 0.03
    package, rest = sample_source(name).split(", ", 1)
    assert package in {"scikit-image", "scikit-learn", "matplotlib"}
    assert images._sample_path(name).as_posix().endswith(rest.split(": ")[0])


def test_samples_are_the_pictures_that_the_packages_give():
    from skimage import data
    from sklearn.datasets import load_sample_image

    assert np.array_equal(to_uint8(load_image("cat")), data.chelsea())
    assert np.array_equal(to_uint8(load_image("motorcycle")), data.stereo_motorcycle()[0])
    assert np.array_equal(to_uint8(load_image("china")), load_sample_image("china.jpg"))
    assert load_image("grace_hopper").shape == (3, 600, 512)


def test_samples_are_sorted_and_listed_afresh():
    names = sample_images()
    assert names == sorted(set(names))
    assert {"astronaut", "cat", "china", "coffee", "flower", "grace_hopper", "motorcycle", "rocket"} <= set(names)
    names.clear()
    assert sample_images()


def test_unknown_sample_source():
    with pytest.raises(ImageError, match="no sample image 'coffe'; closest samples: coffee"):
        sample_source("coffe")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    with pytest.raises(ImageError, match="sample 'cat' comes with scikit-image: pip install scikit-image"):
        load_image("cat")


def test_loading_a_sample_imports_none_of_the_packages(monkeypatch):
    packages = ("skimage", "sklearn", "matplotlib")

    def loaded():
        return [name for name in sys.modules if name.split(".")[0] in packages]

    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    for name in sample_images():
        load_image(name)
    assert loaded() == []


# ---- and out again --------------------------------------------------------------------------------------------------


def test_round_trip_of_every_level_is_exact():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(to_uint8(load_image(levels)), levels)
    picture = to_pil(load_image(COLOURS))
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), COLOURS)
    assert torch.equal(load_image(picture), expected(COLOURS))


def test_to_uint8_rounds_and_clamps():
    values = torch.tensor([-3, 0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 7, float("inf")]).reshape(1, 1, 7)
    image = values.expand(3, -1, -1).clone().requires_grad_()
    assert to_uint8(image)[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255]
    assert to_uint8(image).shape == (1, 7, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(1, 3, 4, 4), r"shape \(1, 3, 4, 4\), torch.float32; wanted one picture"),
        (torch.zeros(4, 4, 3), r"shape \(4, 4, 3\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"torch.uint8; wanted one picture as a float tensor"),
        (torch.zeros(3, 0, 4), r"without pixels"),
        (torch.full((3, 2, 2), float("nan")), r"12 NaN values"),
        (np.zeros((4, 4, 3)), r"got a ndarray; wanted"),
    ],
)
def test_what_cannot_be_shown_is_refused(image, message):
    for convert in (to_uint8, to_pil):
        with pytest.raises(ImageError, match=message):
            convert(image)


@pytest.mark.parametrize(("size", "sigma"), [(1, 0.5), (5, 0.7), (9, 3.0), (31, 12.0)])
def test_the_blur_is_torchvisions(size, sigma):
    from torchvision.transforms import functional as reference

    batch = torch.rand(2, 3, 20, 31, dtype=torch.float64)
    wanted = reference.gaussian_blur(batch, size, sigma)
    torch.testing.assert_close(images.gaussian_blur(batch, size, sigma), wanted)


@pytest.mark.parametrize("shape", [(40, 61), (61, 40), (33, 33), (20, 90)])
def test_the_centre_square_is_torchvisions(shape):
    from torchvision.transforms import functional as reference

    image = torch.rand(3, *shape)
    wanted = reference.center_crop(reference.resize(image, 24, antialias=True), [24, 24]).clamp(0, 1)
    torch.testing.assert_close(images.centre_square(image, 24)[0], wanted)
