"""Measure the budgets of the course on this machine: ``python -m benchmarks [part …]``."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import table

FOLDER = Path(__file__).parent  # where the table of a whole run is written
PARTS = (
    "import_time",
    "explorers",
    "patches",
    "attribution_speed",
    "occlusion",
    "synthesis",
    "fast_style",
    "texture",
    "style",
    "climb",
    "busy",
    "environment",
)
QUICK = {  # what takes three minutes at most, with the options of each part
    "import_time": {"repeats": 1},
    "patches": {"peers_only": True},
    "attribution_speed": {"networks": ["mini_alexnet"]},
    "occlusion": {"networks": ["mini_alexnet"]},
    "fast_style": {"frames": 20},
    "climb": {},
    "busy": {"networks": ["mini_alexnet"]},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per budget of each part; return 1 if one is missed. A run of all parts also writes the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"all if omitted: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help=f"a part of {', '.join(QUICK)}, in three minutes")
    asked = parser.parse_args(arguments)
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    if asked.quick and asked.parts:
        parser.error("--quick chooses the parts itself")
    rows = []
    for part, options in (QUICK if asked.quick else {part: {} for part in asked.parts or PARTS}).items():
        for row in importlib.import_module(f"benchmarks.{part}").rows(**options):
            print(row, flush=True)
            rows.append(row)
    if not (asked.quick or asked.parts):
        table.write(FOLDER, rows)
    return 0 if all(row.fits for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
