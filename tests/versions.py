"""Run the quick tests with other versions: ``make test-versions``, or ``make test-versions ARGS=lowest-3.10`` for one.

The lowest versions that ``pyproject.toml`` allows are tried with the oldest Python, the locked ones with every Python
of this machine, and the newest ones with the newest. Each run has an environment of its own in ``build/versions``,
which is deleted afterwards; its log stays, and its line in ``build/versions/table.md``, for CONTRIBUTING.md. It takes
a connection, and some gigabytes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from difflib import get_close_matches
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "versions"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = ("test", "cluster", "imagenet")  # as in requirements.lock
SHOWN = ("torch", "torchvision", "numpy", "ipywidgets", "jupyterlab")
QUICK = ["-p", "no:nbval", "-m", "not slow", "--ignore=tests/browser", "--ignore=tests/explore", "-q", "tests"]


def interpreter(version: str) -> Path | None:
    """The Python of this version that works here, if there is one."""
    commands = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for command in filter(None, commands):
        answer = subprocess.run([command, "-c", "import venv"], capture_output=True)
        if answer.returncode == 0:
            return Path(command)
    return None


def runs(pythons: list[str]) -> list[str]:
    """The runs for these Pythons, sorted by age: ``lowest-3.10``, ``locked-3.10``, …, ``newest-3.13``."""
    return [f"lowest-{pythons[0]}", *(f"locked-{version}" for version in pythons), f"newest-{pythons[-1]}"]


def install(kind: str, version: str, folder: Path) -> None:
    """Make the environment of a run."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", interpreter(version), folder], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    if kind == "locked":
        subprocess.run([*install, "-r", "requirements.lock"], cwd=ROOT, check=True)
    else:
        extras = [argument for extra in EXTRAS for argument in ("--extra", extra)]
        resolution = "lowest-direct" if kind == "lowest" else "highest"
        subprocess.run([*install, "-r", "pyproject.toml", *extras, "--resolution", resolution], cwd=ROOT, check=True)
    subprocess.run([*install, "--no-deps", "--editable", "."], cwd=ROOT, check=True)


def versions(python: Path) -> str:
    """The versions of the packages that matter most, as they are installed."""
    code = f"from importlib.metadata import version; print(', '.join(f'{{n}} {{version(n)}}' for n in {SHOWN}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def tried(run: str, arguments: list[str]) -> str:
    """Install and test; returns the run's row of the table."""
    kind, _, version = run.partition("-")
    folder, log = BUILD / run, BUILD / f"{run}.log"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        install(kind, version, folder)
        python, workers = folder / "bin" / "python", str(min(os.cpu_count() or 1, 4))
        command = [python, "-m", "pytest", "-n", workers, "--dist", "loadfile", *QUICK, *arguments]
        with log.open("w") as output:
            subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        lines = log.read_text().splitlines()
        result = re.sub(r" in [\d.]+s.*", "", lines[-1].strip("= ")) if lines else "nothing"
        return f"| {run} | {versions(python)} | {result} | {time.strftime('%Y-%m-%d')} |"
    except subprocess.CalledProcessError as error:
        return f"| {run} | {error} | not installed | {time.strftime('%Y-%m-%d')} |"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Try each run that was asked for, and print the table."""
    here = [version for version in PYTHONS if interpreter(version)]
    possible = runs(here)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="*", help=f"of {', '.join(possible)}; all of them if none is named")
    wanted, pytest_arguments = parser.parse_known_args()
    for run in wanted.run:
        if run not in possible:
            near = get_close_matches(run, possible, 1, 0.0)[0]
            parser.error(f"no run is called {run!r} on this machine; the nearest is {near}")
    BUILD.mkdir(parents=True, exist_ok=True)
    table = BUILD / "table.md"
    if not table.exists():
        table.write_text("| run | with | result | on |\n|---|---|---|---|\n")
    for run in wanted.run or possible:
        row = tried(run, pytest_arguments)
        print(row, flush=True)
        with table.open("a") as file:
            file.write(row + "\n")


if __name__ == "__main__":
    main()
