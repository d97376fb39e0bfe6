"""A pytest plugin: after the cells of a notebook, nbval runs its exercises again, in the same kernel.

Whoever returns to an exercise after "Run all" runs its cell again, and then what uses it. So the cells of all
exercises are run once more, the last one first, and then the cells that use them next. ``--redo-all`` runs after each
exercise everything up to the end of the notebook, which takes several times as long as the notebook itself.
That no name means something else by then is held for all cells by tests/project/test_notebook_slices.py.
"""

from collections.abc import Iterator

import pytest

from tests.notebook_slices import Notebook

OUTPUT_TIMEOUT = 120  # seconds; nbval waits 5 for a message, in which a busy machine may not come round to it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redo-all", action="store_true", help="after each exercise of a notebook, run all that follows it again"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the repeated cells behind those of each notebook of which all cells are tested."""
    cells: dict[pytest.Collector, list[pytest.Item]] = {}
    for item in items:
        if type(item).__name__ == "IPyNbCell":
            item.output_timeout = OUTPUT_TIMEOUT
            cells.setdefault(item.parent, []).append(item)
    for file, found in cells.items():
        if len(found) == sum(cell.cell_type == "code" for cell in file.nb.cells):
            place = items.index(found[-1]) + 1
            items[place:place] = list(again(found, everything=config.option.redo_all))


def again(cells: list[pytest.Item], *, everything: bool) -> Iterator[pytest.Item]:
    """The cells to run after the last one, as further tests of the same file."""
    sources = [item.cell.source for item in cells]
    notebook = Notebook(sources)
    exercises = [number for number, source in enumerate(sources) if "@exercise(" in source]
    if everything:
        order = [later for number in reversed(exercises) for later in (number, *range(number + 1, len(cells)))]
    else:  # several exercises may go on in one cell, which then runs once
        order = exercises[::-1] + sorted({user for number in exercises for user in notebook.users_of(number)[:1]})
    for place, number in enumerate(order):
        item = cells[number]
        copy = type(item).from_parent(
            item.parent,
            name=f"{item.name}, again {place}",
            cell_num=item.cell_num,
            cell=item.cell,
            options=item.options,
        )
        copy.output_timeout = OUTPUT_TIMEOUT
        yield copy
