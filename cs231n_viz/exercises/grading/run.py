"""Grade a class: the reference first, then every hand-in in a process of its own, keeping what is done."""

import hashlib
import json
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from cs231n_viz.exercises import ROOMS, find
from cs231n_viz.exercises.grading.cells import answers, read_cells
from cs231n_viz.exercises.grading.judging import MISSING, RIGHT, Verdict, judge, verdict
from cs231n_viz.exercises.grading.reference import reference_notebook
from cs231n_viz.exercises.grading.sandbox import Limits
from cs231n_viz.writing import write_text_over

EXERCISES = Path(__file__).parents[1]
LAYOUTS = "FOLDER/STUDENT/*.ipynb (folders in between are fine) or FOLDER/STUDENT.ipynb"


class GradingError(Exception):
    """The class cannot be graded; nothing is wrong with a hand-in."""


@dataclass(frozen=True)
class Handin:
    """What one student handed in."""

    student: str
    notebooks: tuple[Path, ...]


@dataclass(frozen=True)
class Grade:
    """A student's verdicts, one for each exercise that counts, and what went wrong with a notebook as a whole."""

    student: str
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """All points together."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def out_of(self) -> int:
        """All that could be had."""
        return sum(verdict.out_of for verdict in self.verdicts)


def find_handins(folder: Path) -> list[Handin]:
    """List the hand-ins of a class.

    Args:
        folder: Holds a folder for each student with notebooks at any depth, or a notebook for each student, or both.

    Returns:
        One hand-in for each student, by name.

    Raises:
        GradingError: If there is none.
    """
    if not folder.is_dir():
        raise GradingError(f"{folder} is no folder; wanted: {LAYOUTS}")
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        inside = sorted(entry.rglob("*.ipynb")) if entry.is_dir() else [entry] if entry.suffix == ".ipynb" else []
        seen = [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
        if entry.is_dir() or seen:
            found.setdefault(entry.name if entry.is_dir() else entry.stem, []).extend(seen)
    if not any(found.values()):
        raise GradingError(f"there is no notebook in {folder}; wanted: {LAYOUTS}")
    return [Handin(student, tuple(paths)) for student, paths in sorted(found.items())]


def grade(
    folder: Path, out: Path, *, jobs: int = 1, notebooks: Sequence[str] = (), memory: int = Limits.memory
) -> list[Grade]:
    """Grade all hand-ins in a folder; what was graded before, by these checks, is not graded again.

    Args:
        folder: See ``find_handins``.
        out: Where the verdicts on each notebook are kept, in ``verdicts/``.
        jobs: Notebooks at the same time.
        notebooks: Those that count, by the beginning of their names (``05``); by default those of which an exercise
            was handed in by anybody.
        memory: Bytes that an answer may take.

    Raises:
        GradingError: If there is nothing to grade, or a reference does not pass its own checks here.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        raise GradingError(
            "answers are graded in forked processes, which Windows does not have; use Linux, macOS or WSL"
        )
    handins = find_handins(folder)
    kept = out / "verdicts"
    kept.mkdir(parents=True, exist_ok=True)
    files = {path: _key(path.read_bytes()) for handin in handins for path in handin.notebooks}
    names = _that_count(files, notebooks)
    limits = Limits(memory=memory, hidden=_to_hide(folder, out))
    torch.set_num_threads(1)
    tqdm.monitor_interval = 0  # its thread would be in the way of a fork
    _grade_reference(names, out, limits)
    todo = {key: path for path, key in files.items() if not (kept / f"{key}.json").exists()}
    with tqdm(total=len(files), initial=len(files) - len(todo), unit="notebook", disable=None) as bar:
        for _ in _in_processes([(path, kept / f"{key}.json", limits) for key, path in todo.items()], jobs):
            bar.update()
    return [_collect(handin, files, kept, names) for handin in handins]


def _that_count(files: Mapping[Path, str], notebooks: Sequence[str]) -> list[str]:
    """The exercises that count, in the order of the course."""
    rooms = set()
    for wanted in notebooks:
        fitting = [room for room in ROOMS if room.removeprefix("n").startswith(wanted)]
        if not fitting:
            known = ", ".join(room.removeprefix("n") for room in ROOMS)
            raise GradingError(f"no notebook is called {wanted!r}; there are: {known}")
        rooms |= set(fitting)
    if not notebooks:
        pattern = re.compile(r"exercise\(\\?[\"'](\w+)\\?[\"']")
        handed_in = {name for path in files for name in pattern.findall(path.read_text(errors="replace"))}
        rooms = {room for room, names in ROOMS.items() if handed_in & set(names)}
    if not rooms:
        raise GradingError('no hand-in has a cell with @exercise("..."); are these the notebooks of the course?')
    return [name for room, names in ROOMS.items() if room in rooms for name in names]


