"""Nothing that an answer does takes the kernel, the checks or the libraries with it: it gets a verdict."""

import inspect
import sys
import time

import pytest
import torch
from torch import nn

from cs231n_viz.exercises import Check, Entry, exercise, find, guard, names
from cs231n_viz.exercises.core import examine
from cs231n_viz.exercises.fixtures import central_differences, gradient_of
from tests.exercises.test_answers import likely

pytestmark = pytest.mark.usefixtures("one_thread")


def double(x):
    return 2 * x


DOUBLE = Entry("double", double, [Check("doubled", {"x": torch.arange(3.0)}, torch.tensor([0.0, 2.0, 4.0]))] * 2, {})


def verdict(answer, seconds=0.3):
    answer.__signature__ = inspect.signature(double)
    usable, text = examine(DOUBLE, answer, seconds)
    assert usable is (double if "✗" in text else answer)
    assert examine(DOUBLE, double)[0] is double  # what follows runs
    return text


def endless(x):
    while True:
        pass


def endless_and_swallows_everything(x):
    while True:
        try:
            x = x + 1
        except:  # noqa: E722
            pass


def pause(x):
    time.sleep(0.001)
    return x + 1


def endless_and_swallows_what_it_calls(x):
    while True:
        try:
            x = pause(x)
        except:  # noqa: E722
            pass


def sleeps_for_an_hour(x):
    time.sleep(3600)


no_signal = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 sees no signal in such a loop")


@pytest.mark.parametrize(
    "answer",
    [
        endless,
        pytest.param(endless_and_swallows_everything, marks=no_signal),
        endless_and_swallows_what_it_calls,
        sleeps_for_an_hour,
    ],
)
def test_an_endless_loop_ends_after_the_time_limit(answer):
    start = time.monotonic()
    text = verdict(answer)
    assert time.monotonic() - start < 10
    assert "it was still running when its time was over" in text
    assert "loop that never ends" in likely(text)
    assert "– doubled: not tried" in text
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())


def test_the_line_of_the_loop_is_named():
    line = endless.__code__.co_firstlineno
    assert f"line {line + 1}" in verdict(endless) or f"line {line + 2}" in verdict(endless)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemExit(1), "end the whole notebook"),
        (KeyboardInterrupt(), "interrupted"),
        (RecursionError(), "calls itself"),
    ],
)
def test_exits_and_interrupts_are_verdicts(error, words):
    def answer(x):
        raise error

    assert words in likely(verdict(answer))


def test_real_recursion_without_an_end_is_a_verdict():
    def answer(x):
        return answer(x)

    assert "calls itself" in likely(verdict(answer))


def test_a_flood_of_output_is_cut_and_the_report_follows(capsys):
    def chatty(x):
        for _ in range(100):
            print("x" * 10_000_000)
        return 2 * x

    assert "✗" not in verdict(chatty, 30)
    out = capsys.readouterr().out
    assert guard.CHARACTERS <= len(out) < guard.CHARACTERS + 200
    assert "is not shown" in out


def test_a_few_prints_are_shown_whole(capsys):
    def prints(x):
        print("here")
        return 2 * x

    verdict(prints)
    assert capsys.readouterr().out == "here\nhere\n"


@pytest.mark.parametrize("owner", [torch, torch.nn.functional, torch.Tensor], ids=["torch", "functional", "Tensor"])
def test_functions_of_torch_that_an_answer_replaces_are_put_back_and_named(owner):
    name = "relu"
    before = getattr(owner, name)

    def patches(x):
        setattr(owner, name, lambda *_: True)
        return 2 * x

    text = verdict(patches)
    assert f"{owner.__name__}.{name}`" in text.replace("`torch", "`torch")
    assert "put back" in text
    assert getattr(owner, name) is before
    assert (torch.arange(-2, 2).relu() == torch.tensor([0, 0, 0, 1])).all()


