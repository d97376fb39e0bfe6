"""Making plates: the same pixels again, nothing made twice, nothing half written."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import cs231n_viz as viz
from cs231n_viz.pictures.plates import Plate as ShippedPlate
from training import plate_methods, plates
from training.plate_methods import Tile
from training.plates import PLATES, Film, Plate, Sheet, compose, make


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def made(monkeypatch):
    """Declare a plate, "grey", that takes no time; returns the list of the values that were made."""
    values = []

    def grey(model, *, value, seed):
        values.append(value)
        yield Tile(torch.full((3, 16, 24), value), "grey")

    declared = {"grey": Plate(grey, ("mini_vgg",), {"value": 0.5}, "A grey sheet.", "Grey.")}
    monkeypatch.setattr(plates, "PLATES", declared)
    return values


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_the_small_plate_is_made_again_bit_for_bit(tmp_path, one_thread):
    path = make("channel_small", tmp_path)
    first = pixels(path)
    assert (pixels(make("channel_small", tmp_path, again=True)) == first).all()
    assert first.std() > 10
    shipped = viz.load_plate("channel_small")
    if shipped.settings["versions"] == plates.versions():
        assert (first == pixels(shipped.path)).all()
    else:  # rounding differs, and every step enlarges that
        error = (first / 255 - pixels(shipped.path) / 255) ** 2
        assert -10 * np.log10(error.mean()) > 30  # dB; 38 where the convolutions took another order of memory


def test_what_ships_was_made_as_it_is_declared_now():
    for name in viz.plate_names():
        plate = PLATES[name]
        shipped = viz.load_plate(name)
        stored = {key: value for key, value in shipped.settings.items() if key != "versions"}
        assert stored == json.loads(json.dumps(plate.settings())), name
        assert (shipped.caption, shipped.alt) == (plate.caption, plate.alt), name


def test_a_plate_is_made_once(tmp_path, made):
    path = make("grey", tmp_path)
    before = path.read_bytes()
    assert make("grey", tmp_path).read_bytes() == before
    assert made == [0.5]
    assert sorted(os.listdir(tmp_path)) == ["captions.json", "grey.jpg", "sha256.json"]


def test_a_plate_is_made_again_when_asked_or_when_its_settings_changed(tmp_path, made):
    make("grey", tmp_path)
    make("grey", tmp_path, again=True)
    assert made == [0.5, 0.5]
    plates.PLATES["grey"] = replace(PLATES_GREY := plates.PLATES["grey"], arguments={"value": 0.25})
    make("grey", tmp_path)
    assert made == [0.5, 0.5, 0.25]
    plates.PLATES["grey"] = replace(PLATES_GREY, arguments={"value": 0.25}, layout=Sheet(quality=60))
    make("grey", tmp_path)
    assert made == [0.5, 0.5, 0.25, 0.25]


def test_other_words_and_other_versions_are_no_reason_to_make_it_again(tmp_path, made, monkeypatch):
    make("grey", tmp_path)
    plates.PLATES["grey"] = replace(plates.PLATES["grey"], caption="Another caption.")
    monkeypatch.setattr(plates, "versions", lambda: {"torch": "99"})
    make("grey", tmp_path)
    assert made == [0.5]
    assert json.loads((tmp_path / "captions.json").read_text())["grey"]["caption"] == "Another caption."


@pytest.mark.parametrize("damage", [b"", b"no picture", None])
def test_a_damaged_plate_is_made_again(tmp_path, made, damage):
    path = make("grey", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] if damage is None else damage)  # cut short, its settings can still be read
    assert make("grey", tmp_path).read_bytes() == whole
    assert made == [0.5, 0.5]


@pytest.mark.parametrize("layout", [Sheet(), Film()])
@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing_and_keeps_what_was_there(tmp_path, made, layout, stopped):
    def interrupted(model, *, seed):
        yield Tile(torch.zeros(3, 8, 8))
        raise stopped("now")

    plates.PLATES["half"] = Plate(interrupted, ("mini_vgg",), {}, "Half.", "Half.", layout=layout)
    make("grey", tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with pytest.raises(stopped):
        make("half", tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    make("grey", tmp_path)
    assert made == [0.5]


def test_a_picture_that_could_not_be_written_is_not_there(tmp_path, made, monkeypatch):
    def half(self, path, *args, **kwargs):
        path.write_bytes(b"\xff\xd8 half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="no space left"):
        make("grey", tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_film_holds_its_frames_and_settings(tmp_path, made):
    def frames(model, *, seed):
        for value in (0.0, 0.5, 1.0):
            yield Tile(torch.full((3, 16, 16), value))

    plates.PLATES["film"] = Plate(frames, ("mini_vgg",), {}, "A film.", "From black to white.", layout=Film(fps=5))
    path = make("film", tmp_path)
    before = path.read_bytes()
    assert make("film", tmp_path).read_bytes() == before
    with Image.open(path) as film:
        assert (film.format, film.n_frames, film.info["loop"]) == ("WEBP", 3, 0)
        means = []
        for number in range(3):
            film.seek(number)
            means.append(np.asarray(film.convert("RGB")).mean().round())
            assert film.info["duration"] == 200
    assert means == [0, 128, 255]


def test_tiles_stand_in_rows_under_their_titles():
    colours = torch.eye(3)[:, :, None, None]
    page = np.asarray(compose([Tile(colour.expand(3, 20, 30), "title") for colour in colours], columns=2))
    assert page.shape == (2 * (20 + 19 + 8 + 8) + 8, 2 * (30 + 8) + 8, 3)
    assert (page[35:55, 8:38] == (255, 0, 0)).all()
    assert (page[35:55, 46:76] == (0, 255, 0)).all()
    assert (page[90:110, 8:38] == (0, 0, 255)).all()
    assert (page[90:110, 46:76] == 255).all()
    assert page[:33].min() < 100  # the title


def test_a_sheet_is_cut_into_its_tiles_again():
    pictures = (torch.rand(5, 3, 20, 31) * 255).round() / 255
    page = compose([Tile(picture, str(number)) for number, picture in enumerate(pictures)], 3)
    sheet = ShippedPlate("sheet", Path(), viz.load_image(page), {"layout": {"columns": 3}}, "", "")
    torch.testing.assert_close(sheet.tiles(5), pictures, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="'sheet' is no sheet of 0 tiles"):
        sheet.tiles(0)
    with pytest.raises(ValueError, match="'dream_sky' is no sheet of 4 tiles"):
        viz.load_plate("dream_sky").tiles(4)


def test_a_single_picture_without_a_title_is_left_as_it_is():
    image = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert (np.asarray(compose([Tile(image)], columns=4)) == (255 * image).round().permute(1, 2, 0).numpy()).all()


def test_plain_ascent_is_steps_of_length_one_from_the_mean_colour():
    """The gradient of a linear network is its weights w: after n steps the picture is clamp(start + n w / |w|)."""
    linear = torch.nn.Linear(3 * 6 * 6, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(2, 108, generator=torch.Generator().manual_seed(0)))
    mean, std = (0.3, 0.4, 0.5), (1.0, 1.0, 1.0)
    network = torch.nn.Sequential(torch.nn.Flatten(), linear)
    model = viz.wrap(network, ["cat", "dog"], mean=mean, std=std, input_size=6)
    (tile,) = plate_methods.plain_ascent(model, categories=["dog"], size=6, steps=4, seed=0)
    weights = linear.weight[1].detach().view(3, 6, 6)
    expected = (torch.tensor(mean).view(3, 1, 1) + 4 * weights / weights.norm()).clamp(0, 1)
    assert expected.min() == 0  # some pixels are clamped
    assert torch.allclose(tile.image, viz.resize(expected[None], (224, 224))[0], atol=1e-6)
    assert tile.title == "dog"


def test_channels_by_layer_have_a_layer_in_each_column_and_a_channel_in_each_row(monkeypatch):
    def visualized(model, channels, *, layer, size, **options):
        values = torch.tensor([float(layer[-1]) + channel / 10 for channel in channels])
        return SimpleNamespace(image=values.view(-1, 1, 1, 1).expand(-1, 3, size, size))

    monkeypatch.setattr(viz, "class_visualization", visualized)
    tiles = plate_methods.channels_by_layer(None, layers=["relu1", "relu2"], channels=[3, 5], size=4, steps=1, seed=0)
    found = [(tile.title, round(tile.image.unique().item(), 1)) for tile in tiles]
    assert found == [
        ("relu1, channel 3", 1.3),
        ("relu2, channel 3", 2.3),
        ("relu1, channel 5", 1.5),
        ("relu2, channel 5", 2.5),
    ]


def test_a_photograph_is_cut_to_its_rows_and_not_distorted(monkeypatch):
    rows, columns = torch.meshgrid(torch.arange(40) / 40, torch.arange(60) / 60, indexing="ij")
    monkeypatch.setattr(viz, "load_image", lambda name: torch.stack([rows, columns, columns]))
    upper = plate_methods.photograph("any", 20, 60, top=0.0, bottom=0.5)
    assert torch.equal(upper[0, :2], torch.stack([rows[:20], columns[:20]]))
    square = plate_methods.photograph("any", 40, 40)
    assert torch.equal(square[0, 1], columns[:, 10:50])


def test_an_unknown_plate_is_answered_with_the_nearest(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["plates", "clases", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        plates.main()
    assert "no plate 'clases'; did you mean 'classes'?" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_plate_whose_weights_are_not_there_yet_is_left_out(monkeypatch, capsys, tmp_path, made):
    plates.PLATES["later"] = replace(plates.PLATES["grey"], networks=("mini_later",))
    monkeypatch.setattr(sys, "argv", ["plates", "--out", str(tmp_path)])
    plates.main()
    assert "later waits for the weights of mini_later" in capsys.readouterr().out
    assert (tmp_path / "grey.jpg").is_file()
    assert not (tmp_path / "later.jpg").exists()


def test_evidence_for_the_class_is_red_against_it_blue_and_none_neutral():
    red, green, blue = plate_methods._signed(torch.tensor([[-1.0, 0.0, 1.0]]))
    assert blue[0, 0] > 2 * red[0, 0]
    assert red[0, 2] > 2 * blue[0, 2]
    assert max(red[0, 1], green[0, 1], blue[0, 1]) - min(red[0, 1], green[0, 1], blue[0, 1]) < 0.01
