"""What a student reads: the report of a right or wrong answer, errors in one line, the reference in a fold."""

import inspect
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cs231n_viz.exercises import Check, Entry, exercise, find, names, reveal
from cs231n_viz.exercises.core import examine
from tests.exercises.test_answers import likely

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_report_of_a_wrong_answer_shows_what_was_fed_what_came_out_and_what_was_expected(capsys):
    @exercise("output_size")
    def output_size(size, *, kernel, stride=1, padding=0):
        return (size + padding - kernel) // stride + 1

    assert output_size(7, kernel=3, padding=1) == 7  # the reference from here on
    assert capsys.readouterr().out.splitlines() == [
        "output_size  ★ · 5 min · 1 point",
        "✓ a 3×3 filter on 7×7 has 5 positions per side",
        "✓ with stride 2 it has 3",
        "✗ padding 1 keeps the size",
        "  fed      size = 7, kernel = 3, padding = 1",
        "  came out 6",
        "  expected 7",
        "  likely   padding is counted once, but it is added at both ends: 2 * padding",
        "✓ AlexNet's first layer: 11×11 at stride 4 on 227×227",
        "✗ stride and padding together",
        "✓ a window of 2 at stride 2, as in pooling",
        "✓ a filter as large as the input has one position",
        "✗ one larger than the image fits the padded one",
        "✗ a border as wide as the filter",
        "✗ with stride 3, 3×3 does not fit 7×7",
        "✗ 5×5 does not fit 3×3",
        "✗ nor does 4×4",
        "Not right yet: output_size is the reference for now, so that the notebook runs on.",
        'viz.exercises.hint("output_size") gives a hint.',
    ]


def test_arrays_are_shown_with_their_shapes():
    text = examine(find("conv2d"), lambda image, kernels, *, stride=1, padding=0: image)[1]
    assert "image = tensor (1, 3, 3)" in text
    assert "kernels = tensor (1, 1, 2, 2)" in text
    assert "came out tensor (1, 3, 3)" in text
    assert "expected tensor (1, 2, 2)" in text
    assert "the shape is (1, 3, 3), (1, 2, 2) was expected" in text


def test_an_operation_that_torch_lacks_is_an_attempt():
    def max_pool(image, size, stride):
        raise NotImplementedError("\"max_pool2d\" not implemented for 'Long'")

    assert "stopped" in examine(find("max_pool"), max_pool)[1]


def test_the_mean_of_booleans_is_an_attempt():
    def purity_at_k(indices, labels, query_labels):
        return (labels[indices] == query_labels[:, None]).mean(dim=1)

    assert "stopped" in examine(find("purity_at_k"), purity_at_k)[1]


def test_an_error_is_told_in_one_line_with_the_line_of_the_student(capsys):
    @exercise("receptive_field")
    def receptive_field(stack):
        return helper(stack)

    def helper(stack):
        return stack[99]

    text = capsys.readouterr().out
    assert "Traceback" not in text
    assert re.search(r"stopped  line \d+, `return helper\(stack\)`: NameError: .*'helper'", text)
    assert receptive_field is find("receptive_field").reference


def test_an_error_inside_a_library_points_at_the_line_that_called_it():
    def conv2d(image, kernels, *, stride=1, padding=0):
        return functional.conv2d(image, kernels[0], stride=stride)

    text = examine(find("conv2d"), conv2d)[1]
    (line,) = [line for line in text.splitlines() if "stopped" in line]
    first = conv2d.__code__.co_firstlineno
    assert f"line {first + 1}, `return functional.conv2d(image, kernels[0], stride=stride)`: RuntimeError" in line
    assert len(line) < 260


def test_an_unexpected_kind_of_refusal_is_rejected():
    def output_size(size, *, kernel, stride=1, padding=0):
        assert (size + 2 * padding - kernel) % stride == 0
        return (size + 2 * padding - kernel) // stride + 1

    text = examine(find("output_size"), output_size)[1]
    assert "AssertionError" in text
    assert "expected ValueError is raised" in text


def test_a_missing_refusal_is_named():
    def output_size(size, *, kernel, stride=1, padding=0):
        room = size + 2 * padding - kernel
        return room // stride + 1 if room >= 0 and room % stride == 0 else -99

    assert likely(examine(find("output_size"), output_size)[1]) == "a value came out where an error was asked for"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda size, kernel, stride=1: 5, "the parameters differ: yours are (size, kernel, stride=1)"),
        (lambda size, kernel, padding=0, stride=1: 5, "the parameters differ"),
        (lambda size, kernel, stride=2, padding=0: 5, "the defaults differ"),
    ],
)
def test_another_signature_is_named_before_anything_runs(function, words):
    returned, text = examine(find("output_size"), function)
    assert returned is find("output_size").reference
    assert words in text
    assert "asked for are (size, *, kernel, stride=1, padding=0)" in text
    assert "✓" not in text


