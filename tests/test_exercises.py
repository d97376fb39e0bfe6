import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import mutants
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from cs231n_viz.exercises import Check, Entry, exercise, find, names, reveal
from cs231n_viz.exercises.compare import describe, equal, unchanged
from cs231n_viz.exercises.core import examine
from cs231n_viz.exercises.first_layer import grating

ANSWERS = {m.name: importlib.import_module(f"mutants.{m.name}").answers for m in pkgutil.iter_modules(mutants.__path__)}
WRONG = [pytest.param(n, f, d, id=f"{n}-{f.__name__}") for n, a in ANSWERS.items() for f, d in a.wrongs]
RIGHT = [pytest.param(n, f, id=f"{n}-{f.__name__}") for n, a in ANSWERS.items() for f in a.rights]


pytestmark = pytest.mark.usefixtures("one_thread")


def likely(text):
    """The diagnosis of a report."""
    found = re.findall(r"^  likely +(.*)$", text, flags=re.MULTILINE)
    assert len(found) == 1, text
    return found[0]


def test_every_exercise_has_mutants_and_different_right_answers():
    assert set(ANSWERS) == set(names())
    assert all(len(answers.rights) >= 3 for answers in ANSWERS.values())


@pytest.mark.parametrize(("name", "function", "diagnosis"), WRONG)
def test_a_wrong_answer_gets_its_own_diagnosis_and_the_reference_back(name, function, diagnosis, capsys):
    returned = exercise(name)(function)
    text = capsys.readouterr().out
    assert returned is find(name).reference
    assert "✗" in text
    assert diagnosis in likely(text)
    assert text.rstrip().endswith(f"Not right yet: {name} is the reference for now, so that the notebook runs on.")


@pytest.mark.parametrize("name", names())
def test_every_known_mistake_is_proved_by_a_mutant_and_no_two_diagnoses_share_a_fragment(name):
    messages = list(find(name).mistakes)
    assert len(set(messages)) == len(messages)
    fragments = {diagnosis for _, diagnosis in ANSWERS[name].wrongs}
    for message in messages:
        assert sum(fragment in message for fragment in fragments) == 1, message
    for fragment in fragments:
        assert sum(fragment in message for message in messages) <= 1, fragment


@pytest.mark.parametrize("name", names())
def test_every_known_mistake_and_variant_is_rejected_with_its_own_message(name):
    entry = find(name)
    signature = inspect.signature(entry.reference)
    for message, variants in entry.mistakes.items():
        for mistaken in variants if isinstance(variants, tuple) else (variants,):

            def answer(*args, mistaken=mistaken, **kwargs):
                return mistaken(*args, **kwargs)

            answer.__signature__ = signature
            assert likely(examine(entry, answer)[1]) == message


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_differently_written_right_answer_passes_and_is_handed_back(name, function, capsys):
    assert exercise(name)(function) is function
    text = capsys.readouterr().out
    assert "✗" not in text
    assert text.count("✓") >= len(find(name).checks)
    assert text.rstrip().endswith(f"Right: your {name} is used from here on.")


@pytest.mark.parametrize("name", names())
def test_the_reference_passes_its_own_checks(name):
    reference = find(name).reference
    assert examine(find(name), reference)[0] is reference


@pytest.mark.parametrize("name", names())
def test_not_attempted_takes_the_reference_in_one_line(name, capsys):
    def stub(*args, **kwargs):
        raise NotImplementedError

    stub.__signature__ = inspect.signature(find(name).reference)
    assert exercise(name)(stub) is find(name).reference
    assert capsys.readouterr().out == f"{name}: not attempted, using the reference for now\n"


def test_an_operation_that_torch_lacks_is_an_attempt():
    def max_pool(image, size, stride):
        raise NotImplementedError("\"max_pool2d\" not implemented for 'Long'")

    assert "stopped" in examine(find("max_pool"), max_pool)[1]


def test_the_report_of_a_wrong_answer_shows_what_was_fed_what_came_out_and_what_was_expected(capsys):
    @exercise("output_size")
    def output_size(size, *, kernel, stride=1, padding=0):
        return (size + padding - kernel) // stride + 1

    assert output_size(7, kernel=3, padding=1) == 7  # the reference from here on
    assert capsys.readouterr().out.splitlines() == [
        "output_size  ★ · 5 min",
        "✓ a 3×3 filter on 7×7 has 5 places per side",
        "✓ with stride 2 it has 3",
        "✗ padding 1 keeps the size",
        "  fed      size = 7, kernel = 3, padding = 1",
        "  came out 6",
        "  expected 7",
        "  likely   padding is counted once, but it is added at both ends: 2 * padding",
        "✓ AlexNet's first layer: 11×11 at stride 4 on 227×227",
        "✗ stride and padding together",
        "✗ with stride 3, 3×3 does not fit 7×7",
        "✗ 5×5 does not fit 3×3",
        "Not right yet: output_size is the reference for now, so that the notebook runs on.",
    ]


