"""The static site: what its pages are made from, the checks that hold them, and, where Sphinx is, the pages."""

import base64
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from cs231n_viz.exercises import names, reveal
from cs231n_viz.explore import Explorer
from tests.explore.controls import shown_by

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest there

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"), key=lambda path: path.stem.split("_")[0])
STORED_FIGURE = re.compile(r'<img alt="([^"]*)" src="data:image/\w+;base64,([^"]*)"')


def module(name: str) -> ModuleType:
    """A module of the site, which is a folder of scripts and no package."""
    sys.path.insert(0, str(SITE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SITE))


stage, check, glossary = module("stage"), module("check"), module("glossary")


def cells_of(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["cells"]


def source_of(cell: dict) -> str:
    return "".join(cell["source"])


def html_of(cell: dict) -> str:
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", []))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[dict]], Path]:
    """The cells of each notebook's page, and the folder with their figures."""
    figures = tmp_path_factory.mktemp("figures")
    return {path.stem: stage.page_cells(cells_of(path), path.stem, figures) for path in NOTEBOOKS}, figures


def test_pages_come_in_the_order_of_the_course():
    assert stage.notebook_names() == [path.stem for path in NOTEBOOKS]
    assert stage.notebook_names().index("06b_method_trials") == stage.notebook_names().index("06_decomposition") + 1


@pytest.mark.parametrize("name", names())
def test_fold_shows_the_reference_that_reveal_shows(name: str):
    assert stage.reference_fold(name)["source"] == reveal(name).text


def test_every_commented_reveal_becomes_a_fold(pages):
    for path in NOTEBOOKS:
        wanted = re.findall(r'^# viz\.exercises\.reveal\("(\w+)"\)', "\n".join(map(source_of, cells_of(path))), re.M)
        folds = [cell for cell in pages[0][path.stem] if "hide-input" in cell["metadata"].get("tags", [])]
        assert [re.search(r"\w+$", fold["metadata"]["mystnb"]["code_prompt_show"])[0] for fold in folds] == wanted
        assert not any("reveal(" in source_of(cell) for cell in pages[0][path.stem] if cell["cell_type"] == "code")


def test_fold_of_an_unknown_exercise_is_an_error():
    with pytest.raises(ValueError, match="no exercise 'grad_cm_map'"):
        stage.reference_fold("grad_cm_map")


def test_figures_keep_their_bytes_alt_text_and_size(pages):
    count = 0
    for path in NOTEBOOKS:
        stored = STORED_FIGURE.findall("".join(html_of(cell) for cell in cells_of(path)))
        pattern = r'<img alt="([^"]*)" src="figures/([^"]*)" width="(\d+)" height="(\d+)"'
        shown = re.findall(pattern, "".join(html_of(cell) for cell in pages[0][path.stem]))
        shown = [figure for figure in shown if not figure[1].endswith(".gif")]
        assert [alt for alt, *_ in shown] == [alt for alt, _ in stored]
        for (_, name, width, height), (_, data) in zip(shown, stored, strict=True):
            file = pages[1] / name
            assert file.read_bytes() == base64.b64decode(data)
            with Image.open(file) as picture:
                assert picture.size == (int(width), int(height))
        count += len(shown)
    assert count > 100


def test_an_explorer_says_where_it_runs_and_leaves_no_dead_output(pages):
    explorers = 0
    for cells in pages[0].values():
        for cell, following in zip(cells, [*cells[1:], {"source": ""}], strict=True):
            if cell["cell_type"] == "code" and re.match(r"viz\.explore\.\w+\(", source_of(cell)):
                explorers += 1
                assert all('<a class="figure"' in output["data"]["text/html"] for output in cell["outputs"])
                assert "make lab" in source_of(following)
    assert explorers >= 13


def test_a_widget_leaves_nothing_behind(tmp_path: Path):
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": ["VBox(children=())"]}
    widget = {"output_type": "display_data", "metadata": {}, "data": data}
    text = {"output_type": "stream", "name": "stdout", "text": ["fool: not attempted, using the reference for now\n"]}
    code = {"cell_type": "code", "metadata": {}, "source": "viz.explore.pooling()", "outputs": [widget, text]}
    made = stage.page_cells([code], "page", tmp_path)
    assert [cell["cell_type"] for cell in made] == ["code", "markdown"]
    assert made[0]["outputs"] == []
    assert code["outputs"] == [widget, text]  # what was given stays


def test_of_an_explorer_its_still_is_shown_with_its_alt_text(tmp_path: Path):
    shown = shown_by(Explorer(lambda: np.zeros((4, 6, 3), np.uint8), {}))
    outputs = [{"output_type": "display_data", "metadata": {}, "data": data} for data in shown]
    code = {"cell_type": "code", "metadata": {}, "source": "viz.explore.pooling()", "outputs": outputs}
    shown, note = stage.page_cells([code], "page", tmp_path)
    (output,) = shown["outputs"]
    alt = "The picture that follows the controls above it."
    figure = f'<img alt="{alt}" src="figures/page-0-1.jpg" width="6" height="4" loading="lazy">'
    assert output["data"] == {"text/html": f'<a class="figure" href="figures/page-0-1.jpg">{figure}</a>'}
    assert "make lab" in note["source"]


def test_a_printed_document_adds_no_heading(tmp_path: Path):
    output = {"output_type": "execute_result", "metadata": {}, "data": {"text/markdown": "# Card\n\ntext"}}
    cell = {"cell_type": "code", "metadata": {}, "source": "card", "outputs": [output]}
    assert stage.page_cells([cell], "page", tmp_path)[0]["outputs"][0]["data"]["text/markdown"] == "**Card**\n\ntext"


def test_a_printed_link_to_a_notebook_leads_to_its_page(tmp_path: Path):
    data = {"text/html": '<a href="04_saliency.ipynb">04</a>', "text/plain": "04"}
    output = {"output_type": "execute_result", "metadata": {}, "data": data}
    cell = {"cell_type": "code", "metadata": {}, "source": "progress()", "outputs": [output]}
    made = stage.page_cells([cell], "page", tmp_path)[0]["outputs"][0]["data"]
    assert made == {"text/html": '<a href="04_saliency.html">04</a>'}


@pytest.fixture
def mend(tmp_path: Path) -> Iterator:
    made = stage.Pages(tmp_path / "source", tmp_path / "extra")
    made.source.mkdir()
    return lambda text, file: stage._mended(text, ROOT / file, made)


@pytest.mark.parametrize(
    ("file", "given", "wanted"),
    [
        ("notebooks/index.ipynb", "[a](04_saliency.ipynb)", "[a](04_saliency.ipynb)"),
        ("notebooks/index.ipynb", "[a](#Your-progress)", "[a](#your-progress)"),
        ("notebooks/index.ipynb", "[a](../data/README.md)", "a"),
        ("notebooks/index.ipynb", "[a](https://example.org/b?c=d#E)", "[a](https://example.org/b?c=d#E)"),
        ("instructor/x.md", "[a](../notebooks/04_saliency.ipynb#Limits)", "[a](../04_saliency.ipynb#limits)"),
        ("notebooks/index.ipynb", "![p](../data/plates/poster.jpg)", "![p](pictures/poster.jpg)"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(mend, file: str, given: str, wanted: str):
    assert mend(given, file) == wanted


def test_a_link_to_nothing_is_an_error_that_names_the_file(mend):
    with pytest.raises(ValueError, match=r"notebooks/index\.ipynb links to '13_more\.ipynb'"):
        mend("[a](00_cnn_review.ipynb) [b](13_more.ipynb)", "notebooks/index.ipynb")


def test_glossary_is_sorted_and_has_each_term_once():
    entries = glossary.entries((SITE / "glossary.md").read_text("utf-8"))
    terms = [term.lower() for entry in entries for term in entry.terms]
    assert len(entries) >= 100
    assert len(set(terms)) == len(terms)
    firsts = [entry.terms[0].lower().replace("×", "x") for entry in entries]
    assert firsts == sorted(firsts)
    assert all(entry.meaning.endswith(".") for entry in entries)


def test_glossary_names_the_notebook_in_which_a_term_first_comes_up():
    """The words of each notebook, read here in another way: from its cells, one by one, as a list of words."""
    source = (SITE / "glossary.md").read_text("utf-8")
    texts = {path.stem: glossary.prose(path) for path in NOTEBOOKS}
    words = {}
    for path in NOTEBOOKS:
        told = [source_of(cell) for cell in cells_of(path) if cell["cell_type"] == "markdown"]
        told = "\n".join(told).split("\n## References")[0]
        words[path.stem.split("_")[0]] = " " + " ".join(re.findall(r"[\w⁺×-]+", told.replace("_", " ").lower())) + " "
    entries = {entry.terms[0]: entry for entry in glossary.entries(source)}
    every = [term.lower() for entry in entries.values() for term in entry.terms]
    shown = re.findall(r"^([^\s`].*)\n(?:\S.*\n)*  .*\*First in \[notebook (\w+)\]", glossary.page(source, texts), re.M)
    assert [term for term, _ in shown] == list(entries)
    for term, first in shown:
        own = [word.lower() for word in entries[term].terms]
        longer = [word for word in every if any(f" {term} " in f" {word} " and term != word for term in own)]
        have = []
        for number, text in words.items():
            for word in sorted(longer, key=len, reverse=True):
                text = re.sub(f" {re.escape(word)}(s|es)? ", "  ", text)
            if any(f" {word}{end} " in text for word in own for end in ("", "s", "es")):
                have.append(number)
        assert have, f"no notebook has {term!r}"
        assert have[0] == first, f"{term!r} first comes up in {have[0]}"


def test_glossary_refuses_a_term_that_its_notebook_lacks():
    entry = glossary.Entry(("transformer",), "00_cnn_review", "No part of this course.")
    with pytest.raises(ValueError, match=r"00_cnn_review explains 'transformer'"):
        glossary.first_mention(entry, {"00_cnn_review": "A convolution and its transformers-like kin."})


def test_glossary_refuses_a_line_that_is_no_entry():
    with pytest.raises(ValueError, match="line 2 is no entry"):
        glossary.entries("# Glossary\n- **logit**: the score of a class.")


GOOD = """<html><body><article><h1 id="a">A</h1><h2>B</h2><a href="#a">up</a><a href="https://arxiv.org/abs/1">x</a>
<div class="cell_input"><pre>Output(), VBox(children=[])</pre></div><img alt="a cat" src="cat.png">
</article></body></html>"""


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ('alt="a cat"', 'alt=" "', "no alt text"),
        ('alt="a cat"', "", "no alt text"),
        ('src="cat.png"', 'src="https://example.org/cat.png"', "from elsewhere"),
        ('src="cat.png"', 'src="dog.png"', "leads nowhere"),
        ("#a", "#c", "no place of that page"),
        ("#a", "other.html", "leads nowhere"),
        ("https://arxiv.org/abs/1", "https://arxiv/abs/1", "malformed"),
        ("https://arxiv.org/abs/1", "https://arxiv.org/a b", "malformed"),
        ("<h2>B</h2>", "<h3>B</h3>", "level 3"),
        ("<h2>B</h2>", "<h1>B</h1>", "2 headings of the first level"),
        (">up<", ">VBox(children=(IntSlider(value=0)))<", "VBox(children="),
        (">up<", ">Output()<", "Output()"),
        (">up<", ">Error displaying widget: model not found<", "Error displaying widget"),
        ("<body>", '<body><script src="https://example.org/a.js"></script>', "from elsewhere"),
        ("<body>", '<body><link rel="stylesheet" href="//example.org/a.css">', "from elsewhere"),
    ],
)
def test_checks_find_what_is_wrong_with_a_page(tmp_path: Path, good: str, bad: str, told: str):
    (tmp_path / "cat.png").write_bytes(b"")
    page = tmp_path / "page.html"
    page.write_text(GOOD, "utf-8")
    assert check.problems(tmp_path) == []
    page.write_text(GOOD.replace(good, bad), "utf-8")
    found = check.problems(tmp_path)
    assert any(told in line and line.startswith("page.html: ") for line in found), found


def test_checks_find_a_font_from_elsewhere(tmp_path: Path):
    (tmp_path / "a.css").write_text("@font-face { src: url('https://example.org/font.woff2') }")
    assert check.problems(tmp_path) == ["a.css: loads https://example.org/font.woff2, from elsewhere"]


def test_requirements_pin_what_the_extra_asks_for():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["site"]
    lines = (SITE / "requirements.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(requirement.specifier).startswith("==") for requirement in pinned)
    for wanted in map(Requirement, extra):
        versions = [next(iter(p.specifier)).version for p in pinned if p.name == wanted.name]
        assert versions
        assert all(version in wanted.specifier for version in versions), wanted


def test_workflow_publishes_what_make_site_builds():
    workflow = (ROOT / ".github" / "workflows" / "site.yml").read_text()
    assert "run: make site\n" in workflow
    assert "path: build/site/html\n" in workflow


def interpreter_with_sphinx() -> str | None:
    """This one, or that of `make site`."""
    if importlib.util.find_spec("myst_nb"):
        return sys.executable
    python = ROOT / ".venv-site" / "bin" / "python"
    return str(python) if python.exists() else None


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_every_page_is_whole(tmp_path: Path):
    python = interpreter_with_sphinx()
    if python is None:
        pytest.skip("Sphinx is not installed; `make site` installs it into .venv-site")
    command = [python, str(SITE / "build.py"), "--folder", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    html = tmp_path / "html"
    for before, path in zip([None, *NOTEBOOKS], NOTEBOOKS, strict=False):
        page = (html / f"{path.stem}.html").read_text("utf-8")
        stored = STORED_FIGURE.findall("".join(html_of(cell) for cell in cells_of(path)))
        pictures = re.findall(r"<img[^>]*>", page)
        assert len(pictures) >= len(stored)
        assert all(re.search(r'alt="[^"]*\w', picture) for picture in pictures)
        assert not re.search(r'<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?//', page)
        assert not re.search(r"Output\(\)<|>VBox\(children|model not found|using the reference for now", page)
        if before:
            assert re.search(rf'class="left-prev"\s+href="{before.stem}\.html"', page)
    index = (html / "searchindex.js").read_text("utf-8")
    assert "quilt" in index
    assert 'id="term-Gram-matrix"' in (html / "glossary.html").read_text("utf-8")
    assert (html / "_static" / "tex-svg.js").stat().st_size > 1e6