def test_an_answer_that_makes_every_comparison_true_is_not_right(monkeypatch):
    def cheats(x):
        torch.allclose = lambda *_, **__: True
        sys.modules["cs231n_viz.exercises.compare"].equal = lambda *_: True
        return x

    text = verdict(cheats)
    assert "✗ doubled" in text
    assert "`cs231n_viz.exercises.compare.equal`, `torch.allclose`" in text


def test_an_answer_that_empties_the_checks_is_still_checked():
    def empties(x):
        try:
            find("max_pool").checks.clear()
        except AttributeError:
            pass
        return x

    count = len(find("max_pool").checks)
    verdict(empties)
    assert len(find("max_pool").checks) == count > 0


@pytest.mark.slow
def test_a_right_answer_is_right_where_gradients_are_switched_off_for_good():
    for name in names():
        entry = find(name)
        with torch.no_grad():
            assert examine(entry, entry.reference)[0] is entry.reference, name
        with torch.inference_mode():
            assert examine(entry, entry.reference)[0] is entry.reference, name


def test_another_handler_of_the_alarm_is_left_in_place():
    import signal

    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        verdict(endless)
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda net: net.weight.data.zero_(), "in place"),
        (lambda net: net(torch.ones(2)).backward(), ".backward()"),
        (lambda net: net.requires_grad_(False), "called on the network"),
        (lambda net: net.train(), "mode"),
    ],
)
def test_what_was_changed_is_named_for_what_it_is(harm, words):
    def answer(x):
        harm(x)
        return 3.0

    entry = Entry("double", double, [Check("three", {"x": nn.Linear(2, 1).eval()}, 3.0)], {})
    assert words in likely(examine(entry, answer)[1])


def test_the_official_saliency_is_not_called_in_place():
    def answer(x):
        x.requires_grad_()
        return 2 * x

    assert "x.detach().clone()" in likely(verdict(answer))


@pytest.mark.parametrize("cut", [lambda v: v.detach(), lambda v: v.data, lambda v: torch.tensor(v.item())])
def test_a_loss_that_has_lost_its_graph_is_named(cut):
    def square(x):
        return x.square().sum()

    x = torch.tensor([1.0, 3.0])
    checks = [
        Check("the sum", {"x": x}, torch.tensor(10.0)),
        Check("its gradient", {"x": x}, torch.tensor([2.0, 6.0]), gradient_of("x")),
    ]
    entry = Entry("square", square, checks, {})
    assert examine(entry, square)[0] is square
    assert "no gradient reaches x" in likely(examine(entry, lambda x: cut(square(x)))[1])

    def without(x):
        with torch.no_grad():
            return square(x)

    assert "no gradient reaches x" in likely(examine(entry, without)[1])
    assert "no gradient reaches x" in likely(examine(entry, lambda x: torch.tensor(float((x.numpy() ** 2).sum())))[1])
    assert exercise is not None


def test_central_differences_are_the_gradient_of_a_polynomial():
    at = torch.tensor([[1.0, -2.0, 0.5]])
    torch.testing.assert_close(
        central_differences(lambda x: x.pow(3).sum(), at), torch.tensor([[3.0, 12.0, 0.75]]).double()
    )


def test_a_mistake_must_explain_most_of_the_failures():
    """The first check alone does not decide: zero there, but something else in the others, is another mistake."""

    def scale(x):
        return 3 * x

    inputs = [torch.zeros(2) + 1, torch.arange(3.0), torch.arange(4.0)]
    checks = [Check(str(i), {"x": x}, 3 * x) for i, x in enumerate(inputs)]
    entry = Entry("scale", scale, checks, {"cubed": lambda x: 2 * x**3})
    text = examine(entry, lambda x: 2 * x)[1]
    assert "cubed" not in text
    assert "0.6667 times" in likely(text)
    assert "cubed" in likely(examine(entry, lambda x: x * x * x + x**3)[1])
