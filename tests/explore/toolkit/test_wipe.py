"""A wipe between before and after: it covers exactly the result, and stays while only the result changes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import SCALE, Canvas
from cs231n_viz.explore.toolkit.wipe import Wiped, WipePicture

BEFORE = torch.linspace(0, 1, 3 * 20 * 40).view(3, 20, 40)


def drawn(before, size=(200, 200)):
    canvas = Canvas(300, 800)
    box = canvas.fit(BEFORE, (40, 50), size)
    return Wiped(canvas.array, before=before, box=box)


def test_the_picture_before_lies_where_the_result_stands_and_is_enlarged_alike():
    view, drawing = WipePicture(), drawn(BEFORE)
    view.compare(drawing)
    assert view.box == pytest.approx((40 / 800, 100 / 300, 200 / 800, 100 / 300))  # 2:1, in the middle of its square
    with Image.open(io.BytesIO(view.before)) as image:
        before = np.asarray(image).astype(int)
    top, left = round(100 * SCALE), round(40 * SCALE)
    result = drawing.picture[top : top + before.shape[0], left : left + before.shape[1]].astype(int)
    assert before.shape == (100 * SCALE, 200 * SCALE, 3)
    assert np.abs(before - result).mean() < 3  # JPEG


def test_it_is_sent_again_only_if_it_is_another_one():
    view, sent = WipePicture(), []
    view.observe(lambda change: sent.append(change["name"]), names=["before"])
    for before, size in (
        (BEFORE, (200, 200)),
        (BEFORE.clone(), (200, 200)),
        (BEFORE, (100, 100)),
        (1 - BEFORE, (100, 100)),
    ):
        view.compare(drawn(before, size))
    assert len(sent) == 3


def test_where_nothing_has_been_made_there_is_no_handle():
    view = WipePicture()
    view.compare(drawn(BEFORE))
    view.compare(drawn(None))
    assert view.box == ()
    view.compare(Drawing(drawn(None).picture))
    assert view.box == ()
