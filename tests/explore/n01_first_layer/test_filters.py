"""The explorers of first filters and their responses: clicks choose, and a learner's function feeds them."""

import torch

from cs231n_viz import explore, load_image, load_model
from cs231n_viz.explore.toolkit.canvas import SCALE, Canvas
from cs231n_viz.pictures.images import to_uint8
from tests.explore.controls import median_seconds, move_every_control, position, press


def test_filters_follow_every_control_and_clicks():
    explorer = explore.filters()
    move_every_control(explorer)
    explorer.controls["network"].value = "mini_alexnet"
    pitch = int(400 * SCALE) // 8
    explorer.view.position = (int(32 * SCALE) + pitch + 5, int(8 * SCALE) + 3 * pitch + 5)
    assert explorer.controls["filter"].value == 11
    explorer.view.position = (0, 0)  # beside the grid
    assert explorer.controls["filter"].value == 11


def test_filters_open_with_an_oriented_edge_on_a_photograph_in_colour():
    explorer = explore.filters(["mini_alexnet"])
    weights = load_model("mini_alexnet").network.conv1.weight[explorer.controls["filter"].value]
    grey = weights.mean(0)
    assert 3 * grey.square().sum() > 0.9 * weights.square().sum()  # hardly any colour
    spectrum = torch.fft.fft2(grey).abs().square()
    row, column = divmod(int(spectrum[:6].argmax()), 11)  # one half; the other one is its mirror image
    wave = spectrum[row, column] + spectrum[-row, -column]
    assert wave > spectrum.sum() / 4  # one wave alone, of 121 pixels
    photo = load_image(explorer.controls["photograph"].value)
    assert (photo.amax(0) - photo.amin(0)).mean() > 0.1


def test_arrow_keys_need_no_click_in_filters():
    explorer = explore.filters(["mini_alexnet"])
    start = explorer.controls["filter"].value
    press(explorer, "up")
    press(explorer, "left")
    assert explorer.controls["filter"].value == start - 9


def test_a_click_on_a_response_shows_the_patch_that_it_comes_from(model):
    ours = explore.filters({"mine": model}, image="coffee")
    alone = explore.responses(model, "coffee")
    ours.controls["filter"].value = alone.controls["filter"].value = 2
    photo = model.prepare("coffee")
    values = model.network[0]((photo - model.mean) / model.std)[0, 2].detach()
    row, col = divmod(int(values.argmax()), 24)
    assert f"In row {row}, column {col} it is {values.max():.2f}" in alone.text.value
    alone.view.position = position((502, 32), 7.5 / 24, 9.5 / 24, 350)
    assert f"In row 7, column 9 it is {values[7, 9]:.2f}" in alone.text.value.replace("−", "-")
    ours.view.position = position((450, 246), 7.5 / 24, 9.5 / 24, 190)
    top, left = 2 * 7 - 3, 2 * 9 - 3  # stride 2, padding 3, kernel 7
    expected = to_uint8(photo[0, :, top : top + 7, left : left + 7])
    for explorer, corner, side in ((alone, (376, 176), 108), (ours, (662, 246), 190)):
        for down, right in ((0, 0), (3, 5), (6, 6)):
            shown = explorer.picture[position(corner, (down + 0.5) / 7, (right + 0.5) / 7, side)]
            assert abs(shown.astype(int) - expected[down, right]).max() <= 1
    press(alone, "down")
    assert "In row 8, column 9" in alone.text.value
    alone.view.position = position((8, 32), 0.999, 0.0, 350)  # the photograph: the unit that looks there
    assert "In row 23, column 0" in alone.text.value
    alone.controls["filter"].value = 1  # another filter, another strongest response
    assert "In row 23, column 0" not in alone.text.value


def test_the_title_of_the_response_says_whether_it_is_after_the_relu(model, monkeypatch):
    titles = []
    monkeypatch.setattr(Canvas, "panel", lambda self, pixels, at, side, title, **options: titles.append(title))
    explorer = explore.responses(model)
    assert "response, 24×24" in titles
    titles.clear()
    explorer.controls["relu"].value = True
    assert "after the ReLU, 24×24" in titles
    assert not any(title.startswith("response") for title in titles)


def test_filters_of_a_network_that_cannot_be_had_are_reported_in_place(monkeypatch, tmp_path):
    def unreachable(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr("cs231n_viz.network.shipped.download", unreachable)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    explorer = explore.filters(["mini_alexnet", "resnet18"])
    explorer.controls["network"].value = "resnet18"
    assert str(explorer.error).startswith("resnet18 needs one download, which failed (no connection). These need none:")
    assert "mini_alexnet, mini_vgg" in explorer.message.value
    assert "line" not in explorer.message.value  # nobody's code is at fault
    explorer.controls["network"].value = "mini_alexnet"
    assert explorer.error is None


def test_filters_use_a_learners_functions(model):
    explorer = explore.filters(
        {"mine": model}, normalise_filters=lambda w: w * 0 + 0.5, dominant_orientation=lambda w: 37.4
    )
    assert explorer.error is None
    assert "37°" in explorer.text.value
    assert (explorer.picture[int(60 * SCALE), int(470 * SCALE)] == 128).all()
    broken = explore.filters({"mine": model}, normalise_filters=lambda w: w * 100)
    assert "must lie in [0, 1]" in str(broken.error)


def test_responses_follow_every_control_and_run_the_network_once_per_photograph(model, monkeypatch):
    runs = []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    explorer = explore.responses(model)
    for _ in range(2):
        for photograph in ("coffee", "cat"):
            explorer.controls["photograph"].value = photograph
    assert len(runs) == 2
    move_every_control(explorer)


def test_responses_show_the_true_maximum(model):
    explorer = explore.responses(model, "coffee")
    explorer.controls["filter"].value = 3
    with torch.no_grad():
        images = model.prepare(load_image("coffee"))
        expected = model.network[0]((images - model.mean) / model.std)[0, 3]
    assert f"{expected.max():.2f}".replace("-", "−") in explorer.text.value
    assert f"{(expected > 0).float().mean():.0%} of the positions" in explorer.text.value


def test_filters_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.filters({"mini": model})
    assert median_seconds(explorer, "filter", range(6)) < 0.1
    assert len(explorer.seconds) >= len(range(6))


def test_responses_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.responses(model)
    assert median_seconds(explorer, "filter", range(6)) < 0.1
    assert len(explorer.seconds) >= len(range(6))
