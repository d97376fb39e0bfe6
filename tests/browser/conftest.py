"""JupyterLab and Chromium, started once for each module of this folder.

Module scope, not session: a running playwright keeps an event loop in this thread, which other tests need free.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.lab_driver import LabNotebook, LabServer

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS.split())
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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a context of its own. Fails the test when anything but this machine was asked for anything."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    outside = [url for url in asked if urlparse(url).hostname not in (None, "127.0.0.1")]
    assert not outside, f"requests to other machines: {outside}"


@pytest.fixture
def open_notebook(lab: LabServer, page: Page) -> Iterator[Callable[[str], LabNotebook]]:
    """``open_notebook("00_cnn_review.ipynb")`` gives the notebook in JupyterLab, its kernel ready, nothing run yet."""
    yield lambda name: LabNotebook(page, lab.url(name))
    lab.end_kernels()
