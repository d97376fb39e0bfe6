"""The lecturer's pages: what they name stands in the notebook, and what they say to turn can be turned."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch

import cs231n_viz as viz
from cs231n_viz.attribution.scoring import Curves
from cs231n_viz.exercises import ROOMS

ROOT = Path(__file__).resolve().parents[2]
PAGES = {room.removeprefix("n"): ROOT / "instructor" / f"{room.removeprefix('n')}.md" for room in ROOMS}
HEADINGS = (
    "In 5 minutes",
    "In 20 minutes",
    "In 50 minutes",
    "Turn while talking",
    "Ask the class",
    "Wrong answers",
    "Numbers worth remembering",
    "Slides",
    "If something goes wrong",
)


@cache
def page(name):
    return PAGES[name].read_text(encoding="utf-8")


def part(text, heading):
    """What stands under a heading of the second level."""
    return re.split(rf"^## {re.escape(heading)}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]


def rows(text):
    """The cells of every row of the tables in a text, without their heads."""
    lines = re.findall(r"^\|(.*)\|$", text, flags=re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    heads = {i for i, row in enumerate(cells) if set(row[0]) == {"-"}}
    return [row for i, row in enumerate(cells) if i not in heads and i + 1 not in heads]


@cache
def sections(name):
    """Heading (of the second level, and "" for the top) -> its source and the text of its outputs."""
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) + "\n" + printed(cell) for cell in cells)
    top, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    return {"": top} | {plain(section.partition("\n")[0]): section for section in rest}


def printed(cell):
    """The text that a cell has put out."""
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.get("outputs", [])]
    return "\n".join("".join(text) for text in texts)


def plain(heading):
    """A heading without stars and minutes."""
    return re.sub(r"\s+\([^()]* min\)$", "", heading)


def headings(name):
    smaller = re.findall(r"^### (.*)$", "\n".join(sections(name).values()), flags=re.MULTILINE)
    return {*sections(name), *map(plain, smaller)}


def section(name, number):
    """The section of a number."""
    return next(text for heading, text in sections(name).items() if heading.startswith(f"{number} · "))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_all_its_parts_in_order(name):
    assert tuple(re.findall(r"^## (.*)$", page(name), flags=re.MULTILINE)) == HEADINGS
    title = re.search(r"^# .*$", sections(name)[""], flags=re.MULTILINE)[0]
    assert page(name).splitlines()[0] == title


@pytest.mark.parametrize("name", PAGES)
def test_headings_and_numbers_of_sections_are_those_of_the_notebook(name):
    named = re.findall(r"§ \*([^*]+)\*", page(name))
    assert len(named) > 5
    assert [heading for heading in named if heading not in headings(name)] == []
    for numbers in re.findall(r"[Ss]ections? (\d(?:(?:, | and )\d)*)", page(name)):
        for number in re.findall(r"\d", numbers):
            assert section(name, number)


@pytest.mark.parametrize("name", PAGES)
def test_a_number_worth_remembering_stands_in_the_section_that_is_named(name):
    table = rows(part(page(name), "Numbers worth remembering"))
    assert len(table) >= 5
    for numbers, _, where in table:
        text = section(name, where)
        for number in re.findall(r"\d[\d,.]*\d|\d", numbers):
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", text), (
                f"{number} is no more in section {where}: change the page"
            )


@pytest.mark.parametrize("name", PAGES)
def test_wrong_answers_are_given_for_every_exercise_of_the_room(name):
    exercises = {row[0].strip("`") for row in rows(part(page(name), "Wrong answers"))}
    assert exercises == set(ROOMS[f"n{name}"])


@pytest.mark.parametrize("name", PAGES)
def test_every_explorer_of_the_notebook_has_a_table_and_stands_where_the_page_says(name):
    said = dict(re.findall(r"^### `viz\.explore\.(\w+)` in section (\d)$", page(name), flags=re.MULTILINE))
    shown = re.findall(r"viz\.explore\.([a-z_]+)\(", "\n".join(sections(name).values()))
    assert set(said) == set(shown)
    for explorer, number in said.items():
        assert f"viz.explore.{explorer}(" in section(name, number)


@pytest.mark.parametrize("file", sorted((ROOT / "instructor").glob("*.md")), ids=lambda file: file.stem)
def test_links_resolve(file):
    text = file.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if not (file.parent / link.partition("#")[0]).exists()] == []


def at_64_pixels(model):
    """The same network for smaller pictures, where maps take many passes; it must take pictures of any size."""
    mean, std = (values.flatten().tolist() for values in (model.mean, model.std))
    return viz.wrap(model.network, model.categories, mean=mean, std=std, input_size=64)


@pytest.fixture(scope="module")
def build():
    """Name of an explorer -> the explorer, as the notebook builds it, with as few pictures as will do."""
    networks = {name: viz.load_model(name) for name in ("mini_vgg", "mini_vgg_robust", "mini_alexnet")}
    vgg, alexnet = networks["mini_vgg"], networks["mini_alexnet"]
    two = {"mini_alexnet": alexnet, "mini_vgg": vgg}
    small = {name: at_64_pixels(networks[name]) for name in ("mini_vgg", "mini_vgg_robust")}
    scenes = viz.Gallery.scenes(12).in_memory()
    drawn = torch.rand(4, 3, 32, 32), torch.ones(4, 32, 32, dtype=torch.bool).triu()

    def neighbours():
        explorer = viz.explore.neighbours(scenes, two, layers=["pool2", "pool5", "fc6", "fc7", "fc8", "gap", "fc"])
        explorer.controls["layer"].value = "fc7"
        return explorer

    def embedding():
        spaces = {name: torch.rand(12, 5) for name in ("pixels", "fc7")}
        maps = {(space, how): torch.rand(12, 2) for space in spaces for how in ("pca", 5, 30, 80)}
        return viz.explore.embedding(scenes, spaces, maps=maps)

    def top_patches():
        patches = viz.top_patches(alexnet, scenes, "relu5", k=9, progress=False)
        largest = torch.empty(12, 128).fill_(0.0)
        named = {"mini_alexnet": patches, "mini_alexnet, untrained": patches}
        chosen = viz.selectivity(largest, torch.tensor(scenes.labels))
        return viz.explore.top_patches(named, scenes, selectivity={(name, "relu5"): chosen for name in named})

    def second_layer():
        explorer = viz.explore.second_layer(alexnet)
        explorer.controls["unit"].value = 101
        return explorer

    def segmentation():
        maps = ("blurred SmoothGrad", "plain saliency", "centred Gaussian")
        return viz.explore.segmentation(*drawn, {name: torch.rand(4, 32, 32) for name in maps})

    def deletion():
        methods = re.findall(r'^    "([^"]+)": ', section("06b_method_trials", 1), flags=re.MULTILINE)
        curves = Curves(torch.rand(4, 9), torch.rand(4, 9))
        maps = {name: torch.rand(4, 32, 32) for name in methods}
        return viz.explore.deletion(*drawn, maps, dict.fromkeys(methods, curves))

    builders = {
        "convolution": lambda: viz.explore.convolution("coffee"),
        "stack_calculator": viz.explore.stack_calculator,
        "pooling": lambda: viz.explore.pooling("coffee"),
        "receptive_fields": lambda: viz.explore.receptive_fields(alexnet, "cat"),
        "filters": lambda: viz.explore.filters(two, image="camera"),
        "responses": lambda: viz.explore.responses(alexnet, "camera"),
        "second_layer": second_layer,
        "neighbours": neighbours,
        "embedding": embedding,
        "activation_maps": lambda: viz.explore.activation_maps(alexnet, "cat", "relu5"),
        "top_patches": top_patches,
        "unit_wall": lambda: viz.explore.unit_wall(alexnet, "cat", "relu5"),
        "occlusion": lambda: viz.explore.occlusion(vgg, "motorcycle", "Motorbikes"),
        "saliency": lambda: viz.explore.saliency(small, "motorcycle", "Motorbikes"),
        "segmentation": segmentation,
        "class_activation": lambda: viz.explore.class_activation(networks, "motorcycle"),
        "two_objects": lambda: viz.explore.two_objects(networks),
        "relevance": lambda: viz.explore.relevance(two, "motorcycle"),
        "all_methods": lambda: viz.explore.all_methods(small, "cat"),
        "deletion": deletion,
        "class_visualization": lambda: viz.explore.class_visualization(networks, "cat"),
        "fooling": lambda: viz.explore.fooling(networks, "motorcycle", "lobster"),
        "deep_dream": lambda: viz.explore.deep_dream(networks, "china", "relu4_2", width=60),
        "inversion": lambda: viz.explore.inversion({"mini_alexnet": alexnet} | networks, "cat", "conv5"),
        "growing": lambda: viz.explore.growing("grass", size=80),
        "texture": lambda: viz.explore.texture(networks, "swirls", side=64, steps=60),
        "style": lambda: viz.explore.style(networks),
        "fast_style": lambda: viz.explore.fast_style(viz.load_fast_style(), "astronaut", size=128),
    }
    return lambda name: builders[name]()


def turn(control, said):
    """Set a control to what a page says, in its own words, and say whether it took it."""
    if hasattr(control, "options"):
        control.label = said
    elif isinstance(control.value, bool):
        control.value = {"on": True, "off": False}[said]
    else:
        control.value = int(said)
        assert control.value == int(said)  # a slider cuts off what is beyond its end


def explorers(name):
    return re.findall(r"^### `viz\.explore\.(\w+)`", page(name), flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "explorer_name"), [(name, one) for name in PAGES for one in explorers(name)])
def test_what_the_page_says_to_turn_can_be_turned(build, name, explorer_name):
    table = re.split(rf"^### `viz\.explore\.{explorer_name}`.*$", page(name), flags=re.MULTILINE)[1].split("\n#")[0]
    assert rows(table)
    explorer = build(explorer_name)
    for control_name, values, _ in rows(table):
        control = explorer.controls[control_name.strip("`")]
        if values != "press":
            before, after = (value.strip("` ").replace("\\|", "|") for value in values.split(" → "))
            turn(control, before)
            turn(control, after)
            assert explorer.error is None


def read_me():
    return (ROOT / "instructor" / "README.md").read_text(encoding="utf-8")


def test_the_lecture_of_75_minutes_takes_75_minutes_of_pages_that_exist():
    table = rows(part(read_me(), "A lecture of 75 minutes"))
    names = [name for name in PAGES if name[:2] not in ("00", "06") or name.startswith("06b")]
    assert [name for name, _ in table[:-1]] == [name.partition("_")[0] for name in names]
    assert sum(int(minutes) for _, minutes in table) == 75


def test_the_block_holds_every_notebook_once_with_its_minutes():
    minutes = {
        name.partition("_")[0]: int(re.search(r"^\*\*Time:\*\* about (\d+) min", sections(name)[""], re.MULTILINE)[1])
        for name in PAGES
    }
    table = rows(part(read_me(), "A block of two weeks"))
    assert [day for day, *_ in table] == [str(day) for day in range(1, 11)]
    assert [name for row in table for name in row[1].split(", ")] == list(minutes)
    for _, names, total, _ in table:
        assert int(total) == sum(minutes[name] for name in names.split(", "))


def test_the_order_names_every_page_with_the_question_of_its_notebook():
    titles = {re.search(r"^# (\S+) · (.*)$", sections(name)[""], flags=re.MULTILINE).groups() for name in PAGES}
    table = rows(part(read_me(), "The order of the course"))
    assert {(re.match(r"\[(\w+)\]", link)[1], question) for link, question, _ in table} == titles
    assert len(table) == len(PAGES)
