"""Check built pages as a reader would trip over them: links, pictures, headings, and what only a kernel could show.

Nothing outside the folder is looked up: an address elsewhere only has to be well formed, and nothing that a page
loads by itself (a script, a style, a picture) may lie elsewhere.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Left behind where a widget, or an object without a picture, was shown by a kernel that is gone.
DEAD_TEXT = re.compile(
    r"\b(?:Output|VBox|HBox|GridBox|Tab|Accordion|interactive)\((?:children=|layout=|\))|model not found|"
    r"Error displaying widget|Loading widget|<IPython\.core|<Figure size|<matplotlib\.|(?<!\w)at 0x[0-9a-f]{6,}|"
    r"\x1b\[|not attempted, using the reference|Traceback \(most recent call last\)",
    re.IGNORECASE,
)
_LOADED = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src"}
_LOADING_LINKS = {"stylesheet", "preload", "icon", "modulepreload", "shortcut"}


@dataclass
class Page:
    """What the checks need to know of a page.

    Attributes:
        links: Addresses that a reader can follow.
        loaded: Addresses that the browser fetches by itself.
        anchors: Names of places in the page.
        headings: Level and text of each heading of the article.
        alts: For each picture its address and its alt text, None where it has no such attribute.
        text: What is shown, without code that a notebook only quotes.
    """

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    headings: list[tuple[int, str]] = field(default_factory=list)
    alts: list[tuple[str, str | None]] = field(default_factory=list)
    text: str = ""


class _Reader(HTMLParser):
    """Collects a page's parts; source code is no text of the page, since it may name anything."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.article = self.code = 0
        self.silent = ""
        self.heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        page = self.page
        page.text += " "
        if name := given.get("id"):
            page.anchors.add(name)
        if tag == "a" and given.get("href"):
            page.links.append(given["href"])
        if tag == "link" and _LOADING_LINKS & set((given.get("rel") or "").split()):
            page.loaded.append(given.get("href") or "")
        if given.get(_LOADED.get(tag, "")):
            page.loaded.append(given[_LOADED[tag]])
        if tag == "img":
            page.alts.append((given.get("src") or "", given.get("alt")))
        if tag in ("script", "style"):
            self.silent = tag
        self.article += tag == "article"
        if tag == "div" and (self.code or "cell_input" in (given.get("class") or "").split()):
            self.code += 1
        if self.article and re.fullmatch("h[1-6]", tag):
            page.headings.append((int(tag[1]), ""))
            self.heading = True

    def handle_endtag(self, tag: str) -> None:
        self.page.text += " "
        self.silent = "" if tag == self.silent else self.silent
        self.article -= tag == "article"
        self.code -= tag == "div" and self.code > 0
        self.heading = self.heading and not re.fullmatch("h[1-6]", tag)

    def handle_data(self, data: str) -> None:
        if self.silent or self.code:
            return
        self.page.text += data
        if self.heading:
            level, text = self.page.headings[-1]
            self.page.headings[-1] = (level, text + data)


def read(html: str) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.page


def problems(folder: Path) -> list[str]:
    """Check every page of a folder, and the styles beside them.

    Args:
        folder: A built site.

    Returns:
        What is wrong, one line each, beginning with the page.
    """
    pages = {path.resolve(): read(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        if "_static" in path.parts:  # parts of the theme, no pages
            continue
        of_page = [*_of_links(path, page, pages), *_of_pictures(page), *_of_headings(page)]
        of_page += [
            f"shows {match[0]!r}, which only a kernel brings to life" for match in DEAD_TEXT.finditer(page.text)
        ]
        wrong += [f"{path.relative_to(folder.resolve())}: {what}" for what in of_page]
    return wrong + [f"{path.relative_to(folder)}: {what}" for path in folder.rglob("*.css") for what in _of_style(path)]


def _of_links(path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    wrong = [f"loads {address}, from elsewhere" for address in page.loaded if urlsplit(address).netloc]
    for address in [*page.links, *page.loaded]:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https"):
            if not re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?", parts.netloc) or re.search(r"\s", address):
                wrong.append(f"the address {address!r} is malformed")
        elif parts.scheme not in ("mailto", "data"):
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or not file.exists():
                wrong.append(f"the link {address!r} leads nowhere")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].anchors:
                wrong.append(f"the link {address!r} leads to no place of that page")
    return wrong


def _of_pictures(page: Page) -> list[str]:
    return [f"the picture {address[:80]!r} has no alt text" for address, alt in page.alts if not (alt or "").strip()]


def _of_headings(page: Page) -> list[str]:
    levels = [level for level, _ in page.headings]
    wrong = [] if levels.count(1) == 1 or not levels else [f"has {levels.count(1)} headings of the first level"]
    for (above, _), (level, text) in zip(page.headings, page.headings[1:], strict=False):
        if level > above + 1:
            wrong.append(f"the heading {text.strip()!r} is of level {level} and stands below one of level {above}")
    return wrong


def _of_style(path: Path) -> list[str]:
    addresses = re.findall(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text("utf-8", "replace"))
    return [f"loads {address}, from elsewhere" for address in addresses]