def _grade_reference(names: Sequence[str], out: Path, limits: Limits) -> None:
    """Every reference takes the way of a hand-in and must come out right, or no verdict could be trusted."""
    text = json.dumps(reference_notebook(names))
    kept = out / "verdicts" / f"{_key(text.encode())}.json"
    if not kept.exists():
        notebook = out / "reference.ipynb"
        write_text_over(notebook, text)
        for _ in _in_processes([(notebook, kept, limits)], 1):
            pass
    verdicts = _load(kept).get("verdicts", {})
    failed = [name for name in names if name not in verdicts or verdicts[name].status != RIGHT]
    if failed:
        kept.unlink(missing_ok=True)
        shown = verdicts[failed[0]].text if failed[0] in verdicts else "its process ended without a verdict"
        raise GradingError(f"the reference itself fails here, so nothing was graded: {', '.join(failed)}\n{shown}")


def _in_processes(tasks: Sequence[tuple[Path, Path, Limits]], jobs: int) -> Iterator[None]:
    """Grade notebooks in processes of their own, ``jobs`` at a time; yields as each one ends."""
    forked, waiting, running = multiprocessing.get_context("fork"), list(tasks), []
    try:
        while waiting or running:
            while waiting and len(running) < max(jobs, 1):
                process = forked.Process(target=_grade_notebook, args=waiting.pop(0))
                process.start()
                running.append(process)
            connection.wait([process.sentinel for process in running])
            for process in [one for one in running if not one.is_alive()]:
                process.join()
                running.remove(process)
                yield
    finally:
        for process in running:
            process.terminate()
            process.join()


def _grade_notebook(path: Path, kept: Path, limits: Limits) -> None:
    """Judge every answer in a notebook, and keep the verdicts."""
    start, result = time.perf_counter(), {}
    try:
        found = answers(read_cells(path))
        known = [answer for name, answer in found.items() if any(name in names for names in ROOMS.values())]
        result["verdicts"] = [judge(answer, limits).as_json() for answer in known]
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        result["error"] = str(error) or type(error).__name__
    write_text_over(kept, json.dumps({**result, "seconds": round(time.perf_counter() - start, 2)}, ensure_ascii=False))


def _collect(handin: Handin, files: Mapping[Path, str], kept: Path, names: Sequence[str]) -> Grade:
    """A student's verdicts; of an exercise in several notebooks the best one counts."""
    best: dict[str, Verdict] = {}
    remarks = [] if handin.notebooks else ["there is no notebook in this folder"]
    for path in handin.notebooks:
        result = _load(kept / f"{files[path]}.json")
        if "error" in result:
            remarks.append(result["error"])
        for name, one in result.get("verdicts", {}).items():
            if name not in best or one.points > best[name].points:
                best[name] = one
    missing = [verdict(find(name), MISSING, ["not handed in"]) for name in names if name not in best]
    verdicts = {**best, **{one.exercise: one for one in missing}}
    return Grade(handin.student, tuple(verdicts[name] for name in names), tuple(remarks))


def _load(kept: Path) -> dict[str, Any]:
    """What ``_grade_notebook`` kept; an error if it was stopped from outside."""
    if not kept.exists():
        return {"error": "grading this notebook was broken off; run it again, or look at the notebook"}
    result = json.loads(kept.read_text(encoding="utf-8"))
    if "verdicts" in result:
        result["verdicts"] = {one["exercise"]: Verdict(**one) for one in result["verdicts"]}
    return result


def _key(notebook: bytes) -> str:
    """Names the verdicts on a notebook by all that they depend on: itself, the checks, and what these run with."""
    digest = _digest_of_checks().copy()
    digest.update(notebook)
    return digest.hexdigest()[:32]


@cache
def _digest_of_checks() -> "hashlib._Hash":
    try:
        package = version("cs231n_viz")
    except PackageNotFoundError:  # run from a folder that was not installed
        package = ""
    digest = hashlib.sha256("\n".join([package, torch.__version__, sys.version]).encode())
    for source in sorted(EXERCISES.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest


def _to_hide(*folders: Path) -> tuple[Path, ...]:
    """Those folders, but for one that holds what an answer may still have to import."""
    needed = [Path(file).resolve() for file in (__file__, torch.__file__, sys.executable, sys.prefix)]
    return tuple(
        one for one in (folder.resolve() for folder in folders) if not any(path.is_relative_to(one) for path in needed)
    )
