"""Read the glossary, and find for each term the notebook in which it first comes up.

The source, ``glossary.md``, is a list that reads well by itself, one entry a line::

    - **term / another word for it** [05](../notebooks/05_class_activation.ipynb): what it means
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(r"^- \*\*(?P<terms>.+?)\*\* \[\w+\]\(\.\./notebooks/(?P<notebook>\w+)\.ipynb\): (?P<meaning>.+)$")


@dataclass(frozen=True)
class Entry:
    """A term of the course.

    Attributes:
        terms: The words for it, the usual one first.
        notebook: Name of the notebook that explains it.
        meaning: What it means.
    """

    terms: tuple[str, ...]
    notebook: str
    meaning: str


def entries(text: str) -> list[Entry]:
    """Read the entries of the source.

    Raises:
        ValueError: If a line of the list is no entry.
    """
    read = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("- "):
            found = _ENTRY.match(line)
            if not found:
                raise ValueError(f"line {number} is no entry of the glossary: {line[:80]!r}; see glossary.py")
            read.append(Entry(tuple(found["terms"].split(" / ")), found["notebook"], found["meaning"]))
    return read


def prose(notebook: Path) -> str:
    """All text cells of a notebook up to its references, without marks of emphasis and code, on one line."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    text = text.partition("\n## References")[0]  # a title that is cited explains nothing
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", text))


def mentions(text: str, entry: Entry, others: Iterable[Entry] = ()) -> bool:
    """Whether a text has one of the words for a term, in the singular or plural, as a word of its own.

    Args:
        text: Of a notebook.
        entry: The term.
        others: More entries, whose longer terms do not count: "style transfer" mentions neither style nor transfer.
    """
    longer = [word for other in others for word in other.terms if any(_within(term, word) for term in entry.terms)]
    return _found(entry.terms, _pattern(longer).sub("", text) if longer else text)


def first_mention(entry: Entry, texts: Mapping[str, str], others: Iterable[Entry] = ()) -> str:
    """The notebook in which a term first comes up.

    Args:
        entry: The term.
        texts: Name and prose of each notebook, in the order of the course.
        others: More entries, whose longer terms do not count.

    Raises:
        ValueError: If the notebook that is said to explain it does not have it.
    """
    if not mentions(texts.get(entry.notebook, ""), entry, others):
        raise ValueError(f"the glossary says that {entry.notebook} explains {entry.terms[0]!r}, which it does not have")
    return next(name for name, text in texts.items() if mentions(text, entry, others))


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    any_word = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{any_word})(?:s|es)?(?![\w-])", re.IGNORECASE)


def _found(words: Iterable[str], text: str) -> bool:
    return bool(_pattern(words).search(text))


def _within(term: str, longer: str) -> bool:
    return term != longer and _found([term], longer)


def page(text: str, texts: Mapping[str, str]) -> str:
    """Make the glossary's page for Sphinx.

    Args:
        text: The source.
        texts: Name and prose of each notebook, in the order of the course.

    Returns:
        MyST Markdown with a ``glossary`` directive.
    """
    introduction = text.partition("\n- ")[0].replace("On the site, an entry also names", "An entry also names")
    lines = [introduction, "", "```{glossary}"]
    known = entries(text)
    for entry in known:
        first = first_mention(entry, texts, known)
        where = f"First in {_link(first)}"
        if first != entry.notebook:
            where += f", explained in {_link(entry.notebook)}"
        lines += [*entry.terms, f"  {entry.meaning} *{where}.*", ""]
    return "\n".join([*lines, "```", ""])


def _link(notebook: str) -> str:
    return f"[notebook {notebook.split('_')[0]}]({notebook}.ipynb)"
