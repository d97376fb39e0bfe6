"""The first page of the course says what the notebooks, README and the instructor's pages say."""

import json
import re
from pathlib import Path

import pytest

from cs231n_viz.exercises import ROOMS, names
from cs231n_viz.exercises.course_map import PARTS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = json.loads((ROOT / "notebooks" / "index.ipynb").read_text(encoding="utf-8"))
PROSE = "\n\n".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown")
STEMS = [room.removeprefix("n") for room in ROOMS]
LINK = r"\[([^]]*)\]\(([^)#]*)(#[^)]*)?\)"


def section(heading: str) -> str:
    (found,) = re.findall(rf"^## {heading}\n([\s\S]*?)(?=^## |\Z)", PROSE, flags=re.MULTILINE)
    return found


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of a table, without its head."""
    return [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (.*) \|$", text, re.MULTILINE)[1:]]


def title(stem: str) -> str:
    cells = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def test_every_question_leads_to_its_notebook_with_its_minutes():
    readme = dict(
        re.findall(
            r"^\| \[(\w+)\]\(notebooks/.* \| (\d+) \| [\d.]+ \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
        )
    )
    questions = section("The thirteen questions")
    found = rows(questions)
    assert [re.fullmatch(LINK, row[1])[2] for row in found] == [f"{stem}.ipynb" for stem in STEMS]
    for stem, (number, question, *_, minutes) in zip(STEMS, found, strict=True):
        assert f"{number} · {re.fullmatch(LINK, question)[1]}" == title(stem)
        assert minutes == readme[stem]
    total = sum(map(int, readme.values()))
    assert f"Together that is {total} minutes, about {round(total / 60)} hours" in questions


def test_notebooks_build_on_what_the_instructors_page_says():
    page = ROOT / "instructor" / "README.md"
    needs = dict(re.findall(r"^\| \[(\w+)\]\(.*? \| .*? \| (.*) \|$", page.read_text("utf-8"), re.MULTILINE))
    assert {row[0]: row[3] for row in rows(section("The thirteen questions"))} == needs


def test_every_link_leads_somewhere():
    headings = {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", PROSE, re.MULTILINE)}
    for text, target, anchor in re.findall(LINK, PROSE):
        assert not target or (ROOT / "notebooks" / target).is_file(), target
        assert not anchor or anchor.removeprefix("#") in headings, anchor
        if re.fullmatch(r"\d\db?", text):
            assert target.startswith(f"{text}_")


@pytest.mark.parametrize("part", [part for part in PARTS if ":" not in part and part != "Before the lecture"])
def test_the_parts_of_the_lecture_have_the_notebooks_of_the_progress_map(part):
    (notebooks,) = [row[2] for row in rows(section("The lecture as a map")) if row[0] == f"**{part}**"]
    assert {room.removeprefix("n") + ".ipynb" for room in PARTS[part]} <= {
        link[1] for link in re.findall(LINK, notebooks)
    }


def test_every_notebook_is_on_the_map_of_the_lecture():
    text = section("The lecture as a map")
    drawn = re.search(r"```text\n([\s\S]*?)```", text)[1]
    numbers = [stem.partition("_")[0] for stem in STEMS]
    assert sorted(re.findall(r"\b\d\db?\b", drawn)) == sorted(numbers)
    assert {link[0] for link in re.findall(LINK, text)} == set(numbers)


def test_all_that_helps_with_an_exercise_is_named():
    text = section("How the exercises work")
    assert set(re.findall(r"viz\.exercises\.(\w+)\(", text)) == {"hint", "reveal", "restore", "progress"}


def test_the_stored_map_is_the_empty_one():
    (cell,) = [cell for cell in NOTEBOOK["cells"] if "".join(cell["source"]) == "viz.exercises.progress()"]
    (output,) = cell["outputs"]
    text = "".join(output["data"]["text/plain"])
    assert f"0 of {len(names())} exercises right" in text
    assert text.count("○") == len(names())
    assert "".join(output["data"]["text/html"]).count("○") == len(names())


def test_it_is_short_and_was_run():
    code = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert len(NOTEBOOK["cells"]) <= 65
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(len("".join(cell["source"]).splitlines()) <= 25 for cell in code)
