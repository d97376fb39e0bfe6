"""All rows of a run in one table, in Markdown and JSON, with the versions and the machine."""

import json
import math
import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.ceiling import product_rate
from benchmarks.row import Row
from cs231n_viz.writing import write_text_over

PACKAGES = ("cs231n_viz", "torchvision", "numpy", "captum")


def facts() -> dict[str, str | int | float]:
    """What the numbers depend on, beside the code."""
    threads = torch.get_num_threads()
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": torch.__version__,  # with the build
        **{name: _version(name) for name in PACKAGES},
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "threads": threads,
        "matrix product, one thread, GFLOP/s": round(product_rate(1) / 1e9, 1),
        "matrix product, threads of the run, GFLOP/s": round(product_rate(threads) / 1e9, 1),
    }


def markdown(rows: Sequence[Row], about: dict[str, str | int | float]) -> str:
    lines = ["# Measured by `make bench`", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += ["| what | measured | limit | ceiling | fits |", "|---|---:|---:|---:|---|"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.sign} {row.limit:.4g}{row.unit}"
        ceiling = "" if row.ceiling is None else f"{row.ceiling:.4g}{row.unit}"
        what = row.what.replace("|", "\\|")
        lines.append(f"| {what} | {row.measured:.4g}{row.unit} | {limit} | {ceiling} | {'yes' if row.fits else 'NO'} |")
    return "\n".join(lines) + "\n"


def as_json(rows: Sequence[Row], about: dict[str, str | int | float]) -> str:
    """Numbers that are not finite become null."""
    listed = [
        {
            "what": row.what,
            "measured": _finite(row.measured),
            "sign": row.sign,
            "limit": _finite(row.limit),
            "ceiling": _finite(row.ceiling),
            "unit": row.unit.strip(),
            "fits": bool(row.fits),  # NumPy has its own
        }
        for row in rows
    ]
    return json.dumps({"about": about, "rows": listed}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write(folder: Path, rows: Sequence[Row]) -> None:
    about = facts()
    write_text_over(folder / "results.md", markdown(rows, about))
    write_text_over(folder / "results.json", as_json(rows, about))


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(number)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Its name; on Linux Python's own answer is the architecture."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    named = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
