"""Build the course site: lay out the sources, run Sphinx with warnings as errors, check every page.

``python site/build.py`` writes everything below ``build/site``; the pages are in ``build/site/html``.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import check
import stage


def build(folder: Path) -> list[str]:
    """Build the site.

    Args:
        folder: Everything is written below it; what is there already is replaced.

    Returns:
        What is wrong with the pages, one line each; nothing if all is well.

    Raises:
        ValueError: If a source is wrong: a link leads nowhere, the glossary has a term that its notebook lacks.
        subprocess.CalledProcessError: If Sphinx fails or warns of anything.
    """
    pages = stage.lay_out(folder / "sources")
    made = folder / "new"
    shutil.rmtree(made, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E"]
    command += ["-j", str(min(4, os.cpu_count() or 1)), "-c", str(stage.SITE), "-d", str(folder / "doctrees")]
    command += ["-D", f"html_extra_path={pages.extra}", str(pages.source), str(made)]
    subprocess.run(command, check=True)
    wrong = check.problems(made)
    if not wrong:  # a site that is wrong replaces none that is right
        shutil.rmtree(folder / "html", ignore_errors=True)
        made.rename(folder / "html")
    return wrong


def main() -> None:
    """Build below the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=stage.ROOT / "build" / "site", help="build/site if omitted")
    folder = parser.parse_args().folder.resolve()
    try:
        wrong = build(folder)
    except subprocess.CalledProcessError:
        sys.exit("Sphinx found something wrong; see above")
    except ValueError as error:  # of a source: a link that leads nowhere, a term that no notebook has
        sys.exit(str(error))
    if wrong:
        sys.exit("\n".join([*wrong, f"{len(wrong)} things are wrong with the pages in {folder / 'new'}"]))
    print(f"{len(list((folder / 'html').rglob('*.html')))} pages in {folder / 'html'}; open index.html in a browser")


if __name__ == "__main__":
    main()
