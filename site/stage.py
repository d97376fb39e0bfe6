"""Lay out what Sphinx reads: the notebooks as they are stored, made into pages that need no kernel.

Nothing is executed. An exercise gets its reference solution in a fold, where the notebook has a commented
``reveal(...)``; figures become files that the page loads when they are scrolled to; of an explorer, which
needs a kernel, the page shows a still and says where it runs. Links between the files of the repository become links
between pages.
"""

import ast
import base64
import copy
import html
import json
import re
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import glossary

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(__file__).resolve().parent
Cell = dict[str, Any]

_REVEAL = re.compile(r'^#\s*(?:viz\.exercises\.)?reveal\("(\w+)"\)[^\n]*$', re.MULTILINE)
_EXPLORER = re.compile(r"\bviz\.explore\.[a-z_]+\(")
_NOT_ATTEMPTED = re.compile(r"^\w+: not attempted, using the reference for now\n?$", re.MULTILINE)
_FIGURE = re.compile(r'<img alt="(?P<alt>[^"]*)" src="data:image/(?P<kind>\w+);base64,(?P<data>[^"]*)"[^>]*>')
_STILL = "cs231n-still"  # in the output that shows an explorer where no kernel runs
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_ELSEWHERE = re.compile(r"^([a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)

EXPLORER_NOTE = (
    ":::{admonition} Explorer\n:class: explorer\n\n"
    "This cell shows controls to turn, and a picture that follows them, of which a page keeps the first one. They need "
    "a running kernel: open this notebook with `make lab`.\n:::"
)


@dataclass
class Pages:
    """Where the sources go, and which figures were taken out of them.

    Attributes:
        source: The folder that Sphinx reads.
        extra: The folder that is copied into the site as it is.
        names: Names of the notebooks, in the order of the course.
        instructor: Names of the lecturer's pages.
    """

    source: Path
    extra: Path
    names: list[str] = field(default_factory=list)
    instructor: list[str] = field(default_factory=list)


def lay_out(folder: Path) -> Pages:
    """Write the sources of the site into a folder, which is emptied first.

    Args:
        folder: Where to; ``source`` and ``extra`` are made in it.

    Returns:
        What was written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = Pages(folder / "source", folder / "extra")
    (pages.extra / "figures").mkdir(parents=True)
    pages.source.mkdir(parents=True)
    pages.names = notebook_names()
    pages.instructor = instructor_names()
    for name in pages.names:
        _write_notebook(ROOT / "notebooks" / f"{name}.ipynb", pages)
    for name in pages.instructor:
        (pages.source / "instructor").mkdir(exist_ok=True)
        path = ROOT / "instructor" / f"{name}.md"
        text = _mended(path.read_text("utf-8"), path, pages)
        if name in pages.names:  # its title is the notebook's, and a search finds both
            text = text.replace("# ", "# Teaching ", 1)
        if name == pages.instructor[0] and pages.instructor[1:]:
            text += f"\n\n{_tree(pages.instructor[1:])}\n"
        (pages.source / "instructor" / path.name).write_text(text, "utf-8")
    _write_notebook(ROOT / "notebooks" / "index.ipynb", pages, more=_contents(pages))
    texts = {name: glossary.prose(ROOT / "notebooks" / f"{name}.ipynb") for name in pages.names}
    source = (SITE / "glossary.md").read_text("utf-8")
    (pages.source / "glossary.md").write_text(glossary.page(source, texts), "utf-8")
    return pages


def notebook_names() -> list[str]:
    """List the notebooks in the order of the course; the start page is none of them."""
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    return sorted(names, key=lambda name: (name.split("_")[0], name))  # 06_ before 06b_


def instructor_names() -> list[str]:
    """List the lecturer's pages, the overview first."""
    names = sorted(path.stem for path in (ROOT / "instructor").glob("*.md"))
    return sorted(names, key=lambda name: name.lower() not in ("readme", "index"))


def page_cells(cells: list[Cell], name: str, figures: Path) -> list[Cell]:
    """Make the cells of a notebook into those of its page.

    Args:
        cells: As nbformat stores them.
        name: Of the notebook; figures are named after it.
        figures: The folder that they are written to.

    Returns:
        New cells; the given ones stay as they are.
    """
    made: list[Cell] = []
    for index, given in enumerate(cells):
        cell = copy.deepcopy(given)
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            made.append(cell)
        elif revealed := _REVEAL.findall(source):
            made += [reference_fold(exercise) for exercise in revealed]
        else:
            cell["source"] = re.sub(r"^# NBVAL_\w+\n", "", source, flags=re.MULTILINE)
            cell["outputs"] = [
                kept
                for number, output in enumerate(cell["outputs"])
                if (kept := _page_output(output, figures / f"{name}-{index}-{number}"))
            ]
            made.append(cell)
            if _EXPLORER.search(source) and (not cell["outputs"] or _STILL in str(given["outputs"])):
                made.append({"cell_type": "markdown", "metadata": {}, "source": EXPLORER_NOTE})
    return made


def reference_fold(exercise: str) -> Cell:
    """Make a folded cell with the reference solution of an exercise, read from its file without importing it.

    Raises:
        ValueError: If there is no exercise of that name.
    """
    files = list((ROOT / "cs231n_viz" / "exercises").glob(f"n*/{exercise}.py"))
    if not files:
        raise ValueError(f"there is no exercise {exercise!r} in cs231n_viz/exercises")
    text = files[0].read_text("utf-8")
    found = [node for node in ast.parse(text).body if getattr(node, "name", "") == exercise]
    if not found:
        raise ValueError(f"{files[0].relative_to(ROOT)} defines no {exercise!r}")
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {
            "tags": ["hide-input"],
            "mystnb": {"code_prompt_show": f"Show a reference solution of {exercise}", "code_prompt_hide": "Hide it"},
        },
        "outputs": [],
        "source": "\n".join(text.splitlines()[found[0].lineno - 1 : found[0].end_lineno]),
    }


