"""The scripts that made ``data/weights``; run one with ``python -m training.<name> --help``."""
