"""What somebody who studies alone finds in a notebook: its place, questions with answers, what others got wrong."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[01]*_*.ipynb"))
FOLD = r"<details>\n<summary>(?P<title>[^\n]+)</summary>\n\n(?P<body>.+?)\n\n</details>"


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def questions(path):
    """(The letters of the options, the fold below them) of each question that has options."""
    parts = re.split(r"^(?=\*\*Question \d+\.\*\*)", "\n\n".join(markdown(path)), flags=re.MULTILINE)[1:]
    for part in parts:
        before, rest = part.split("<details>", 1)
        options = re.findall(r"^- \*\*([a-z])\*\* ", before, flags=re.MULTILINE)
        yield options, re.match(FOLD, "<details>" + rest, flags=re.DOTALL)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_fold_answers_each_question_and_says_what_is_wrong_with_every_other_option(path):
    found = list(questions(path))
    assert len(found) >= 2
    for number, (options, fold) in enumerate(found, start=1):
        assert options in (list("abc"), list("abcd"))
        assert fold["title"] == f"Answer {number}, and what is wrong with the others"
        right = re.match(r"\*\*([a-z])\.\*\* ", fold["body"])[1]
        wrong = re.findall(r"^- \*\*([a-z])\*\* ", fold["body"], flags=re.MULTILINE)
        assert sorted([right, *wrong]) == options


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_open_question_has_a_sample_answer(path):
    (question,) = re.findall(
        r"^\*\*An open question\.\*\* [^\n]+\n\n(.+)", "\n\n".join(markdown(path)), flags=re.M | re.S
    )
    assert re.match(FOLD, question, flags=re.DOTALL)["title"] == "A sample answer"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_top_says_where_the_notebook_stands_in_the_lecture(path):
    (line,) = re.findall(r"^\*On the lecture's map:\* .+$", markdown(path)[0], flags=re.MULTILINE)
    here = re.findall(r"\*\*[a-z ]+\(([\d, ]+)\)\*\*", line)
    assert (path.stem[:2] == "00" and not here) or path.stem[:2] in ", ".join(here).split(", ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_box_answers_what_may_have_been_read_elsewhere(path):
    boxes = re.findall(r"^> \*\*You may have read\*\* .+$", "\n\n".join(markdown(path)), flags=re.MULTILINE)
    assert boxes
    for box in boxes:
        assert 2 <= len(re.findall(r"[.:!?)](?= |$)", box)), box


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_of_a_readable_length(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert 25 <= len(cells) <= 65
    assert 1300 <= sum(len(text.split()) for text in markdown(path)) <= 4000
    assert max(len(cell["source"]) for cell in cells if cell["cell_type"] == "code") <= 25
