"""The slices that the browser tests and the repeated exercises rely on, and what they say about the notebooks."""

import json
from pathlib import Path

import pytest

from tests.notebook_slices import Notebook, reduced

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def sources_of(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize(
    ("sources", "needed"),
    [
        (["a = 1", "b = 2", "print(a)"], [0, 2]),
        (["a = 1", "a = 2", "print(a)"], [1, 2]),  # rebound
        (["a = 1", "if a:\n    a = 2", "print(a)"], [0, 1, 2]),  # perhaps rebound
        (["a = 1", "if x:\n    a = 2\nelse:\n    a = 3", "print(a)"], [1, 2]),
        (["a = 1", "try:\n    a = 2\nexcept ValueError:\n    b = 3", "print(a)"], [0, 1, 2]),
        (["a = 1", "for a in (2, 3):\n    pass", "print(a)"], [1, 2]),
        (["a = 1", "with open('x') as a:\n    b = a", "print(b)"], [1, 2]),
        (["a = 1", "a += 1", "print(a)"], [0, 1, 2]),
        (["a = 1", "a: int = 2", "print(a)"], [1, 2]),
        (["a = [1]", "a[0] += 1", "b = [2]", "b[0] += 1", "print(a)"], [0, 1, 4]),
        (["a = {}", "for k in 'ab':\n    a[k] = k", "print(a)"], [0, 1, 2]),
        (["a, i = [], 0", "a[i] = 1", "print(a)"], [0, 1, 2]),
        (["a = [1, 2]", "del a[0]", "print(a)"], [0, 1, 2]),
        (["a = []", "a.append(1)", "print(a)"], [0, 1, 2]),
        (["a = f()", "a.fig.title('x')", "print(a)"], [0, 1, 2]),  # called for its effect alone
        (["a = f()", "b = a.mean()", "print(a)"], [0, 2]),
        (["a = f()", "b = a.clamp_(0)", "print(a)"], [0, 1, 2]),
        (["import matplotlib.pyplot as plt", "plt.rcParams['x'] = 1", "plt.plot()", "plt.show(1)"], [0, 1, 3]),
        (["import torch", "torch.manual_seed(0)", "torch.rand(2)", "a = torch.rand(1)"], [0, 1, 3]),
        (["import torch", "g = torch.Generator().manual_seed(0)", "a = torch.rand(1)"], [0, 2]),
        (["import a.b", "import a.c as d", "print(a)"], [0, 2]),
        (["from a import b as c", "b = 1", "print(c)"], [0, 2]),
        (["def f():\n    return 1", "def g():\n    return f()", "print(g())"], [0, 1, 2]),
        (["def f(n):\n    return n and g(n)", "def g(n):\n    return f(n - 1)", "f(3)"], [0, 1, 2]),
        (["def f():\n    return k", "k = 1", "k = 2", "print(f())"], [0, 2, 3]),  # what it reads when it is called
        (["k = 1", "def f():\n    k = 2\n    return k", "print(f())"], [1, 2]),
        (["k = 1", "f = lambda x: k + x", "k = 2", "print(f(1))"], [0, 1, 2, 3]),
        (["k = 1", "def f(x=k):\n    return x", "print(f())"], [0, 1, 2]),
        (["a = []", "def f():\n    a.append(1)", "f()", "print(a)"], [0, 1, 2, 3]),  # changed by a call
        (["a = 0", "def f():\n    global a\n    a = 1", "f()", "print(a)"], [0, 1, 2, 3]),
        (["k = 1", "@exercise('f')\ndef f():\n    return k", "print(f())"], [0, 1, 2]),  # the decorator may call it
        (["def d(f):\n    return f", "@d\ndef f():\n    pass", "f()"], [0, 1, 2]),
        (["k = 1", "class C:\n    def m(self):\n        return k", "C()"], [0, 1, 2]),
        (["i = 1", "a = [i for i in range(3)]", "print(a)"], [1, 2]),
        (["n = 1", "a = [i + n for i in range(3)]", "print(a)"], [0, 1, 2]),
        (["a = 1", "print(b := 2)", "print(b)"], [1, 2]),
        (["a = 1", "print(f'{a:>{width}}')"], [0, 1]),
    ],
)
def test_the_last_cell_needs(sources, needed):
    assert Notebook(sources).needed_for([len(sources) - 1]) == needed


def test_several_cells_may_be_wanted():
    assert Notebook(["a = 1", "b = 1", "print(a)", "c = 1", "print(c)"]).needed_for([2, 4]) == [0, 2, 3, 4]


def test_of_the_cells_that_are_not_wanted_only_the_needed_statements_stay():
    sources = [
        "import slow, torch\na = torch.ones(3)\nassert slow.check(a)",
        "print(a)",
        "@torch.no_grad()\ndef show(x):  # a comment\n    return x",
        "show(a)  # as it is\nprint('done')",
    ]
    assert reduced(sources, [3]) == {
        0: "import slow, torch\na = torch.ones(3)",
        2: "@torch.no_grad()\ndef show(x):\n    return x",
        3: sources[3],
    }


def test_users_of_a_cell_take_a_name_from_it():
    sources = ["a = 1", "print(a)", "def f():\n    return a", "f()", "a = 2", "print(a)"]
    assert Notebook(sources).users_of(0) == [1, 3]


def test_a_name_that_means_something_else_later_is_found():
    sources = ["row = 3", "print(row)", "for row in 'ab':\n    print(row)", "print('row')"]
    assert Notebook(sources).hidden() == [("row", 1, 2)]
    assert Notebook(["n = 0", "n = n + 1"]).hidden() == [("n", 1, 1)]  # other values when it is run twice
    assert Notebook(["fig = f()\nfig.show()", "fig = f()\nfig.show()"]).hidden() == []
    assert Notebook(["k = 1", "def f():\n    return k", "f()", "k = 2"]).hidden() == [("k", 2, 3)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_any_cell_may_be_run_again_after_all(path):
    """What a cell takes from an earlier one is not bound again, to something else, by itself or by a later one.

    So whoever returns to an exercise after "Run all" finds every name with the meaning that the cell was written for.
    """
    assert Notebook(sources_of(path)).hidden() == []
