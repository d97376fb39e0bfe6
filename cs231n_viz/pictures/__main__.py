"""``python -m cs231n_viz.pictures [FOLDER]``, or ``make pictures``: fetch photographs, once, with a connection."""

import argparse
import sys

from cs231n_viz.pictures.photographs import VARIABLE, fetch_photographs, photographs_folder


def main(arguments: list[str] | None = None) -> int:
    """Fetch them and say where they lie; returns 1 if some could not be fetched."""
    parser = argparse.ArgumentParser(
        prog="python -m cs231n_viz.pictures", description=fetch_photographs.__doc__.splitlines()[0]
    )
    parser.add_argument("folder", nargs="?", default=photographs_folder(), help=f"default: {VARIABLE}, or %(default)s")
    folder = parser.parse_args(arguments).folder
    try:
        print(f"The photographs lie in {fetch_photographs(folder)}", flush=True)
    except ConnectionError as error:
        print(error, file=sys.stderr)
        return 1
    if str(folder) != str(photographs_folder()):
        print(f"The notebooks find them there while {VARIABLE} names that folder.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