@pytest.mark.slow
@pytest.mark.usefixtures("each_mistake_runs_once")
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    "odd",
    [
        float("nan"),
        float("-inf"),
        1j,
        "five",
        b"5",
        [],
        {},
        object(),
        iter(()),
        int,
        np.array([None, "x"], dtype=object),
        np.float64(0.5),
        torch.tensor(float("nan")),
        torch.zeros(0),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, 2).to_sparse(),
        torch.ones(1, 2, 2).to_sparse(),
        torch.ones(1, 2, 2, dtype=torch.complex64),
        torch.ones(2, dtype=torch.bool),
        torch.ones(1, 2, 2, requires_grad=True),
    ],
    ids=lambda odd: type(odd).__name__,
)
def test_whatever_comes_out_gets_a_diagnosis_and_no_traceback(name, odd):
    entry = find(name)

    def answer(*args, **kwargs):
        return odd

    answer.__signature__ = inspect.signature(entry.reference)
    returned, text = examine(entry, answer)
    assert returned is entry.reference
    assert likely(text)


def test_a_recursive_answer_finds_itself_and_leaves_no_trace():
    source = "def deep(stack):\n    return 1 if not stack else stack[0][1] * (deep(stack[1:]) - 1) + stack[0][0]\n"
    scope = {}
    exec(source, scope)
    deep = scope.pop("deep")
    assert examine(find("receptive_field"), deep)[0] is deep
    assert "deep" not in scope


def test_the_report_arrives_in_one_piece(monkeypatch):
    written = []
    monkeypatch.setattr("sys.stdout.write", written.append)
    exercise("max_pool")(find("max_pool").reference)
    (report,) = filter(None, written)
    assert report.endswith("\n")


def test_no_line_of_a_report_is_empty_or_ends_in_blanks(capsys):
    exercise("normalise_filters")(lambda weights: weights)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 10
    assert all(line and line == line.rstrip() for line in lines)


def test_the_questions_are_the_same_after_an_answer_that_changes_its_inputs():
    entry = find("normalise_filters")
    before = [check.fed["weights"].clone() for check in entry.checks]

    def normalise_filters(weights):
        return weights.zero_()

    text = examine(entry, normalise_filters)[1]
    assert "✗ its inputs are left as they were\n  changed  `weights`" in text
    assert all(torch.equal(check.fed["weights"], old) for check, old in zip(entry.checks, before, strict=True))


@pytest.mark.parametrize(
    "harm",
    [
        lambda model: model.train(),
        lambda model: model.weight.data.zero_(),
        lambda model: model(torch.ones(2)).backward(),
    ],
)
def test_a_network_must_be_left_as_it_was_found(harm):
    def score(model):
        return 3.0

    def harmful(model):
        harm(model)
        return 3.0

    entry = Entry("score", score, [Check("a score", {"model": tiny()}, 3.0)], {})
    assert examine(entry, score)[0] is score
    assert "changed  `model`" in examine(entry, harmful)[1]


def tiny():
    torch.manual_seed(0)
    return nn.Linear(2, 1).eval()


def test_a_check_may_ask_for_a_property_of_several_calls():
    def mean_free(x):
        return x - x.mean()

    ask = lambda function, x: function(x) - function(x + 3)  # noqa: E731
    entry = Entry("mean_free", mean_free, [Check("a constant", {"x": torch.arange(3.0)}, torch.zeros(3), ask)], {})
    assert examine(entry, mean_free)[0] is mean_free
    assert "every value is off by -3" in examine(entry, lambda x: x)[1]


def test_an_unknown_name_lists_the_closest():
    with pytest.raises(ValueError, match="no exercise 'output_sise'; the closest: output_size"):
        exercise("output_sise")
    with pytest.raises(ValueError, match=r'@exercise\("name"\)'):
        exercise(find)


@pytest.mark.parametrize("name", names())
def test_reveal_shows_the_source_of_the_reference_in_a_fold(name):
    shown = reveal(name)
    source = inspect.getsource(find(name).reference).rstrip()
    assert source in repr(shown)
    assert "★" in repr(shown).splitlines()[0]
    page = shown._repr_html_()
    assert page.startswith("<details><summary>")
    assert not re.search(r"<(?!/?(details|summary|pre|code)>)", page)  # nothing unescaped
    assert f"def {name}(" in page


def test_ipython_shows_the_fold_as_html_and_as_text():
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    data, _ = formatter.format(reveal("output_size"))
    assert set(data) == {"text/html", "text/plain"}
    assert "\n    return room // stride + 1" in data["text/plain"]
