"""The base of the explorers that optimise: start, pause, resume, stop, save, and what goes wrong on the way."""

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from PIL import Image

import cs231n_viz as viz
from cs231n_viz.explore import LiveAscent
from cs231n_viz.explore.toolkit import base, live_ascent
from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.controls import checkbox, slider
from cs231n_viz.pictures.saving import read_settings
from cs231n_viz.synthesis.ascent import Ascent, AscentError, Step, ascend
from cs231n_viz.synthesis.objectives import logit
from cs231n_viz.synthesis.parameterisation import Fourier, Pixels
from cs231n_viz.synthesis.regularisers import total_variation
from cs231n_viz.synthesis.views import robust
from tests.explore.controls import let_run, until
from tests.networks import small_classifier

OTHER = "other settings"


def grey(index, count=1):
    return torch.full((count, 3, 4, 4), index % 100 / 100)


class Grey:
    """A ``begin`` whose steps cost nothing; at step ``fails`` it raises ``error``."""

    def __init__(self, *, error=None, fails=3, wait=lambda: None, count=1, **settings):
        self.error, self.fails, self.wait, self.count, self.settings = error, fails, wait, count, settings
        self.begun, self.made = [], 0

    def __call__(self, steps, seed):
        self.begun.append((steps, seed))
        return Ascent(self._steps(steps), steps + 1, settings={"steps": steps, **self.settings}, progress=False)

    def _steps(self, steps):
        for index in range(steps + 1):
            if self.error is not None and index == self.fails:
                raise self.error
            self.wait()
            self.made += 1
            yield Step(index, float(index), grey(index, self.count))


def shade(step, ascent, values):
    """A drawing that costs nothing, of 3×3 pixels: which step, and what the controls say."""
    return np.full((3, 3, 3), (step.index % 256, values["steps"] % 256, 255 * values["pale"]), np.uint8)


def explorer_of(begin, *, steps=20, draw=shade, **options):
    controls = {"steps": slider("steps", 1, 5000, value=steps), "seed": slider("seed", 0, 9), "pale": checkbox("pale")}
    return LiveAscent(begin, controls, name="grey", draw=draw, **options)


def press(explorer, name):
    explorer.controls[name].click()


def enabled(explorer):
    return {name for name in ("start", "pause", "stop", "save") if not explorer.controls[name].disabled}


@pytest.fixture
def one_by_one(monkeypatch):
    """One step for each drawing, and no wait between them: a pass of the event loop makes one step at most."""
    monkeypatch.setattr(live_ascent, "SLICE", 0.0)
    monkeypatch.setattr(base, "PAUSE", 0.0)


def in_a_loop(test):
    """Run an async test from start to end in an event loop of its own."""

    def run(one_by_one, request):
        names = test.__code__.co_varnames[: test.__code__.co_argcount]
        asyncio.run(test(*(request.getfixturevalue(name) for name in names)))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def test_before_the_start_nothing_is_begun_and_only_start_can_be_pressed():
    begin = Grey()
    explorer = explorer_of(begin)
    assert (explorer.state, explorer.step, begin.begun) == ("ready", None, [])
    assert enabled(explorer) == {"start"}
    assert explorer.picture.ndim == 3
    assert explorer.error is None
    for name in ("pause", "stop", "save"):
        press(explorer, name)
    assert explorer.state == "ready"


def test_the_preview_follows_the_controls_until_the_start():
    explorer = explorer_of(Grey(), preview=lambda values: np.full((2, 2, 3), values["seed"], np.uint8))
    explorer.controls["seed"].value = 7
    assert (explorer.picture == 7).all()
    press(explorer, "start")
    assert explorer.picture.shape == (3, 3, 3)


def test_in_plain_python_start_runs_to_the_end_however_many_steps(one_by_one):
    begin = Grey()
    explorer = explorer_of(begin, steps=3000)
    press(explorer, "start")
    assert (explorer.state, begin.made, explorer.step.index) == ("finished", 3001, 3000)
    assert explorer.scores == [float(index) for index in range(3001)]
    assert explorer.progress.bar.value == explorer.progress.bar.max == 3000
    assert explorer.progress.label.value == "step 3000 of 3000, score 3000, finished"
    assert enabled(explorer) == {"start", "save"}
    assert explorer.picture[0, 0, 0] == 3000 % 256


