"""What the files around the package promise: the same dependencies everywhere, and a wheel that works by itself."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from IPython.core import application
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import jupyter_settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest there

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = (ROOT / "environment.yml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "playwright-python": "playwright"}
SYSTEMS = {
    "linux": ("Linux", "posix", "x86_64"),
    "darwin": ("Darwin", "posix", "arm64"),
    "win32": ("Windows", "nt", "AMD64"),
}
NEWEST_PYTHON = 14


def wanted() -> list[Requirement]:
    """The dependencies of the project and of its tests, and the weights of a network that knows ImageNet."""
    extras = PROJECT["optional-dependencies"]
    return [Requirement(line) for line in PROJECT["dependencies"] + extras["test"] + extras["imagenet"]]


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def conda_requirements() -> list[Requirement]:
    """The packages of environment.yml but for python and pip, under the names they have for pip.

    Those that conda-forge does not have stand under ``pip:``, further to the right.
    """
    specs = re.findall(r"^ +- ([a-z][^\s#:]*)(?:\s*#.*)?$", ENVIRONMENT.split("dependencies:")[1], re.MULTILINE)
    found = [Requirement(re.sub(r"(?<![<>=!])=(?!=)", "==", spec)) for spec in specs]
    for requirement in found:
        requirement.name = CONDA_NAMES.get(requirement.name, requirement.name)
    return [requirement for requirement in found if requirement.name not in ("python", "pip")]


def test_conda_and_pip_users_get_the_same_packages():
    assert {str(requirement) for requirement in conda_requirements()} == {str(requirement) for requirement in wanted()}


def test_conda_installs_the_package_itself():
    assert re.search(r"^  - pip:.*\n +- -e \.", ENVIRONMENT, re.MULTILINE)


def test_binder_sees_the_python_version():
    """It reads ``python=3.11`` and nothing else: with ``>=`` it silently takes another version."""
    (version,) = re.findall(r"^  - python=(3\.\d+) ", ENVIRONMENT, re.MULTILINE)
    assert version in [f"3.{minor}" for minor in range(10, NEWEST_PYTHON + 1)]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("minor", range(10, NEWEST_PYTHON + 1))
def test_the_lock_has_one_fitting_version_of_everything(system, minor):
    platform, os_name, machine = SYSTEMS[system]
    environment = {
        **default_environment(),
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.9",
        "sys_platform": system,
        "platform_system": platform,
        "os_name": os_name,
        "platform_machine": machine,
    }
    pins: dict[str, str] = {}
    for line in locked():
        if line.marker is None or line.marker.evaluate(environment):
            (pin,) = line.specifier
            name = canonicalize_name(line.name)
            assert name not in pins, f"{name} is locked twice"
            assert pin.operator == "=="
            pins[name] = pin.version
    for requirement in wanted():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    if system != "linux":
        assert not [name for name in pins if name.startswith(("nvidia", "cuda", "triton"))]


def test_there_are_lower_bounds_and_no_upper_ones():
    for requirement in wanted():
        assert [bound.operator for bound in requirement.specifier] == [">="], requirement
    assert re.fullmatch(r">=3\.\d+", PROJECT["requires-python"])


def test_every_dependency_says_why_it_is_there():
    lines = re.findall(r'^    "[a-z].*$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    lines = [line for line in lines if re.match(r' {4}"[a-z0-9-]+>=', line)]
    assert len(lines) == len(PROJECT["dependencies"]) + sum(map(len, PROJECT["optional-dependencies"].values()))
    for line in lines + re.findall(r"^ +- .*$", ENVIRONMENT, re.MULTILINE):
        reason = line.partition("#")[2]
        assert len(reason.split()) >= 3 or line.strip() == "- pip:", f"no reason given: {line}"


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)


def make(*arguments: str, recipe: str = "", **environment: str) -> str:
    """What make prints, called as from a shell; a ``recipe`` is that of the further target ``shown``."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "OMP_", "MALLOC_", "ARGS", "TESTS"))
    }
    makefile = f"include Makefile\nshown:\n\t@{recipe}\n"
    command = ["make", "--no-print-directory", "-f", "-", *arguments]
    ran = subprocess.run(
        command, cwd=ROOT, env=inherited | environment, input=makefile, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_make_help_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(phony) >= set("setup lab reset test quick lint format notebooks bench train clean help".split())
    assert set(phony) == set(targets())
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  ([a-z-]+) +\S", shown, re.MULTILINE) == targets()


@pytest.mark.parametrize(
    ("target", "arguments", "tested"),
    [
        ("test", "", ["tests", "notebooks"]),
        ("test", "-k layers", ["tests", "notebooks"]),
        ("test", "tests/attribution", ["tests/attribution"]),
        ("test", "-x notebooks/00_cnn_review.ipynb", ["notebooks/00_cnn_review.ipynb"]),
        ("test", "tests/network/test_layers.py::test_order -v", ["tests/network/test_layers.py::test_order"]),
        ("quick", "-x", ["tests"]),
        ("quick", "tests/attribution -x", ["tests/attribution"]),
    ],
)
def test_a_path_in_args_is_the_only_one_that_is_tested(target, arguments, tested):
    (command,) = re.findall(r"-m pytest (.*)$", make("--dry-run", target, f"ARGS={arguments}"), re.MULTILINE)
    paths = [word for word in command.split() if re.match(r"(tests|notebooks)(/|$)", word)]
    assert paths == tested
    assert ("-n" in command.split()) == (tested[0] == "tests")  # a part starts at once
    assert set(arguments.split()) <= set(command.split())


def test_waiting_threads_sleep_in_all_that_make_starts_unless_told_otherwise():
    assert make("shown", recipe="echo $$OMP_WAIT_POLICY") == "passive"
    assert make("shown", recipe="echo $$OMP_WAIT_POLICY", OMP_WAIT_POLICY="active") == "active"


def test_freed_memory_is_kept_the_same_everywhere_unless_told_otherwise():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["containerEnv"]
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        assert make("shown", recipe=f"echo $${name}") == container[name]
        assert make("shown", recipe=f"echo $${name}", **{name: "7"}) == "7"
        assert f'  {name}: "{container[name]}" ' in ENVIRONMENT


@pytest.mark.parametrize(("policy", "expected"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_waiting_threads_sleep_in_every_kernel_unless_told_otherwise(policy, expected, tmp_path):
    """A JupyterLab that make did not start starts kernels of this environment, too."""
    (place,) = [place for place, text in jupyter_settings.FILES.items() if text == jupyter_settings.KERNEL]
    read = application.ENV_CONFIG_DIRS + application.SYSTEM_CONFIG_DIRS
    assert Path(sys.prefix, place).parent in [Path(folder) for folder in read]

    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | policy
    printed = []
    with kernel_of_make(tmp_path, environment) as client:
        client.execute_interactive(
            "import os; print(os.environ['OMP_WAIT_POLICY'])",
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
    assert "".join(printed) == f"{expected}\n"


def test_opening_a_notebook_changes_nothing_in_it(tmp_path):
    """JupyterLab copies what the kernel says about its language into a notebook; what is new there makes it changed."""
    with kernel_of_make(tmp_path, dict(os.environ)) as client:
        told = client.kernel_info(reply=True, timeout=60)["content"]["language_info"]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["language_info"] == told, path.name


@contextmanager
def kernel_of_make(folder: Path, environment: dict[str, str]) -> Iterator[BlockingKernelClient]:
    """A kernel with the settings that ``make setup`` writes."""
    profile = folder / "profile_default"
    profile.mkdir()
    profile.joinpath("ipython_kernel_config.py").write_text(jupyter_settings.KERNEL)
    manager, client = start_new_kernel(env=environment | {"IPYTHONDIR": str(folder)})
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_waiting_threads_sleep_for_conda_and_in_the_dev_container():
    assert re.search(r"^variables:\n  OMP_WAIT_POLICY: passive ", ENVIRONMENT, re.MULTILINE)
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["containerEnv"]["OMP_WAIT_POLICY"] == "${localEnv:OMP_WAIT_POLICY:passive}"


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        ".devcontainer/devcontainer.json",
        ".github/workflows/tests.yml",
        ".pre-commit-config.yaml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
    ],
)
def test_only_targets_that_exist_are_named(name):
    called = re.findall(r"(?:^ *|[`\"]|entry: |run: )make ([a-z]+)", (ROOT / name).read_text(), re.MULTILINE)
    assert set(called) <= set(targets())
    assert called or name == ".github/workflows/tests.yml"


def test_hooks_before_a_commit_are_fetched_from_nowhere():
    repositories = re.findall(r"^ *- repo: (.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    assert repositories == ["local"]


def test_the_workflow_runs_what_ci_runs_and_may_only_read():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert re.findall(r"^ *- run: (.*)$", workflow, re.MULTILINE) == ["bash .ci/run"]
    assert re.findall(r"^ *permissions:\n((?: +.*\n)+)", workflow, re.MULTILINE) == ["  contents: read\n"]


def test_the_citation_and_the_changelog_name_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [PROJECT["version"]]
    assert re.findall(r"^  - name: (.*)$", citation, re.MULTILINE) == [author["name"] for author in PROJECT["authors"]]
    (day,) = re.findall(r"^date-released: (.*)$", citation, re.MULTILINE)
    assert f"\n## [{PROJECT['version']}] - {day}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_files_named_to_contributors_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"\b(?:cs231n_viz|tests|notebooks|benchmarks)/[\w./]*\w", text)
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run([*command, "--wheel-dir", str(folder)], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_carries_all_data_and_nothing_but_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {f"cs231n_viz/{name}" for name in tracked_files() if name.startswith("data/")}
    assert any(name.startswith("cs231n_viz/data/weights/") for name in data)
    assert data <= names
    assert {name.split("/")[0] for name in names} <= {"cs231n_viz", f"cs231n_viz-{PROJECT['version']}.dist-info"}


@pytest.mark.slow
def test_an_installed_wheel_finds_its_data_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import cs231n_viz.data_files as files; print(files.__file__); print(files.data_path('weights'))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    package = tmp_path / "site" / "cs231n_viz"
    assert ran.stdout.split() == [str(package / "data_files.py"), str(package / "data" / "weights")]


def tracked_files() -> list[str]:
    """All files of the repository, those not yet committed included."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git does not list the files here: needs git, and a clone rather than an archive")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


# Joined from halves, so that this file does not contain what it looks for.
HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "deb.debian" + ".org", "crates" + ".io"]
PLACES = ["/work" + "/main", "/work" + "/shared", "/tmp" + "/pics", "/tmp" + "/spec", "/opt" + "/wheels"]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine():
    unwanted = [*HOSTS, *PLACES, f"{ROOT}/"] + ([f"{Path.home()}/"] if len(Path.home().parts) > 1 else [])
    found = []
    for name in tracked_files():
        text = (ROOT / name).read_bytes().decode("utf-8", errors="ignore")
        found += [f"{name}: {word}" for word in unwanted if word in text]
        if not name.startswith((".ci/", "tests/")) and ".." + "/shared" in text:
            found.append(f"{name}: names a folder outside the repository")
    assert not found


def test_the_package_is_imported_from_this_checkout():
    """Otherwise the tests would promise something about another copy."""
    assert Path(importlib.util.find_spec("cs231n_viz").origin).parent == ROOT / "cs231n_viz"


def test_versions_run_the_oldest_python_with_the_lowest_and_the_newest_with_the_newest():
    from tests.versions import runs

    assert runs(["3.10", "3.12"]) == ["lowest-3.10", "locked-3.10", "locked-3.12", "newest-3.12"]
