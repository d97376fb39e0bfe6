"""A run that is counted in steps: stopped and resumed it gives what it gives without a break."""

import argparse

import pytest
import torch
from torch import nn

from training.runs import StepRun, add_export_option, add_run_options, command_line, recorded_options


class Line(StepRun):
    """Fits a line to points that depend on the seed and the step alone."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args, "line")
        torch.manual_seed(args.seed)
        self.line = nn.Linear(1, 1)
        self.optimizer = torch.optim.Adam(self.line.parameters(), lr=0.1)
        self.saved: list[int] = []
        self.resume()

    def state(self) -> dict:
        self.saved.append(self.step)
        return {"line": self.line.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: dict) -> None:
        self.line.load_state_dict(state["line"])
        self.optimizer.load_state_dict(state["optimizer"])

    def train(self) -> "Line":
        for step in self.remaining_steps():
            x = torch.rand(8, 1, generator=torch.Generator().manual_seed(step))
            error = (self.line(x) - 2 * x - 1).square().mean()
            self.optimizer.zero_grad()
            error.backward()
            self.optimizer.step()
            self.record({"error": error})
            if self.is_due(40):
                self.save()
        return self


def options(out, steps):
    parser = command_line("line", "Fit a line.")
    parser.add_argument("--steps", type=int)
    add_run_options(parser)
    add_export_option(parser)
    return parser.parse_args(["data", "--steps", str(steps), "--out", str(out), "--threads", "1"])


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    whole = Line(options(tmp_path / "whole", 130)).train()
    assert whole.saved == [40, 80, 120, 130]
    part = Line(options(tmp_path / "parts", 70)).train()
    rest = Line(options(tmp_path / "parts", 130))
    assert (rest.step, rest.seconds) == (70, pytest.approx(part.seconds, abs=0.1))
    rest.train()
    assert torch.equal(rest.line.weight, whole.line.weight)
    assert [row["step"] for row in rest.history] == [50, 100]
    assert [row["error"] for row in rest.history] == [row["error"] for row in whole.history]
    assert rest.seconds > part.seconds


def test_a_finished_run_has_no_steps_left(tmp_path):
    Line(options(tmp_path, 3)).train()
    assert list(Line(options(tmp_path, 3)).remaining_steps()) == []


def test_a_checkpoint_records_the_options_but_no_folder(tmp_path):
    args = options(tmp_path, 3)
    Line(args).train()
    state = torch.load(tmp_path / "line" / "last.pt", weights_only=True)
    assert state["command"] == recorded_options(args) == {"steps": "3", "threads": "1", "seed": "0"}