def test_the_default_picture_shows_the_image_and_the_scores():
    shown = []
    for steps in (1, 60, 90):
        explorer = explorer_of(Grey(count=3), steps=steps, draw=None)
        press(explorer, "start")
        assert explorer.error is None
        shown.append(explorer.picture)
    assert shown[0].shape == shown[1].shape
    left, right = shown[1][:, :600], shown[1][:, 700:]
    assert (left == 153).all(axis=2).mean() > 0.2  # 60 % grey
    assert (right == (0, 114, 178)).all(axis=2).sum() > 300  # the line
    assert (shown[2] != shown[1]).any()


@in_a_loop
async def test_a_pause_pauses_and_resume_goes_on_from_the_same_step():
    begin = Grey()
    explorer = explorer_of(begin, steps=400)
    press(explorer, "start")
    assert enabled(explorer) == {"start"}  # nothing is done within the click
    await until(lambda: begin.made >= 5)
    assert enabled(explorer) == {"start", "pause", "stop", "save"}
    press(explorer, "pause")
    await let_run()
    made, picture = begin.made, explorer.picture
    await let_run()
    assert (begin.made, explorer.state) == (made, "paused")
    assert explorer.controls["pause"].description == "resume"
    assert explorer.progress.label.value.endswith("paused")
    press(explorer, "pause")
    await until(lambda: begin.made > made)
    assert explorer.controls["pause"].description == "pause"
    assert (explorer.picture != picture).any()
    press(explorer, "pause")
    press(explorer, "pause")  # twice at once: as if never pressed
    await until(lambda: explorer.state == "finished")
    assert explorer.scores == [float(index) for index in range(401)]
    assert len(begin.begun) == 1


@in_a_loop
async def test_the_bar_only_ever_rises_and_every_step_can_be_seen():
    explorer = explorer_of(Grey(), steps=30)
    seen = []
    explorer.progress.bar.observe(lambda change: seen.append(change["new"]), names="value")
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")
    assert seen == list(range(1, 31))


@in_a_loop
async def test_stop_ends_it_and_start_begins_anew():
    begin = Grey()
    explorer = explorer_of(begin, steps=400)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    press(explorer, "stop")
    await let_run()
    made = begin.made
    assert (explorer.state, enabled(explorer)) == ("stopped", {"start", "save"})
    explorer.resume()
    await let_run()
    assert begin.made == made
    assert explorer.step.index == made - 1
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")
    assert begin.begun == [(400, 0), (400, 0)]
    assert len(explorer.scores) == 401


@in_a_loop
async def test_start_while_it_runs_begins_anew():
    begin = Grey()
    explorer = explorer_of(begin, steps=100)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")
    assert len(begin.begun) == 2
    assert explorer.scores == [float(index) for index in range(101)]


@in_a_loop
async def test_a_value_that_comes_just_after_the_click_on_start_counts():
    """As when a page had kept back what a slider said, and the click overtook it."""
    begin = Grey()
    explorer = explorer_of(begin, steps=4000)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    explorer.controls["steps"].value = 50
    await until(lambda: explorer.state == "finished")
    assert begin.begun == [(4000, 0), (50, 0)]
    assert explorer.scores == [float(index) for index in range(51)]
    assert OTHER not in explorer.message.value


@in_a_loop
async def test_a_moved_control_stops_the_run_and_says_that_start_begins_anew(monkeypatch):
    monkeypatch.setattr(live_ascent, "LATE", 0.0)  # a while after the click
    begin = Grey()
    explorer = explorer_of(begin, steps=400)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    explorer.controls["steps"].value = 50
    made, picture = begin.made, explorer.picture
    await let_run()
    assert (explorer.state, begin.made) == ("stopped", made)
    assert OTHER in explorer.message.value
    assert picture[0, 0].tolist() == [made - 1, 400 % 256, 0]  # still that of the earlier settings
    explorer.controls["steps"].value = 400
    await let_run()
    assert OTHER not in explorer.message.value
    explorer.controls["steps"].value = 50
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")
    assert begin.begun == [(400, 0), (50, 0)]
    assert OTHER not in explorer.message.value


@in_a_loop
async def test_a_control_that_only_changes_the_drawing_does_not_disturb_the_run():
    begin = Grey()
    explorer = explorer_of(begin, steps=4000)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    for _ in range(31):
        explorer.controls["pale"].value ^= True
        assert explorer.picture[0, 0, 2] == 255 * explorer.controls["pale"].value  # reading it draws it
    made = begin.made
    await let_run(40)
    assert made < begin.made <= made + 41  # one chain of steps still, not one more for each drawing
    assert explorer.state == "running"
    assert explorer.picture[0, 0, 2] == 255
    press(explorer, "pause")
    made = begin.made
    explorer.controls["pale"].value = False
    await let_run()
    assert begin.made == made
    assert explorer.picture[0, 0, 2] == 0


