"""The budgets of the course, measured on this machine: ``python -m benchmarks [part …]``."""

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


def main(parts: list[str]) -> int:
    """Print one line per budget of each part, all parts if none is named; returns 1 if one is exceeded."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        print(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
        return 2
    fits = True
    for part in parts or PARTS:
        for row in importlib.import_module(f"benchmarks.{part}").rows():
            print(row, flush=True)
            fits &= row.fits
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
