"""What stands in the place of an explorer where no kernel runs."""

import base64
import io
import re

import numpy as np
from PIL import Image

from cs231n_viz.explore import Explorer
from cs231n_viz.explore.toolkit.base import FINISHED_STILLS, Drawing
from cs231n_viz.explore.toolkit.still import LARGEST
from tests.explore.controls import shown_by
from tests.explore.toolkit.test_live_ascent import Grey, explorer_of

VIEW = "application/vnd.jupyter.widget-view+json"


def still_of(explorer):
    """The alt text and the file of the still among what a cell shows."""
    (html,) = [data["text/html"] for data in shown_by(explorer) if "text/html" in data]
    alt, code = re.search(r'<img alt="([^"]*)" src="data:image/jpeg;base64,([^"]*)"', html).groups()
    return alt, base64.b64decode(code)


def test_the_widgets_come_first_and_leave_no_dead_text_and_the_still_is_an_output_of_its_own():
    explorer = Explorer(lambda: np.zeros((4, 6, 3), np.uint8), {})
    widgets, still = shown_by(explorer)
    assert widgets[VIEW]["model_id"] == explorer.model_id
    assert widgets["text/plain"] == ""
    assert VIEW not in still


def test_the_still_is_the_present_picture_with_its_alt_text():
    explorer = Explorer(lambda: np.full((30, 40, 3), (200, 40, 90), np.uint8), {})
    explorer.view.alt = 'A "red" square.'
    alt, file = still_of(explorer)
    assert alt == "A &quot;red&quot; square."
    pixels = np.array(Image.open(io.BytesIO(file)))
    assert pixels.shape == (30, 40, 3)
    assert np.abs(pixels - np.array([200.0, 40, 90])).max() < 4  # JPEG


def test_the_still_of_any_picture_is_small():
    noise = np.random.default_rng(0).integers(0, 256, (900, 1720, 3), dtype=np.uint8)
    file = still_of(Explorer(lambda: noise, {}))[1]
    assert len(file) <= LARGEST
    assert Image.open(io.BytesIO(file)).size == (860, 450)


def test_a_still_that_is_stored_shows_what_an_explorer_arrives_at(monkeypatch):
    greys = iter(range(0, 250, 50))

    def draw():
        grey = next(greys, 250)
        return Drawing(np.full((30, 40, 3), grey, np.uint8), unfinished=grey < 200)

    monkeypatch.setattr(Explorer, "_refine", lambda _: None)  # as in a cell, where the loop is busy
    explorer = Explorer(draw, {})
    assert explorer.picture.max() == 0
    monkeypatch.setenv(FINISHED_STILLS, "1")
    assert np.array(Image.open(io.BytesIO(still_of(explorer)[1]))).mean() == 200
    assert explorer.picture.max() == 200


def test_a_still_that_is_stored_shows_the_end_of_an_ascent(monkeypatch):
    explorer = explorer_of(Grey(), steps=2)
    assert "nothing made yet" in still_of(explorer)[0]
    monkeypatch.setenv(FINISHED_STILLS, "1")
    assert "after step 2 of 2" in still_of(explorer)[0]