@in_a_loop
async def test_reading_the_picture_after_start_draws_the_first_step():
    explorer = explorer_of(Grey(), steps=9)
    press(explorer, "start")
    assert explorer.picture.shape == (3, 3, 3)
    assert explorer.step.index == 0
    await until(lambda: explorer.state == "finished")
    assert len(explorer.scores) == 10


@in_a_loop
async def test_finish_makes_the_steps_that_are_left_within_the_cell():
    begin = Grey()
    explorer = explorer_of(begin, steps=30)
    assert explorer.finish().index == 30
    assert explorer.state == "finished"
    assert len(begin.begun) == 1
    press(explorer, "start")
    await until(lambda: len(begin.begun) == 2 and len(explorer.scores) > 3)
    press(explorer, "pause")
    assert explorer.finish().index == 30
    assert len(begin.begun) == 2
    assert explorer.finish().index == 30
    assert begin.made == 62


@in_a_loop
async def test_an_explorer_that_is_closed_makes_no_more_steps():
    begin = Grey()
    explorer = explorer_of(begin, steps=400)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    explorer.close()
    made = begin.made
    await let_run()
    assert begin.made == made


@pytest.mark.parametrize("error", [AscentError("the score is nan; try a smaller lr"), ValueError("no such thing")])
def test_an_error_is_said_and_the_explorer_goes_on(one_by_one, error):
    begin = Grey(error=error)
    explorer = explorer_of(begin)
    press(explorer, "start")
    assert explorer.error is error
    assert str(error) in explorer.message.value
    assert "press start" in explorer.message.value
    assert (explorer.state, explorer.step.index) == ("stopped", 2)
    assert enabled(explorer) == {"start", "save"}
    explorer.controls["seed"].value = 3
    assert explorer.error is None
    begin.error = None
    press(explorer, "start")
    assert explorer.error is None
    assert explorer.state == "finished"
    assert explorer.step.index == 20


@in_a_loop
async def test_an_error_in_the_event_loop_is_said_and_ends_the_run():
    begin = Grey(error=AscentError("the objective is dead"))
    explorer = explorer_of(begin)
    press(explorer, "start")
    await until(lambda: explorer.state == "stopped")
    assert "the objective is dead" in explorer.message.value
    begin.error = None
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")
    assert "dead" not in explorer.message.value


def test_what_goes_wrong_at_the_start_is_said():
    def no_such_class(steps, seed):
        raise KeyError("no class 'dgo'; the nearest is 'dog'")

    for begin, what in ((no_such_class, "nearest"), (lambda steps: 3, "got a int"), (lambda steps: [], "got a list")):
        explorer = explorer_of(begin)
        press(explorer, "start")
        assert what in explorer.message.value
        assert (explorer.state, enabled(explorer), explorer.progress.label.value) == ("stopped", {"start"}, "stopped")
    explorer = explorer_of(lambda steps: Ascent(iter(()), 0, progress=False))
    press(explorer, "start")
    assert "before its first step" in explorer.message.value


def test_a_drawing_that_fails_stops_the_run(one_by_one):
    begin = Grey()
    explorer = explorer_of(begin, draw=lambda step, ascent, values: 1 / 0)
    press(explorer, "start")
    assert isinstance(explorer.error, ZeroDivisionError)
    assert explorer.state == "stopped"
    assert begin.made == 1


def test_an_interrupt_leaves_what_was_reached(monkeypatch):
    monkeypatch.setattr(live_ascent, "SLICE", 1000.0)  # no drawing between the first step and the interrupt
    explorer = explorer_of(Grey(error=KeyboardInterrupt(), fails=7))
    with pytest.raises(KeyboardInterrupt):
        press(explorer, "start")
    assert explorer.state == "stopped"
    assert explorer.step is explorer.ascent.latest
    assert explorer.step.index == 6
    assert explorer.picture[0, 0, 0] == 6
    assert enabled(explorer) == {"start", "save"}
    assert explorer.error is None


