"""Measure the budgets of the course on this machine: ``python -m benchmarks [part …]``."""

import argparse
import importlib
import sys

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
)


def main() -> int:
    """Print one line per budget of each part, of all parts if none is named; return 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"all if omitted: {', '.join(PARTS)}")
    parts = parser.parse_args().parts
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    fits = True
    for part in parts or PARTS:
        for row in importlib.import_module(f"benchmarks.{part}").rows():
            print(row, flush=True)
            fits &= row.fits
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
