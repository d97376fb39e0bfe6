"""Settings of Sphinx for the course site; `make site` runs it on the sources that `stage.py` lays out."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_MATHJAX = Path(find_spec("mathjax").origin).parent / "static" / "mathjax" / "es5"

project = "cs231n_viz"
author = "the cs231n_viz authors"
copyright = "the cs231n_viz authors; code under MIT, prose and pictures under CC BY 4.0"
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
nitpicky = True  # a link that leads nowhere is a warning, and `make site` takes warnings for errors

nb_execution_mode = "off"  # the stored outputs are the site's
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = "Seeing inside convolutional networks"
html_copy_source = False
html_show_sourcelink = False
html_use_index = False  # the glossary is the index
html_permalinks_icon = "#"
html_static_path = ["static", str(_MATHJAX / "tex-svg.js")]
html_extra_path = ["../build/site/sources/extra"]  # build.py names the folder that it made
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
templates_path = ["templates"]
html_sidebars = {"**": ["course-title.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "use_download_button": False,
    "navbar_persistent": [],  # the side bar has the search
    "show_toc_level": 2,
    "toc_title": "On this page",
}

# One file, and formulas as SVG: no font has to be fetched. The menu would make every formula a stop of the Tab key.
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "global"}}


def _name_folds(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Let a fold be called what it says; MyST-NB calls all of them "Toggle hidden content"."""
    context["body"] = context.get("body", "").replace('<summary aria-label="Toggle hidden content">', "<summary>")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect what the settings above cannot say."""
    app.connect("html-page-context", _name_folds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
