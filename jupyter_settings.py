"""Write the settings of the course for JupyterLab and its kernels into the environment of the Python that runs this.

``make setup`` does it; with conda, ``python jupyter_settings.py`` does it once.
"""

import json
import sys
from pathlib import Path

# No question about news on the first start, no look for updates. A closed notebook ends its kernel: fourteen of them
# would fill the memory.
LAB = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"kernelShutdown": True},
}
# IPython runs this before the first cell of every kernel, whoever starts it. Waiting threads sleep; and a kernel names
# its language as the notebooks do, without its version: JupyterLab would write that into each notebook that is opened,
# and call it changed.
KERNEL = """\
import os

from ipykernel.ipkernel import IPythonKernel

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
IPythonKernel.language_info = {"name": "python"}
"""
# The server sends each message at once. Otherwise the second of two short ones waits until the browser has confirmed
# the first, up to 40 ms (Nagle's algorithm): a camera's next picture is taken only when the last one has been painted.
SERVER = """\
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class Undelayed(ZMQChannelsWebsocketConnection):
    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c.ServerApp.kernel_websocket_connection_class = Undelayed
"""
# Path below the environment -> content.
FILES = {
    "share/jupyter/lab/settings/overrides.json": json.dumps(LAB, indent=1) + "\n",
    "etc/ipython/ipython_kernel_config.py": KERNEL,
    "etc/jupyter/jupyter_server_config.py": SERVER,
}


def write(environment: Path) -> None:
    """Write the settings; another file that was there is kept beside them, as ``name.before``."""
    for place, text in FILES.items():
        path = environment / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_text(encoding="utf-8") != text:
            kept = path.with_name(f"{path.name}.before")
            while kept.exists():  # that of an earlier time stays, too
                kept = kept.with_name(f"{kept.name}.before")
            path.replace(kept)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.prefix))
