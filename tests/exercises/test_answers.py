"""The answers of ``tests/mutants``: every wrong one is rejected with its own diagnosis, every right one passes."""

import inspect
import re
from importlib import import_module

import pytest
import torch

from cs231n_viz.exercises import ROOMS, exercise, find, names
from cs231n_viz.exercises.core import examine

ANSWERS = {name: import_module(f"tests.mutants.{room}.{name}").answers for room, all_ in ROOMS.items() for name in all_}
WRONG = [pytest.param(n, f, d, id=f"{n}-{f.__name__}") for n, a in ANSWERS.items() for f, d in a.wrongs]
RIGHT = [pytest.param(n, f, id=f"{n}-{f.__name__}") for n, a in ANSWERS.items() for f in a.rights]

pytestmark = pytest.mark.usefixtures("one_thread", "each_mistake_runs_once")


def likely(text):
    """The diagnosis of a report."""
    diagnoses = re.findall(r"^  likely +(.*)$", text, flags=re.MULTILINE)
    assert len(diagnoses) == 1, text
    return diagnoses[0]


def test_every_exercise_has_different_right_answers():
    assert all(len(answers.rights) >= 3 for answers in ANSWERS.values())


@pytest.mark.slow  # all 600 together
@pytest.mark.parametrize(("name", "function", "diagnosis"), WRONG)
def test_a_wrong_answer_gets_its_own_diagnosis_and_the_reference_back(name, function, diagnosis, capsys):
    returned = exercise(name)(function)
    text = capsys.readouterr().out
    assert returned is find(name).reference
    assert "✗" in text
    assert diagnosis in likely(text)
    assert f"Not right yet: {name} is the reference for now, so that the notebook runs on.\n" in text


@pytest.mark.parametrize("name", names())
def test_every_known_mistake_is_proved_by_a_mutant_and_no_two_diagnoses_share_a_fragment(name):
    messages = list(find(name).mistakes)
    assert len(set(messages)) == len(messages)
    fragments = {diagnosis for _, diagnosis in ANSWERS[name].wrongs}
    for message in messages:
        assert sum(fragment in message for fragment in fragments) == 1, message
    for fragment in fragments:
        assert sum(fragment in message for message in messages) <= 1, fragment


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_known_mistake_and_variant_is_rejected_with_its_own_message(name, mistakes):
    entry = find(name)
    assert {message for message, _ in mistakes[name]} == set(entry.mistakes)
    for message, answer in mistakes[name]:
        assert likely(examine(entry, answer)[1]) == message


@pytest.mark.parametrize(("name", "function"), RIGHT)
def test_a_differently_written_right_answer_passes_and_is_handed_back(name, function, capsys):
    assert exercise(name)(function) is function
    text = capsys.readouterr().out
    assert "✗" not in text
    assert text.count("✓") >= len(find(name).checks)
    assert text.rstrip().endswith(f"Right: your {name} is used from here on.")


@pytest.mark.parametrize("name", names())
def test_the_reference_passes_its_own_checks_where_gradients_were_left_switched_off(name):
    reference = find(name).reference
    with torch.no_grad():
        assert examine(find(name), reference)[0] is reference
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("name", names())
def test_not_attempted_takes_the_reference_in_one_line(name, capsys):
    def stub(*args, **kwargs):
        raise NotImplementedError

    stub.__signature__ = inspect.signature(find(name).reference)
    assert exercise(name)(stub) is find(name).reference
    assert capsys.readouterr().out == f"{name}: not attempted, using the reference for now\n"