def figure_html(picture: bytes, kind: str, alt: str, path: Path) -> str:
    """Write a picture and make the HTML that shows it, at its size or as wide as the page.

    Args:
        picture: The encoded picture.
        kind: Of the encoding, as in a media type: ``jpeg``, ``png``, ``gif`` or ``webp``.
        alt: Text instead of the picture, escaped for HTML.
        path: Where to write it, without a suffix.

    Returns:
        A link to the picture around it: on a phone, it is read alone and enlarged.
    """
    path = path.with_name(f"{path.name}.{'jpg' if kind == 'jpeg' else kind}")
    path.write_bytes(picture)
    size = _pixels(picture, kind)
    sized = f' width="{size[0]}" height="{size[1]}"' if size else ""
    address = f"figures/{path.name}"
    return f'<a class="figure" href="{address}"><img alt="{alt}" src="{address}"{sized} loading="lazy"></a>'


def _pixels(picture: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height from the header, so that the page does not jump when the picture arrives."""
    if kind == "png":
        return struct.unpack(">II", picture[16:24])
    if kind == "gif":
        return struct.unpack("<HH", picture[6:10])
    if kind == "webp" and picture[12:16] == b"VP8 ":  # one picture, lossy
        width, height = struct.unpack("<HH", picture[26:30])
        return width & 0x3FFF, height & 0x3FFF  # above them a factor of enlargement
    position = 2
    while kind == "jpeg" and position + 9 < len(picture):
        marker, length = picture[position + 1], struct.unpack(">H", picture[position + 2 : position + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack(">HH", picture[position + 5 : position + 9])
            return width, height
        position += 2 + length
    return None


def _page_output(output: Cell, path: Path) -> Cell | None:
    """An output without what only a kernel can bring to life; none if nothing is left."""
    if output["output_type"] == "stream":
        output["text"] = _NOT_ATTEMPTED.sub("", "".join(output["text"]))
        return output if output["text"].strip() else None
    data = output.get("data", {})
    if "application/vnd.jupyter.widget-view+json" in data:
        return None
    shown = "".join(data.get("text/html", ""))
    if figure := _FIGURE.search(shown):
        shown = figure_html(base64.b64decode(figure["data"]), figure["kind"], figure["alt"], path)
        data = {"text/html": shown}
    elif shown:
        data = {"text/html": re.sub(r'(href="[\w-]+)\.ipynb', r"\1.html", shown)}
    for kind in ("gif", "png", "jpeg"):  # IPython's Image, whose alt text stands in the metadata
        if f"image/{kind}" in data:
            alt = output.get("metadata", {}).get(f"image/{kind}", {}).get("alt", "")
            picture = base64.b64decode("".join(data[f"image/{kind}"]))
            data = {"text/html": figure_html(picture, kind, html.escape(alt, quote=True), path)}
    if "text/markdown" in data:  # the headings of a printed document are none of the page's
        text = "".join(data["text/markdown"])
        data = {"text/markdown": re.sub(r"^#+ +(.+?) *$", r"**\1**", text, flags=re.MULTILINE)}
    output["data"] = data
    return output


def _write_notebook(path: Path, pages: Pages, *, more: str = "") -> None:
    notebook = json.loads(path.read_text("utf-8"))
    cells = page_cells(notebook["cells"], path.stem, pages.extra / "figures")
    if more:
        cells.append({"cell_type": "markdown", "metadata": {}, "source": more})
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "markdown":
            cell["source"] = _mended("".join(cell["source"]), path, pages)
    notebook["cells"] = cells
    (pages.source / path.name).write_text(json.dumps(notebook), "utf-8")


def _contents(pages: Pages) -> str:
    """The table of contents that the side bar and the links to the next page are made from."""
    trees = [_tree(pages.names, "The course"), _tree(["glossary"], "To look up")]
    if pages.instructor:  # its first page leads to the others
        trees.append(_tree([f"instructor/{pages.instructor[0]}"], "For instructors"))
    return "\n\n".join(trees)


def _tree(names: list[str], caption: str = "") -> str:
    head = ["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), ""]
    return "\n".join([*head, *names, "```"])


def _mended(text: str, path: Path, pages: Pages) -> str:
    """Text whose relative links lead to pages and pictures of the site; what is no part of it loses its link."""
    depth = "../" if path.parent.name == "instructor" else ""

    def mend(link: re.Match[str]) -> str:
        if _ELSEWHERE.match(link["target"]):
            return link[0]
        target, mark, anchor = link["target"].partition("#")
        anchor = mark + re.sub(r"[^\w-]", "", anchor.lower())  # JupyterLab keeps capitals and signs, MyST does not
        if not target:
            return f"[{link['text']}]({anchor})"
        file = (path.parent / target).resolve()
        if not file.exists():
            raise ValueError(f"{path.relative_to(ROOT)} links to {link['target']!r}, which does not exist")
        if link["image"]:
            copied = pages.source / "pictures" / file.name
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, copied)
            return f"![{link['text']}]({depth}pictures/{file.name})"
        if file.parent == ROOT / "notebooks" and file.suffix == ".ipynb":
            return f"[{link['text']}]({depth}{file.name}{anchor})"
        if file.parent == ROOT / "instructor" and file.suffix == ".md":
            return f"[{link['text']}]({depth}instructor/{file.name}{anchor})"
        if file.parent == SITE and file.suffix == ".md":
            return f"[{link['text']}]({depth}{file.name}{anchor})"
        return link["text"]

    return _LINK.sub(mend, text)
