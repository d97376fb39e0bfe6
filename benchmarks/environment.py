"""Time ``make setup`` into a new environment, and weigh it. It needs a connection, or a cache of packages."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row

ROOT = Path(__file__).resolve().parent.parent
NEW = ROOT / "build" / "bench-environment"


def gigabytes(folder: Path) -> float:
    """The files below a folder, links not followed."""
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files) / 1e9


def rows() -> Iterator[Row]:
    shutil.rmtree(NEW, ignore_errors=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    start = time.perf_counter()
    made = subprocess.run(["make", "setup", f"VENV={NEW}"], cwd=ROOT, env=inherited, capture_output=True, text=True)
    taken, failed = time.perf_counter() - start, made.returncode != 0
    if failed:
        print(made.stderr[-2000:])
    yield Row("make setup, a new environment", float("inf") if failed else taken, "≤", None, " s")
    yield Row("size of the environment", float("inf") if failed else gigabytes(NEW), "≤", None, " GB")
    shutil.rmtree(NEW, ignore_errors=True)
