"""Minutes are said in headings and by the exercises; what the top of a notebook and README say is their sum."""

import json
import re
from pathlib import Path

import pytest

from cs231n_viz.exercises import ROOMS, find

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def prose(room):
    """The text of the room's notebook, one string per section; the first is what stands before section 1."""
    notebook = json.loads((ROOT / "notebooks" / f"{room.removeprefix('n')}.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"]]
    return re.split(r"^(?=## )", "\n".join(cells), flags=re.MULTILINE)


def minutes_of(section):
    """The minutes in the heading of a section; 0 for the quiz, limits and references, which are not counted."""
    stated = re.match(r"## .*  \((\d+) min\)$", section, flags=re.MULTILINE)
    return int(stated[1]) if stated else 0


def in_readme(room):
    row = re.search(rf"^\| \[{room.removeprefix('n')}\]\(.* \| (\d+) \| [\d.]+ \|$", README, flags=re.MULTILINE)
    return int(row[1])


@pytest.mark.parametrize("room", ROOMS)
def test_the_top_of_a_notebook_and_readme_say_the_sum_of_its_sections(room):
    top, *sections = prose(room)
    time_line = r"^\*\*Time:\*\* about (\d+) minutes, (\d+) of them for the exercises\."
    stated = re.search(time_line, top, flags=re.MULTILINE)
    total, of_exercises = int(stated[1]), int(stated[2])
    assert total == sum(map(minutes_of, sections)) == in_readme(room)
    assert of_exercises == sum(find(name).minutes for name in ROOMS[room])


@pytest.mark.parametrize("room", ROOMS)
def test_a_section_leaves_time_beside_its_exercises(room):
    for section in prose(room)[1:]:
        exercises = re.findall(r'^@exercise\("(\w+)"\)', section, flags=re.MULTILINE)
        if exercises:
            assert minutes_of(section) >= 5 + sum(find(name).minutes for name in exercises), section.splitlines()[0]


@pytest.mark.parametrize("room", ROOMS)
def test_headings_state_the_stars_and_minutes_that_the_checker_prints(room):
    headings = re.findall(r"^### Exercises? · (.*)$", "\n".join(prose(room)), flags=re.MULTILINE)
    stated = [found for heading in headings for found in re.findall(r"(\w+) +\((★+ · \d+ min)\)", heading)]
    assert [name for name, _ in stated] == list(ROOMS[room])
    for name, effort in stated:
        assert find(name).header.startswith(f"{name}  {effort} · ")  # the points stand in the cell below


def test_readme_states_the_sum_of_its_table():
    total = sum(map(in_readme, ROOMS))
    assert f"Together that is {total} minutes, about {round(total / 60)} hours" in README
