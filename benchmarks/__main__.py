"""The budgets of the course, measured on this machine: ``python -m benchmarks``."""

import sys

import numpy as np

from benchmarks.explorers import explorers, update_seconds
from benchmarks.import_time import import_ratio

LARGEST_IMPORT_RATIO = 1.3
LARGEST_UPDATE = 0.100  # seconds, 95th percentile


def main() -> int:
    """Print one line per budget; returns 1 if one of them is exceeded."""
    ratio = import_ratio("cs231n_viz", "torch, torchvision")
    fits = [ratio <= LARGEST_IMPORT_RATIO]
    print(f"import cs231n_viz / import torch, torchvision: {ratio:.2f} (at most {LARGEST_IMPORT_RATIO})")
    for name, build in explorers().items():
        seconds = update_seconds(build())
        p50, p95 = np.percentile(seconds, [50, 95])
        fits.append(p95 <= LARGEST_UPDATE)
        times = f"median {p50 * 1e3:4.0f} ms, p95 {p95 * 1e3:4.0f} ms (at most {LARGEST_UPDATE * 1e3:.0f})"
        print(f"explorer {name:17} {len(seconds):3} updates, {times}")
    return 0 if all(fits) else 1


if __name__ == "__main__":
    sys.exit(main())
