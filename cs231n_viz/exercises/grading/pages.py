"""Grades as files: a CSV for the lecturer, results.json as Gradescope reads it, a page of feedback for each student."""

import csv
import html
import io
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from cs231n_viz.exercises import ROOMS, find
from cs231n_viz.exercises.grading.judging import MISSING, NOT_ATTEMPTED, RIGHT, WRONG, Verdict
from cs231n_viz.exercises.grading.run import Grade
from cs231n_viz.writing import write_text_over

_MARKS = {RIGHT: "✓", WRONG: "✗", NOT_ATTEMPTED: "○", MISSING: "–"}
_ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b;
       background: #fff }
h1 { margin-bottom: 0 } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
.total { font-size: 1.3rem; margin: .2rem 0 1rem }
.remark { border-left: 4px solid #b35c00; padding: .3rem .8rem; background: #fff4e5 }
details, .one { border: 1px solid #d0d0d0; border-left-width: 6px; border-radius: 4px; margin: .4rem 0;
                padding: .4rem .8rem }
summary { cursor: pointer } .points { float: right; font-variant-numeric: tabular-nums }
.right { border-left-color: #0072b2 } .wrong { border-left-color: #d55e00 } .open { border-left-color: #999 }
pre { overflow-x: auto; background: #f6f6f6; padding: .6rem; border-radius: 4px; font-size: .85rem; line-height: 1.4 }
@media print { details, .one { break-inside: avoid } }
"""
_KIND = {RIGHT: "right", WRONG: "wrong"}


def write_all(grades: Sequence[Grade], out: Path) -> None:
    """Write ``grades.csv``, ``gradescope/STUDENT/results.json`` and ``feedback/STUDENT.html`` into a folder."""
    write_text_over(out / "grades.csv", table(grades))
    for grade in grades:
        results = json.dumps(gradescope(grade), indent=1, ensure_ascii=False)
        write_text_over(out / "gradescope" / grade.student / "results.json", results)
        write_text_over(out / "feedback" / f"{grade.student}.html", page(grade))


def table(grades: Sequence[Grade]) -> str:
    """A line of CSV for each student: name, points of each exercise, total, and remarks on damaged notebooks."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    names = [verdict.exercise for verdict in grades[0].verdicts]
    lines.writerow(["student", *names, "total", "remarks"])
    lines.writerow(["(points)", *(find(name).points for name in names), grades[0].out_of, ""])
    for grade in grades:
        points = [verdict.points for verdict in grade.verdicts]
        lines.writerow([_plain(grade.student), *points, grade.points, _plain("; ".join(grade.remarks))])
    return text.getvalue()


def gradescope(grade: Grade) -> dict[str, Any]:
    """A student's grade as Gradescope's autograder reads it from results.json."""
    tests = [
        {
            "name": verdict.exercise,
            "score": verdict.points,
            "max_score": verdict.out_of,
            "status": "passed" if verdict.status == RIGHT else "failed",
            "output": verdict.text,
            "output_format": "text",
            "visibility": "visible",
        }
        for verdict in grade.verdicts
    ]
    return {"score": grade.points, "output": "\n".join(grade.remarks), "output_format": "text", "tests": tests}


def page(grade: Grade) -> str:
    """A page of feedback that needs nothing else; whatever a student wrote is shown as text."""
    title = html.escape(f"{grade.student}: {grade.points} of {grade.out_of} points")
    right = sum(verdict.status == RIGHT for verdict in grade.verdicts)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{html.escape(grade.student)}</h1>",
        f'<p class="total"><b>{grade.points}</b> of {grade.out_of} points · {right} of {len(grade.verdicts)} '
        "exercises right</p>",
        *(f'<p class="remark">{html.escape(remark)}</p>' for remark in grade.remarks),
    ]
    for room, verdicts in groupby(grade.verdicts, lambda verdict: _ROOM_OF[verdict.exercise]):
        together = list(verdicts)
        points = f"{sum(one.points for one in together)} of {sum(one.out_of for one in together)} points"
        parts.append(f"<h2>{room.removeprefix('n')} · {points}</h2>")
        parts += map(_shown, together)
    return "\n".join([*parts, "</body></html>", ""])


def _shown(verdict: Verdict) -> str:
    kind = _KIND.get(verdict.status, "open")
    line = (
        f'{_MARKS[verdict.status]} <b>{verdict.exercise}</b> · {verdict.status} <span class="points">'
        f"{verdict.points} of {verdict.out_of}</span>"
    )
    if kind == "open":
        return f'<div class="one {kind}">{line}</div>'
    shown = " open" if verdict.status == WRONG else ""
    return f'<details class="{kind}"{shown}><summary>{line}</summary><pre>{html.escape(verdict.text)}</pre></details>'


def _plain(cell: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r") else cell
