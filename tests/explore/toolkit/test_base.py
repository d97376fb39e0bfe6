"""The machinery of the explorers: latest wins, errors in place, pictures as bytes."""

import asyncio
import io

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from cs231n_viz.explore import ClickablePicture, Drawing, Explorer, ImageView
from cs231n_viz.explore.toolkit.controls import NumberGrid
from cs231n_viz.explore.toolkit.picture import encode


class Recorder:
    """A draw function that remembers what it was called with; its picture is as bright as ``level``."""

    def __init__(self):
        self.calls = []

    def __call__(self, level):
        self.calls.append(level)
        if level == 13:
            raise ValueError("thirteen <is> unlucky")
        return np.full((4, 6, 3), level, np.uint8)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def explorer(recorder):
    return Explorer(recorder, {"level": widgets.IntSlider(1, 0, 255), "button": widgets.Button()})


def decoded(widget):
    return np.array(Image.open(io.BytesIO(widget.value)))


def test_without_a_loop_every_change_is_drawn_at_once(explorer, recorder):
    explorer.controls["level"].value = 50
    assert recorder.calls == [1, 50]
    assert (decoded(explorer.view) == 50).all()
    assert (explorer.picture == 50).all()


def test_in_a_loop_a_burst_of_changes_is_drawn_once_and_the_latest_wins(explorer, recorder):
    async def burst():
        for level in range(100, 120):
            explorer.controls["level"].value = level
        before = list(recorder.calls)
        await asyncio.sleep(0)
        return before

    assert asyncio.run(burst()) == [1]
    assert recorder.calls == [1, 119]


def test_in_a_loop_reading_the_picture_draws_what_is_due(explorer, recorder):
    async def read():
        explorer.controls["level"].value = 77
        picture = explorer.picture
        await asyncio.sleep(0)
        return picture

    assert (asyncio.run(read()) == 77).all()
    assert recorder.calls == [1, 77]  # not a second time when the loop comes round


def test_a_drawing_that_a_closed_loop_never_made_is_made_by_the_next_change(explorer, recorder):
    async def leave():
        explorer.controls["level"].value = 5
        asyncio.get_running_loop().stop()

    loop = asyncio.new_event_loop()
    task = loop.create_task(leave())
    loop.run_forever()
    loop.close()
    assert task.done()
    explorer.controls["level"].value = 6
    assert recorder.calls[-1] == 6
    assert (explorer.picture == 6).all()


def test_a_change_made_while_drawing_is_drawn_afterwards_from_the_newest_values():
    level, calls = widgets.IntSlider(0, 0, 10), []

    def draw(level_of):
        calls.append(level_of)
        if level_of == 1:
            level.value = 2  # two events arrive during the drawing
            level.value = 3
        return np.full((2, 2, 3), level_of, np.uint8)

    explorer = Explorer(draw, {"level_of": level})
    level.value = 1
    assert calls == [0, 1, 3]
    assert (explorer.picture == 3).all()


def test_hold_makes_one_drawing_of_several_changes(explorer, recorder):
    with explorer.hold():
        explorer.controls["level"].value = 20
        explorer.controls["level"].value = 30
        assert recorder.calls == [1]
    assert recorder.calls == [1, 30]


def test_hold_draws_also_if_its_body_raises(explorer, recorder):
    def change_and_raise():
        with explorer.hold():
            explorer.controls["level"].value = 20
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        change_and_raise()
    assert recorder.calls == [1, 20]


def test_an_error_is_shown_in_place_and_the_next_change_recovers(explorer):
    explorer.controls["level"].value = 60
    explorer.controls["level"].value = 13
    assert isinstance(explorer.error, ValueError)
    assert "thirteen &lt;is&gt; unlucky" in explorer.message.value
    assert "ValueError" in explorer.message.value
    assert "Change a control" in explorer.message.value
    assert (explorer.picture == 60).all()  # the last good picture ...
    assert decoded(explorer.view).mean() > 150  # ... shown pale
    explorer.controls["level"].value = 61
    assert explorer.error is None
    assert explorer.message.value == ""
    assert (decoded(explorer.view) == 61).all()


def test_an_error_at_the_very_start_still_gives_a_working_explorer():
    explorer = Explorer(Recorder(), {"level": widgets.IntSlider(13, 0, 255)})
    assert isinstance(explorer.error, ValueError)
    explorer.controls["level"].value = 14
    assert explorer.error is None


def test_a_picture_of_the_wrong_kind_is_an_error_in_place():
    explorer = Explorer(lambda: np.zeros((4, 4)), {})
    assert "must be (H, W, 3)" in str(explorer.error)


def test_an_interrupt_is_not_swallowed_and_leaves_the_explorer_usable(recorder):
    def draw(level):
        if level == 2:
            raise KeyboardInterrupt
        return recorder(level)

    explorer = Explorer(draw, {"level": widgets.IntSlider(1, 0, 255)})
    with pytest.raises(KeyboardInterrupt):
        explorer.controls["level"].value = 2
    explorer.controls["level"].value = 3
    assert recorder.calls == [1, 3]


def test_text_and_notice_of_a_drawing_are_shown():
    explorer = Explorer(lambda: Drawing(np.zeros((2, 2, 3), np.uint8), "<i>below</i>", "odd"), {})
    assert explorer.text.value == "<i>below</i>"
    assert "odd" in explorer.message.value
    assert 'role="status"' in explorer.message.value


def test_seconds_counts_every_drawing(explorer):
    explorer.controls["level"].value = 2
    explorer.controls["level"].value = 3
    assert len(explorer.seconds) == 3
    assert all(0 < seconds < 5 for seconds in explorer.seconds)


def test_exact_pictures_lose_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(encode(noise, exact=True)))), noise)
    view = ImageView(exact=True)
    view.show(noise)
    assert view.mime == "image/png"
    np.testing.assert_array_equal(decoded(view), noise)


def test_the_clickable_picture_knows_the_size_of_what_it_shows():
    picture = ClickablePicture(alt="A square.")
    picture.show(np.zeros((30, 40, 3), np.uint8))
    assert picture.size == (30, 40)
    assert picture.mime == "image/jpeg"
    assert decoded(picture).shape == (30, 40, 3)


def test_the_clickable_picture_needs_no_network_and_can_be_reached_by_keyboard():
    code = ClickablePicture._esm
    assert "http" not in str(code)
    assert "tabIndex = 0" in str(code)
    assert "aria-label" in str(code)


def test_number_grid_is_one_control():
    grid, seen = NumberGrid((1.0, 2.0, 3.0, 4.0), label="kernel"), []
    grid.observe(lambda change: seen.append(change["new"]), names="value")
    grid.children[2].value = 9
    grid.value = (0.0, 0.0, 0.0, 1.0)
    assert seen == [(1.0, 2.0, 9.0, 4.0), (0.0, 0.0, 0.0, 1.0)]
    assert [box.value for box in grid.children] == [0, 0, 0, 1]
    assert "row 2, column 1" in grid.children[2].tooltip
