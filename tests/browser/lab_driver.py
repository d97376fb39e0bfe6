"""Drive notebooks in a real JupyterLab, in a real browser, the way a learner does."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
# Seconds to wait: ceilings for the busiest machine, never waited out where all is well.
START = 600  # for a server or a page
RUN = 900  # for a notebook to run
WAIT = 180  # for what a click or a key brings about
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # every cell is in the page, also those out of sight
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
POLL = 100  # milliseconds between two looks; the default, every frame of the screen, keeps a core busy
# What an element shows right now: a new picture has a new address, a canvas new pixels, anything else new content.
LOOKS = """element => element.tagName === "IMG" ? element.src
    : element.tagName === "CANVAS" ? element.toDataURL() : element.innerHTML"""
IS_NEW = f"""([element, before]) => ({LOOKS})(element) !== before
    && (element.tagName !== "IMG" || (element.complete && element.naturalWidth > 0))"""
# A callback's error reaches neither a cell's output nor the page: only the messages of the kernel show every one.
LISTEN = """() => {
    window.kernelErrors = [];
    jupyterapp.shell.currentWidget.sessionContext.iopubMessage.connect((_, message) => {
        if (message.header.msg_type === "error")
            window.kernelErrors.push(`${message.content.ename}: ${message.content.evalue}`);
    });
}"""
# The kernel answers in order, and its messages come in order: behind this answer no earlier error is missing.
ERRORS = """async () => {
    await jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo();
    return window.kernelErrors;
}"""
# Another notebook in a page that is open: starting JupyterLab anew takes five times as long. The braces keep back what
# the command answers, the whole widget: to send that over takes seconds.
OPEN = """path => { jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook"}) }"""
CLOSE = (
    """() => window.jupyterapp && Array.from(jupyterapp.shell.widgets("main")).forEach(widget => widget.dispose())"""
)
RUN_ALL = """() => {
    window.allCellsRan = undefined;
    jupyterapp.commands.execute("notebook:run-all-cells").then(ok => { window.allCellsRan = Boolean(ok) });
}"""


class LabServer:
    """A JupyterLab of its own: own settings, own token, free port, serving one folder on the loopback interface."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder, self.token = folder, "browser-test"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = state / "server.log"
        self.process = subprocess.Popen(
            self._command(), env=self._environment(state), stdout=self.log.open("w"), stderr=subprocess.STDOUT
        )

    def _command(self) -> list[str]:
        options = [f"--port={self.port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1", "--no-browser"]
        options += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.folder}"]
        options += ["--LabApp.default_url=/lab/tree/index.ipynb"]  # as `make lab` does
        options += ["--LabApp.expose_app_in_browser=True"]  # lets a test ask whether all cells have run
        options += ["--KernelManager.shutdown_wait_time=0"]  # a kernel that takes itself apart takes a second for it
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")
        return [sys.executable, "-m", "jupyterlab", *options]

    def _environment(self, state: Path) -> dict[str, str]:
        for name, values in SETTINGS.items():
            file = state / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "CS231N_VIZ_PROGRESS": "progress",
        }
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return {**os.environ, **{name: str(state / place) for name, place in places.items()}, "PYTHONPATH": python_path}

    def url(self, notebook: str) -> str:
        """The address of a notebook of the folder, in a new workspace."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?reset&token={self.token}"

    def write(self, name: str, *sources: str) -> str:
        """Add a notebook of these code cells to the folder; returns its name."""
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        # Without these JupyterLab asks for a kernel.
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
        nbformat.write(notebook, self.folder / name)
        return name

    def wait(self) -> None:
        """Return once the server answers; raise with the end of its log if it does not."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with opener.open(f"http://127.0.0.1:{self.port}/api/status?token={self.token}", timeout=WAIT):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start within {START} s:\n{self.log.read_text()[-2000:]}")

    def end_kernels(self) -> None:
        """End what the tests have opened so far: thirteen kernels at once would not fit into a small machine."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        address, key = f"http://127.0.0.1:{self.port}/api/kernels", f"?token={self.token}"
        with opener.open(address + key, timeout=WAIT) as answer:
            kernels = [kernel["id"] for kernel in json.load(answer)]
        for kernel in kernels:
            # A closed notebook ends its kernel by itself, perhaps between the list and this line.
            with contextlib.suppress(urllib.error.HTTPError):
                opener.open(urllib.request.Request(f"{address}/{kernel}{key}", method="DELETE"), timeout=WAIT).close()

    def stop(self) -> None:
        """End the server and, with it, its kernels."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class LabNotebook:
    """An open notebook whose kernel is ready.

    ``panel`` is the locator of the notebook: ``notebook.panel.get_by_label("Filter")`` finds a labelled control.
    """

    def __init__(self, page: Page, server: LabServer, name: str) -> None:
        self.page = page
        if page.url.startswith("http"):
            page.evaluate(OPEN, name)
        else:
            page.goto(server.url(name), wait_until="domcontentloaded")
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.panel.wait_for(timeout=START * 1000)
        self.wait_idle(START)
        page.evaluate(LISTEN)

    def wait_idle(self, timeout: float = RUN) -> None:
        """Wait until there is a kernel and it is doing nothing."""
        # The indicator in the toolbar says "idle" before there is any kernel; the status bar does not.
        status = self.page.locator("#jp-main-statusbar")
        expect(status).to_contain_text("Python 3 (ipykernel) | Idle", timeout=timeout * 1000)
        indicator = self.panel.locator(".jp-Notebook-ExecutionIndicator")
        expect(indicator).to_have_attribute("data-status", "idle", timeout=timeout * 1000)

    def run_all(self) -> None:
        """Run all cells, by the command of the menu Run, and wait for the last; stops at a cell that fails."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.allCellsRan !== undefined", timeout=RUN * 1000, polling=POLL)
        self.wait_idle()

    def errors(self) -> list[str]:
        """All errors since the notebook was opened, as "ValueError: reason".

        Those of widget callbacks are among them, also of what was clicked a moment ago.
        """
        return self.page.evaluate(ERRORS)

    def close(self) -> None:
        """Close the notebook unsaved; the page stays."""
        self.page.evaluate(CLOSE)

    @contextlib.contextmanager
    def changes(self, element: Locator, *, timeout: float = WAIT) -> Iterator[None]:
        """Fail unless what is done inside makes an ``<img>``, a canvas or any other element show something new.

        with notebook.changes(picture): dropdown.select_option("conv3")
        """
        element.wait_for(timeout=START * 1000)
        before = element.evaluate(LOOKS)
        yield
        handle = element.element_handle()
        self.page.wait_for_function(IS_NEW, arg=[handle, before], timeout=timeout * 1000, polling=POLL)