@in_a_loop
async def test_an_interrupt_ends_the_cell_but_not_the_event_loop():
    begin = Grey(error=KeyboardInterrupt(), fails=7)
    explorer = explorer_of(begin)
    with pytest.raises(KeyboardInterrupt):
        explorer.finish()
    assert explorer.state == "stopped"
    assert explorer.step.index == 6
    press(explorer, "start")  # now it comes in a callback
    await until(lambda: explorer.state == "stopped" and len(begin.begun) == 2)
    await let_run()
    assert explorer.step.index == 6
    assert explorer.picture[0, 0, 0] == 6
    begin.error = None
    press(explorer, "start")
    await until(lambda: explorer.state == "finished")


RUNNING = """
import time
import numpy as np, torch
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.explore import LiveAscent

def steps():
    for index in range(100_000):
        time.sleep(0.02)
        yield Step(index, float(index), torch.zeros(1, 3, 8, 8))

explorer = LiveAscent(lambda: Ascent(steps(), 100_000, progress=False), {}, name="grey")
explorer.start()
"""


@pytest.mark.slow
def test_the_kernels_interrupt_button_stops_a_run_between_two_cells():
    manager, client = start_new_kernel()

    def said(code):
        texts = []
        client.execute_interactive(code, timeout=300, output_hook=lambda m: texts.append(m["content"].get("text", "")))
        return "".join(texts)

    try:
        assert "Error" not in said(RUNNING)
        for _ in range(20):  # between two ticks, for a twentieth of the time, the kernel is deaf
            manager.interrupt_kernel()
            time.sleep(0.2)
            state, made = said("print(explorer.state, len(explorer.scores))").split()
            if state != "running":
                break
        assert state == "stopped"
        assert int(made) > 0
        assert said("print(len(explorer.scores), explorer.controls['start'].disabled)").split() == [made, "False"]
        assert said("explorer.start(); print(explorer.state)").strip() == "running"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


class Clock:
    """Time that passes only when told."""

    def __init__(self):
        self.now = 100.0

    def pass_by(self, seconds):
        return lambda: setattr(self, "now", self.now + seconds)


