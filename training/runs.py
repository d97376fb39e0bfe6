"""What the training scripts share: their command lines, and runs that can be stopped and resumed."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from training.files import save_checkpoint

DATA_SETS = "folder of torchvision data sets (see training/pictures.py)"
_FOLDERS = {"root", "out", "export", "paintings"}  # options that name a folder of one machine
_EVERY = 50  # steps from one entry of a history to the next


def command_line(script: str, description: str, *, root: str = DATA_SETS) -> argparse.ArgumentParser:
    """Start the command line of ``python -m training.<script>``, whose first argument is a folder.

    Args:
        script: Name of the module.
        description: Its docstring, shown as it stands.
        root: Help text of the folder.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m training.{script}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help=root)
    return parser


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every run that can be resumed."""
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"), help="checkpoints; a second call resumes")


def add_export_option(parser: argparse.ArgumentParser) -> None:
    """Add the option to write what was trained instead of training."""
    parser.add_argument("--export", type=Path, help="write the weights and their card into this folder, do not train")


def recorded_options(args: argparse.Namespace) -> dict[str, str]:
    """Return the options that a checkpoint records, all but the folders."""
    return {name: str(value) for name, value in vars(args).items() if name not in _FOLDERS}


class StepRun:
    """A training run that is counted in steps and goes on from its checkpoint.

    A subclass builds its networks and calls :meth:`resume`. Its loop goes over :meth:`remaining_steps`, and calls
    :meth:`record` after each step and :meth:`save` now and then.

    Attributes:
        args: The options of the command line, among them ``out``, ``seed`` and ``steps``.
        path: The checkpoint.
        step: Number of steps made.
        seconds: Time that they took.
        history: The step's number and the terms of its loss, for every fiftieth step.
    """

    def __init__(self, args: argparse.Namespace, name: str) -> None:
        self.args, self.path = args, args.out / name / "last.pt"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self._start = 0.0

    def state(self) -> dict:
        """Return the state of the networks and optimizers."""
        raise NotImplementedError

    def load_state(self, state: dict) -> None:
        """Load what :meth:`state` returned."""
        raise NotImplementedError

    def resume(self) -> None:
        """Load the checkpoint, if there is one."""
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.load_state(state)
            self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]

    def save(self) -> None:
        """Write the checkpoint."""
        progress = {"step": self.step, "seconds": self.seconds, "history": self.history}
        save_checkpoint(self.state() | progress | {"command": recorded_options(self.args)}, self.path)

    def remaining_steps(self) -> Iterator[int]:
        """Count from the checkpoint's step to the last, with a progress bar."""
        self._start, total = time.perf_counter() - self.seconds, self.args.steps
        yield from tqdm(range(self.step, total), initial=self.step, total=total, unit="step", mininterval=10)

    def record(self, terms: dict[str, Tensor]) -> None:
        """Count a step; every fiftieth, append the terms of its loss to the history and print them."""
        self.step += 1
        self.seconds = time.perf_counter() - self._start
        if self.step % _EVERY == 0:
            self.history.append({"step": self.step} | {name: term.item() for name, term in terms.items()})
            print({name: round(value, 3) for name, value in self.history[-1].items()}, flush=True)

    def is_due(self, every: int) -> bool:
        """Whether a multiple of so many steps has been made, or the last one."""
        return self.step % every == 0 or self.step == self.args.steps
