"""Time explorers in JupyterLab in Chromium, from a moved control to the picture on the page, beside one busy process.

    python -m benchmarks.latency [EXPLORER …]

A move is an arrow key on a slider, or the next option of a dropdown where there is no slider that changes the picture;
it ends with the first frame of the page after the new picture was loaded. Explorers that optimise are also timed from
a click on start to the picture of the first step, and ``fast_style`` with a camera in frames a second.
"""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as NothingShown

from benchmarks.busy import busy_process
from benchmarks.explorers import explorers
from benchmarks.row import Row
from tests.browser.conftest import BROWSERS, FLAGS
from tests.browser.lab_driver import WAIT, LabNotebook, LabServer

MOVES, STARTS = 20, 5
PAUSE = 300  # milliseconds between moves: a person looks before the next one
CAMERA_SECONDS = 10
MOVE_LIMIT, START_LIMIT, CAMERA_LIMIT = 150, 400, 15
# From what the user does to the first frame of the page in which the picture that answers it can be seen.
WATCH = """() => {
    if (window.moved !== undefined) return;
    window.moved = null;
    const moved = () => { window.moved = performance.now(); window.drawn = null; window.pictures = 0; };
    for (const kind of ["keydown", "change", "mousedown"]) document.addEventListener(kind, moved, true);
    document.addEventListener("load", event => {
        if (!event.target.closest?.(".cs231n-picture")) return;
        window.pictures += 1;
        requestAnimationFrame(() => { window.drawn ??= performance.now(); });
    }, true);
}"""


def milliseconds(page: Page, act: Callable[[], object], *, timeout: float = 10) -> float:
    """From what ``act`` does in the page to its picture.

    Raises:
        NothingShown: If there was none after ``timeout`` seconds.
    """
    act()
    page.wait_for_function("() => window.drawn", timeout=timeout * 1000, polling=20)
    return page.evaluate("window.drawn - window.moved")


def moves(cell: Locator) -> Iterator[Callable[[], object]]:
    """What can be done, again and again, with each slider and each dropdown that is seen."""
    keyboard = cell.page.keyboard
    for handle in cell.locator(".noUi-handle:visible").all():

        def press(handle: Locator = handle) -> None:
            value, high = (float(handle.get_attribute(f"aria-value{which}")) for which in ("now", "max"))
            handle.focus()
            keyboard.press("ArrowRight" if value < high else "Home")

        yield press
    for dropdown in cell.locator("select:visible").all():

        def choose(dropdown: Locator = dropdown) -> None:
            count, index = dropdown.evaluate("select => [select.options.length, select.selectedIndex]")
            dropdown.select_option(index=(index + 1) % count)

        yield choose


def move_times(cell: Locator) -> list[float]:
    """Milliseconds of the moves of the first control that changes the picture; none where only start does."""
    for act in moves(cell):
        try:
            milliseconds(cell.page, act, timeout=2)
        except NothingShown:
            continue
        times = []
        for _ in range(MOVES):
            cell.page.wait_for_timeout(PAUSE)
            times.append(milliseconds(cell.page, act))
        return times
    return []


def start_times(cell: Locator) -> list[float]:
    """Milliseconds from clicks on start to the first picture; none where there is no such button."""
    start, times = cell.get_by_role("button", name=re.compile(r"\bstart$")), []
    for _ in range(STARTS if start.is_visible() else 0):
        times.append(milliseconds(cell.page, start.click))
        stop = cell.get_by_role("button", name=re.compile(r"\bstop$"))
        if stop.is_enabled():
            stop.click()
        cell.page.wait_for_timeout(1000)
    return times


def camera_frames(cell: Locator) -> float:
    """Pictures a second while the camera films; Chromium's own films a clock."""
    cell.get_by_role("button", name="camera", exact=True).click()
    milliseconds(cell.page, lambda: None)
    cell.page.evaluate("window.pictures = 0")
    cell.page.wait_for_timeout(CAMERA_SECONDS * 1000)
    return cell.page.evaluate("window.pictures") / CAMERA_SECONDS


def rows(page: Page, server: LabServer, name: str) -> Iterator[Row]:
    source = f"from benchmarks.explorers import explorers\nexplorers()[{name!r}]()"
    notebook = LabNotebook(page, server, server.write(f"{name}.ipynb", source))
    notebook.run_all()
    cell = notebook.panel.locator(".cs231n-explorer")
    cell.locator(".cs231n-picture img").first.wait_for(timeout=WAIT * 1000)
    page.evaluate(WATCH)
    page.wait_for_timeout(2000)
    with busy_process():
        kinds = {"move": (move_times(cell), MOVE_LIMIT), "first step": (start_times(cell), START_LIMIT)}
    if not any(times for times, _ in kinds.values()):
        raise RuntimeError(f"{name}: neither a control nor start changes the picture")
    for kind, (times, limit) in kinds.items():
        if times:
            what = f"{name}: {kind}, median of {len(times)}, the slowest {max(times):.0f} ms"
            yield Row(what, statistics.median(times), "≤", limit, " ms")
    if name == "fast_style":
        yield Row(f"{name}: camera at 256 px, alone", camera_frames(cell), "≥", CAMERA_LIMIT, " frames/s")
    if errors := notebook.errors():
        raise RuntimeError(f"{name}: {errors}")
    notebook.close()
    server.end_kernels()


def main() -> int:
    """Print a line for each measurement; return 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__.splitlines()[0])
    known = list(explorers())
    parser.add_argument("explorers", nargs="*", metavar="explorer", help=f"all if omitted: {', '.join(known)}")
    names = parser.parse_args().explorers or known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"there is no explorer {', '.join(unknown)}; there are {', '.join(known)}")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        sys.exit(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    measured = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends, sync_playwright() as playwright:
        server = LabServer(Path(folder), Path(folder))
        ends.callback(server.stop)
        server.wait()
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS.split())
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(WAIT * 1000)
        for name in names:
            for row in rows(page, server, name):
                print(row, flush=True)
                measured.append(row)
        browser.close()
    return 0 if all(row.fits for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