@pytest.mark.parametrize(("seconds", "most"), [(0.01, 12), (0.035, 3), (0.07, 1), (0.5, 1)])
def test_between_two_drawings_steps_are_made_for_a_moment_only(monkeypatch, seconds, most):
    clock = Clock()
    monkeypatch.setattr(live_ascent, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    drawn = []

    def draw(step, ascent, values):
        drawn.append(step.index)
        return shade(step, ascent, values)

    explorer = explorer_of(Grey(wait=clock.pass_by(seconds)), steps=50, draw=draw)
    press(explorer, "start")
    gaps = np.diff(drawn)
    assert drawn[0] == 0
    assert drawn[-1] == 50
    assert most - 1 <= gaps[:-2].min()
    assert gaps.max() <= most
    assert gaps.max() * seconds <= max(0.12 + 1e-9, seconds)


def test_the_time_left_is_that_of_the_steps_to_come(monkeypatch):
    clock, said = Clock(), []
    monkeypatch.setattr(live_ascent, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    explorer = explorer_of(Grey(wait=clock.pass_by(2.0)), steps=4)
    explorer.progress.label.observe(lambda change: said.append(change["new"]), names="value")
    press(explorer, "start")
    left = ["step 1 of 4, score 1.000, 6 s left", "step 2 of 4, score 2.000, 4 s left"]
    assert said[:3] == ["step 0 of 4, score 0", *left]


def test_save_writes_the_picture_with_its_settings_and_says_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(Grey(recipe="plain"))
    press(explorer, "start")
    press(explorer, "save")
    path = tmp_path / "grey-steps20-seed0.png"
    assert str(path) in explorer.message.value
    assert read_settings(path) == {
        "made by": "grey",
        "controls": {"steps": 20, "seed": 0},
        "settings": {"steps": 20, "recipe": "plain"},
        "step": 20,
        "score": 20.0,
    }
    with Image.open(path) as image:
        assert image.size == (4, 4)
        assert (np.asarray(image) == 51).all()
    press(explorer, "save")
    assert "grey-steps20-seed0-2.png" in explorer.message.value
    explorer.controls["seed"].value = 4
    assert "Saved" not in explorer.message.value
    assert OTHER in explorer.message.value
    press(explorer, "save")  # the picture was made with seed 0, whatever the control says now
    assert "grey-steps20-seed0-3.png" in explorer.message.value


def test_several_pictures_are_saved_as_one_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(Grey(count=3))
    press(explorer, "start")
    with Image.open(explorer.save()) as image:
        assert image.size == (12, 12)


def test_what_cannot_be_saved_is_said_and_disturbs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(Grey(start=torch.zeros(2)))
    press(explorer, "start")
    assert explorer.save() is None
    assert "Not saved" in explorer.message.value
    assert "settings.start" in explorer.message.value
    assert list(tmp_path.iterdir()) == []
    assert explorer.state == "finished"


@in_a_loop
async def test_saving_while_it_runs_does_not_stop_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin = Grey()
    explorer = explorer_of(begin, steps=400)
    press(explorer, "start")
    await until(lambda: begin.made >= 5)
    press(explorer, "save")
    made = begin.made
    await until(lambda: begin.made > made + 2)
    assert explorer.state == "running"
    assert "Saved" in explorer.message.value
    (path,) = tmp_path.iterdir()
    assert read_settings(path)["step"] == made - 1


def test_a_drawing_may_bring_its_own_words():
    def draw(step, ascent, values):
        return Drawing(shade(step, ascent, values), text=f"step {step.index}", notice="look closely")

    explorer = explorer_of(Grey(), draw=draw)
    press(explorer, "start")
    assert explorer.text.value == "step 20"
    assert "look closely" in explorer.message.value
    explorer.controls["seed"].value = 4
    assert "look closely" in explorer.message.value
    assert OTHER in explorer.message.value


def test_any_iterator_of_steps_that_knows_its_length_will_do(tmp_path, monkeypatch):
    class Growing:
        total = 3

        def __init__(self):
            self.steps = iter([Step(index, index / 2, grey(index)) for index in range(3)])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.steps)

    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(lambda **values: Growing())  # takes all controls, so that all of them stop it
    press(explorer, "start")
    assert explorer.error is None
    assert explorer.scores == [0.0, 0.5, 1.0]
    assert read_settings(explorer.save())["settings"] == {}
    explorer.controls["pale"].value = True
    assert OTHER in explorer.message.value


def maximise_logit(model, size, steps, seed):
    image_of = Fourier(size, seed=seed)
    return Ascent(ascend(image_of, logit(model, 0), steps=steps), steps + 1, settings={"seed": seed}, progress=False)


def test_a_real_ascent_ends_as_it_does_without_the_explorer():
    model = small_classifier()
    explorer = explorer_of(lambda steps, seed: maximise_logit(model, 48, steps, seed), steps=8, draw=None)
    explorer.controls["seed"].value = 2
    press(explorer, "start")
    expected = maximise_logit(model, 48, 8, 2)
    assert torch.equal(explorer.step.image, expected.image)
    assert explorer.scores == expected.scores
    assert explorer.scores[-1] > explorer.scores[0]


@in_a_loop
async def test_a_pause_changes_no_pixel_of_a_real_ascent():
    model = small_classifier()
    explorer = explorer_of(lambda steps, seed: maximise_logit(model, 48, steps, seed), steps=12)
    press(explorer, "start")
    for length in (3, 6, 9):
        await until(lambda length=length: len(explorer.scores) >= length)
        press(explorer, "pause")
        await let_run(5)
        press(explorer, "pause")
    await until(lambda: explorer.state == "finished")
    assert torch.equal(explorer.step.image, maximise_logit(model, 48, 12, 0).image)


def test_a_dead_objective_is_said_with_what_to_try():
    def begin(steps, seed):
        return Ascent(ascend(Pixels(grey(50)), lambda image: 0 * image.sum(), steps=steps), steps + 1, progress=False)

    explorer = explorer_of(begin)
    press(explorer, "start")
    assert isinstance(explorer.error, AscentError)
    assert "redirected" in explorer.message.value


def test_the_first_step_is_soon_on_screen():
    """Processor time, so that a busy machine does not decide the result."""
    model = viz.load_model("mini_alexnet")

    def begin(steps, seed):
        ask = logit(model, 3)
        objective = robust(lambda image: ask(image) - 200 * total_variation(image), seed=seed, shift=16)
        return Ascent(ascend(Fourier(model.input_size, seed=seed), objective, steps=steps), steps + 1, progress=False)

    async def first():
        explorer = explorer_of(begin, draw=None)
        shown, since = explorer.view.value, time.process_time()
        press(explorer, "start")
        await until(lambda: explorer.view.value != shown)
        spent = time.process_time() - since
        explorer.stop()
        assert explorer.error is None
        assert explorer.step.index == 0
        return spent

    assert asyncio.run(first()) <= 0.3
