"""The bar of every explorer: more controls, reset, and the stage, where the picture fills the window or the screen."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Bar(anywidget.AnyWidget):
    """Three buttons, which work on the explorer around them.

    Attributes:
        unfolded: Whether the controls under "more" are shown.
        staged: Whether the explorer fills its window as soon as it is shown.
        dark: Whether the theme of the page is dark; the page says so.
        title: What the explorer is called on the stage.
    """

    _esm = (_HERE / "bar.js").read_text(encoding="utf-8")
    _css = (_HERE / "explorer.css").read_text(encoding="utf-8")

    unfolded = traitlets.Bool(False).tag(sync=True)
    staged = traitlets.Bool(False).tag(sync=True)
    dark = traitlets.Bool(False).tag(sync=True)
    title = traitlets.Unicode("explorer").tag(sync=True)

    def __init__(self, reset: Callable[[], None]) -> None:
        """``reset`` is what the button of that name calls."""
        super().__init__()
        self.on_msg(lambda _, content, __: reset() if content.get("kind") == "reset" else None)
