"""A reference solution behind a fold: seen only by those who open it."""

import html
import inspect
import textwrap
from dataclasses import dataclass

from cs231n_viz.exercises.core import Entry


@dataclass(frozen=True)
class Fold:
    """Text that a notebook shows behind a fold, and a terminal as it is."""

    summary: str
    text: str

    def _repr_html_(self) -> str:
        summary, text = html.escape(self.summary), html.escape(self.text)
        return f"<details><summary>{summary}</summary><pre><code>{text}</code></pre></details>"

    def __repr__(self) -> str:
        """The fallback of pages without HTML."""
        return f"{self.summary}\n\n{self.text}"


def fold(entry: Entry) -> Fold:
    """The source of an entry's reference, to be shown as the last line of a cell."""
    return Fold(f"Reference solution of {entry.header}", textwrap.dedent(inspect.getsource(entry.reference)).rstrip())
