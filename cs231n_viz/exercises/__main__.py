"""For a class: ``python -m cs231n_viz.exercises assignments`` makes hand-outs, ``grade FOLDER`` grades hand-ins."""

import argparse
import os
import sys
from pathlib import Path

from cs231n_viz.exercises.assignments import make_assignments

# Answers run in forked processes of one thread each. NumPy and PyTorch read these when they are loaded.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked for; returns 1, after one line that says why, if that is impossible."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if options.run is _grade:
        _in_one_thread(given)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cs231n_viz.exercises", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="assignments | grade")

    hand_out = commands.add_parser("assignments", help="make hand-outs: no outputs, no answers, a table of points")
    hand_out.add_argument("--nbgrader", action="store_true", help="with nbgrader's metadata, as one of its courses")
    hand_out.add_argument("--answers", action="store_true", help="with the folds that answer the questions")
    hand_out.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="default: %(default)s")
    hand_out.add_argument("--out", type=Path, default=Path("build/assignments"), help="default: %(default)s")
    hand_out.set_defaults(run=_assignments)

    graded = commands.add_parser("grade", help="grade the hand-ins in a folder")
    graded.add_argument("folder", type=Path, help="holds STUDENT/*.ipynb or STUDENT.ipynb")
    graded.add_argument("--out", type=Path, default=Path("build/grades"), help="default: %(default)s")
    graded.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="notebooks at a time (%(default)s)")
    graded.add_argument(
        "--notebooks", nargs="+", default=(), metavar="05", help="those that count; default: all handed in"
    )
    graded.add_argument("--memory", type=float, default=2, help="GB that an answer may take (%(default)s)")
    graded.set_defaults(run=_grade)
    return parser


def _in_one_thread(arguments: list[str]) -> None:
    """Start again with one thread: by now NumPy and PyTorch are loaded."""
    if any(os.environ.get(name) != value for name, value in _ONE_THREAD.items()):
        os.environ.update(_ONE_THREAD)
        os.execv(sys.executable, [sys.executable, "-m", "cs231n_viz.exercises", *arguments])


def _assignments(options: argparse.Namespace) -> int:
    try:
        made = make_assignments(options.notebooks, options.out, nbgrader=options.nbgrader, answers=options.answers)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(made)} hand-outs lie in {options.out}")
    return 0


def _grade(options: argparse.Namespace) -> int:
    try:  # these need fork and resource, which Windows does not have
        from cs231n_viz.exercises.grading.pages import write_all
        from cs231n_viz.exercises.grading.run import GradingError, grade
        from cs231n_viz.exercises.grading.sandbox import has_namespaces
    except ImportError:
        print("Grading needs Linux or macOS; on Windows use WSL.", file=sys.stderr)
        return 1
    if not has_namespaces():
        print("This system lets no answer be kept from your files; grade strangers in a container.", file=sys.stderr)
    memory = int(options.memory * 2**30)
    try:
        grades = grade(options.folder, options.out, jobs=options.jobs, notebooks=options.notebooks, memory=memory)
    except GradingError as error:
        print(error, file=sys.stderr)
        return 1
    write_all(grades, options.out)
    rooms = f"{len(grades[0].verdicts)} exercises, {grades[0].out_of} points"
    print(f"{len(grades)} students, {rooms}: see grades.csv, feedback/ and gradescope/ in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
