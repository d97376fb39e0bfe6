"""Promises about the rooms that import-linter cannot hold: where hooks, function modes and files may be made."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cs231n_viz"
METHODS = ("network", "representation", "attribution", "synthesis", "texture", "style")


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """Every file of the package, parsed once."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.fixture(scope="module")
def nodes(trees) -> list[tuple[str, ast.Call | ast.ClassDef]]:
    """Every call and every class of the package's code, with the file it is in."""
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call | ast.ClassDef)
    ]


def called(node: ast.AST) -> str:
    """The last part of the name of what is called."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", ""))


def test_hooks_are_registered_in_one_module(nodes):
    files = {file for file, node in nodes if called(node).startswith("register_") and called(node).endswith("hook")}
    assert files == {"network/capture.py"}


def test_function_modes_are_in_one_room(nodes):
    """Except for two exercises, whose checks count and follow what an answer computes."""
    modes = {"TorchFunctionMode", "TorchDispatchMode"}
    files = {
        file
        for file, node in nodes
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "id", getattr(base, "attr", "")) in modes for base in node.bases)
    }
    assert {file for file in files if not file.startswith(("network/", "exercises/"))} == set()
    assert files & {"network/interception.py"}


def test_methods_print_nothing(nodes):
    found = [f"{file}:{node.lineno}" for file, node in nodes if called(node) == "print" and file.startswith(METHODS)]
    assert found == []


def test_files_are_written_in_few_places(nodes):
    """Pictures and animations, what was asked for (an index, a style network, a download), right answers, grades."""
    writers = {"save_file", "write_text", "write_bytes", "mkstemp"}
    files = {file for file, node in nodes if called(node) in writers}
    assert files == {"writing.py"}
    opened = {
        file
        for file, node in nodes
        if called(node) == "open"
        and any(isinstance(value, ast.Constant) and str(value.value)[:1] in "wxa" for value in node.args[-1:])
        and str(getattr(node.args[-1], "value", "")).strip("b") in {"w", "x", "a"}
    }
    assert opened == {"pictures/fetching.py"}
    calls = {file for file, node in nodes if called(node) in ("write_over", "write_new")} - {"writing.py"}
    assert calls == {"pictures/saving.py", "representation/top_patches.py", "style/fast.py"}
    texts = {file for file, node in nodes if called(node) == "write_text_over"}
    assert {file.split("/")[0] for file in texts} == {"exercises"}


def test_a_room_is_described_in_three_lines(trees):
    """And nothing else stands in its ``__init__``, where users do not look names up in it."""
    for path in PACKAGE.rglob("*/__init__.py"):
        room = path.parent.relative_to(PACKAGE).as_posix()
        tree = trees[path]
        assert ast.get_docstring(tree), room
        if room not in ("plotting", "explore", "exercises"):
            assert len(tree.body) == 1, room
            assert len(list(filter(None, ast.get_docstring(tree).splitlines()))) <= 3, room


def test_no_name_of_the_package_hides_a_module_of_the_same_name(trees):
    """``import cs231n_viz.x`` and ``cs231n_viz.x`` must mean the same."""
    for path in PACKAGE.rglob("*/__init__.py"):
        modules = {
            entry.stem for entry in path.parent.iterdir() if entry.suffix == ".py" or (entry / "__init__.py").exists()
        }
        tree = trees[path]
        imported = {
            (alias.asname or alias.name): node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert not (modules - {"__init__"}) & imported.keys(), path


def test_slow_imports_wait_until_they_are_needed():
    """Each of them takes longer than the package, and every kernel and every script would pay for it."""
    script = (
        "import sys, cs231n_viz as viz; imported = [*sys.modules];"
        "vgg = viz.load_model('mini_vgg'); viz.saliency(vgg, vgg.prepare('cat'), 0);"
        "viz.exercises.exercise; viz.explore.saliency;"
        "print(*imported, 'and then', *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    at_once, later = (set(names.split()) for names in run.stdout.split("and then"))
    assert not later & {"torchvision", "torch._dynamo", "scipy.stats", "skimage", "sklearn", "pandas", "sympy"}
    assert not at_once & {"matplotlib", "ipywidgets", "cv2"}


def test_nothing_that_is_read_can_run_code(nodes):
    """Pickles and their like are data of strangers: what travels between our own processes alone may be one."""
    unsafe = {
        "load_state_dict_from_url",
        "download_url_to_file",
        "unpack_archive",
        "extractall",
        "read_pickle",
        "full_load",
    }
    found = set()
    for file, node in nodes:
        if not isinstance(node, ast.Call):
            continue
        whole = ast.unparse(node.func)
        options = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
        if whole.endswith("torch.load") and options.get("weights_only") is not True:
            found.add(f"{file}: torch.load")
        if whole in ("np.load", "numpy.load") and options.get("allow_pickle") is not False:
            found.add(f"{file}: np.load")
        if whole.startswith(("pickle.load", "dill.", "joblib.load", "marshal.", "shelve.", "yaml.load", "yaml.unsafe")):
            found.add(f"{file}: {whole}")
        if whole in ("eval", "os.system", "os.popen") or called(node) in unsafe:
            found.add(f"{file}: {whole}")
    assert found == {"representation/features.py: pickle.loads"}  # what the client itself sent to its workers