def test_arrays_are_shown_with_their_shapes():
    text = examine(find("conv2d"), lambda image, kernels, *, stride=1, padding=0: image)[1]
    assert "image = tensor (1, 3, 3)" in text
    assert "kernels = tensor (1, 1, 2, 2)" in text
    assert "came out tensor (1, 3, 3)" in text
    assert "expected tensor (1, 2, 2)" in text
    assert "the shape is (1, 3, 3), (1, 2, 2) was expected" in text


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
def test_whatever_comes_out_is_answered_calmly(name, odd):
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


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "did you forget `return`"),
        ([1, 2], "a builtins.list came out"),
        (torch.full((2, 3), torch.nan), "NaN"),
        (torch.zeros(2, 3), "only zeros"),
        (torch.zeros(3, 2), "the axes are in another order"),
        (torch.zeros(1, 2, 3), "an axis of length 1"),
        (torch.zeros(5), "(2, 3) was expected"),
        (-torch.arange(6.0).reshape(2, 3), "the sign is flipped"),
        (torch.arange(6.0).reshape(2, 3) / 4, "0.25 times"),
        (torch.arange(6.0).reshape(2, 3) + 2, "off by 2"),
        (torch.arange(6.0).reshape(2, 3).flip(1), "axis 1 runs backwards"),
        (torch.tensor([[0.0, 1, 2], [3, 4, 9]]), "1 of 6 values differ, most at index (1, 2), by 4"),
    ],
)
def test_a_difference_that_nobody_foresaw_is_described(got, words):
    assert words in describe(got, torch.arange(6.0).reshape(2, 3))


def test_swapped_axes_of_a_square_are_described():
    square = torch.arange(9.0).reshape(3, 3)
    assert describe(square.T.clone(), square) == "the last two axes are swapped"


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (5, 5, True),
        (torch.tensor(5), 5, True),
        (5.0, 5, False),
        (5, 5.0, True),
        ("5", 5.0, False),
        (float("nan"), 5.0, False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), True),
        (torch.ones(2, 1), torch.ones(2), False),
        ([1, 2], (1, 2), True),
        ({"a": 1}, {"a": 2}, False),
        (None, 0, False),
    ],
)
def test_equal(got, expected, same):
    assert equal(got, expected) is same


def test_unchanged_sees_the_gradient_flag():
    x = torch.ones(2)
    assert unchanged(x.clone(), x)
    assert not unchanged(x.clone().requires_grad_(), x)


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


def test_no_module_of_the_package_imports_the_exercises():
    package = Path(inspect.getfile(find)).parents[1]
    for path in package.rglob("*.py"):
        if path.parent.name != "exercises":
            assert not re.search(r"(import|from) .*\bexercises\b", path.read_text()), path


# The references against PyTorch.


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_output_size_is_that_of_torch_or_refused(size, kernel, stride, padding):
    output_size = find("output_size").reference
    room = size + 2 * padding - kernel
    if room < 0 or room % stride:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, kernel=kernel, stride=stride, padding=padding)
    else:
        out = functional.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), stride=stride, padding=padding)
        assert output_size(size, kernel=kernel, stride=stride, padding=padding) == out.shape[-1]


@pytest.mark.parametrize("bias", [True, False])
def test_parameter_count_is_that_of_torch(bias):
    layer = nn.Conv2d(3, 7, 5, bias=bias)
    assert find("parameter_count").reference(3, 7, 5, bias=bias) == sum(p.numel() for p in layer.parameters())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_conv2d_and_max_pool_are_those_of_torch(channels, kernel, stride, filters, padding):
    generator = torch.Generator().manual_seed(kernel)
    image = torch.randn(channels, 7, 9, generator=generator, dtype=torch.float64)
    kernels = torch.randn(filters, channels, kernel, 2, generator=generator, dtype=torch.float64)
    expected = functional.conv2d(image[None], kernels, stride=stride, padding=padding)[0]
    torch.testing.assert_close(find("conv2d").reference(image, kernels, stride=stride, padding=padding), expected)
    pooled = functional.max_pool2d(image[None], kernel, stride)[0]
    torch.testing.assert_close(find("max_pool").reference(image, kernel, stride), pooled)


@pytest.mark.parametrize("stack", [[(11, 4), (3, 2), (5, 1), (3, 2)], [(3, 1), (2, 2), (3, 1)], [(1, 3), (2, 1)]])
def test_receptive_field_is_the_support_of_the_gradient(stack):
    by_gradient_support = importlib.import_module("mutants.receptive_field").by_gradient_support
    assert find("receptive_field").reference(stack) == by_gradient_support(stack)


def test_normalise_filters_is_that_of_the_package():
    filters = pytest.importorskip("cs231n_viz.filters")
    weights = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    weights[2] = 0
    torch.testing.assert_close(find("normalise_filters").reference(weights), filters.normalise_filters(weights))


@pytest.mark.parametrize("frequency", [0.15, 0.2, 0.25, 0.3])
def test_dominant_orientation_is_within_five_degrees_for_every_angle(frequency):
    for angle in range(0, 180, 3):
        found = find("dominant_orientation").reference(grating(angle, frequency=frequency))
        assert 0 <= found < 180
        assert abs((found - angle + 90) % 180 - 90) < 5
