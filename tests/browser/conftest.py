"""JupyterLab and Chromium, started once for each module of this folder.

Module scope, not session: a running playwright keeps an event loop in this thread, which other tests need free.
To start them, and to load JupyterLab into a page, takes as long as some of the tests: so there is one module.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlparse

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.lab_driver import START, WAIT, LabNotebook, LabServer
from tests.notebook_slices import reduced

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SHOWS_EXPLORER = re.compile(r"^(\w+ = )?viz\.explore\.", re.MULTILINE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"  # a camera that films a clock
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS.split(), timeout=START * 1000)
        expect.set_options(timeout=WAIT * 1000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A server on a copy of the notebooks; a test may add notebooks of its own to ``lab.folder``."""
    state = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, state / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    server = LabServer(state / "notebooks", state)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def pages(browser: Browser) -> Iterator["Pages"]:
    pages = Pages(browser)
    yield pages
    pages.renew()


class Pages:
    """One page for all tests of a module, until one of them fails; ``asked`` are the addresses it asked for."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.context, self.asked = browser, None, []

    def renew(self) -> None:
        """The next test gets another page, in a context of its own."""
        if self.context is not None:
            self.context.close()
        self.context = None

    def page(self) -> Page:
        if self.context is None:
            self.context = self.browser.new_context(viewport={"width": 1400, "height": 1000})
            self.context.set_default_timeout(WAIT * 1000)
            self.context.on("request", lambda request: self.asked.append(request.url))
            self.context.new_page()
        return self.context.pages[0]


@pytest.fixture
def page(pages: Pages, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page. Fails the test when anything but this machine was asked for anything."""
    pages.asked.clear()
    failed = request.session.testsfailed
    yield pages.page()
    outside = [url for url in pages.asked if urlparse(url).hostname not in (None, "127.0.0.1")]
    if outside or request.session.testsfailed > failed:
        pages.renew()
    assert not outside, f"requests to other machines: {outside}"


@pytest.fixture
def open_notebook(lab: LabServer, page: Page) -> Iterator[Callable[[str], LabNotebook]]:
    """``open_notebook("00_cnn_review.ipynb")`` gives the notebook in JupyterLab, its kernel ready, nothing run yet."""
    opened = []

    def open_one(name: str) -> LabNotebook:
        opened.append(LabNotebook(page, lab, name))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()
    lab.end_kernels()


@pytest.fixture
def open_explorers(lab: LabServer, open_notebook) -> Callable[..., LabNotebook]:
    """Like ``open_notebook``, for a copy with only the explorers and the code that they need.

    Every cell of every notebook is run elsewhere, through nbval, and text and stored pictures cost the browser half of
    its time. ``open_explorers(name, {"scenes = ": 3})`` also sets that number in the cells before them.
    """

    def open_reduced(name: str, numbers: Mapping[str, int] = MappingProxyType({})) -> LabNotebook:
        notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        wanted = [number for number, cell in enumerate(code) if SHOWS_EXPLORER.search(cell.source)]
        sources = with_numbers([cell.source for cell in code], numbers)
        kept = {code[number].id: source for number, source in reduced(sources, wanted).items()}
        notebook.cells = [cell for cell in code if cell.id in kept]
        for cell in notebook.cells:
            cell.source, cell.outputs = kept[cell.id], []
        nbformat.write(notebook, lab.folder / name)
        return open_notebook(name)

    return open_reduced


def with_numbers(sources: list[str], numbers: Mapping[str, int]) -> list[str]:
    """The sources with other numbers after some texts, each of which must be there once."""
    for text, number in numbers.items():
        pattern = rf"(?<!\w){re.escape(text)}\d+"
        changed = [re.subn(pattern, f"{text}{number}", source) for source in sources]
        assert sum(count for _, count in changed) == 1, f"“{text}” and a number are not there once"
        sources = [source for source, _ in changed]
    return sources
