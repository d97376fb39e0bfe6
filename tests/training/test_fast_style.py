import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cs231n_viz.pictures.images import to_pil
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.style.fast import FastStyle, load_fast_style, save_fast_style
from training import fast_style

needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="Muon came with PyTorch 2.9")


@pytest.fixture
def train(root, tmp_path, monkeypatch):
    """Run the command in a folder with two small paintings; returns the folder of its runs."""
    paintings = tmp_path / "paintings"
    paintings.mkdir()
    for name in ("mosaic", "waves"):
        to_pil(load_painting(name)[:, :64, :64]).save(paintings / f"{name}.png")

    def command(*more: object):
        options = ("--steps", 3, "--batch", 2, "--size", 32, "--threads", 1, "--paintings", paintings)
        options = ("fast_style", root, *options, "--out", tmp_path / "runs", *more)
        monkeypatch.setattr(sys, "argv", list(map(str, options)))
        fast_style.main()
        return tmp_path / "runs" / "fast_style"

    return command


@needs_muon
def test_each_step_changes_every_weight_and_the_weights_that_it_starts_from_stay(train, tmp_path):
    torch.manual_seed(0)
    start = save_fast_style(FastStyle(["mosaic", "waves"]), tmp_path / "start.safetensors")
    before, kept = load_fast_style(start).state_dict(), start.read_bytes()
    state = torch.load(train("--start", start) / "last.pt", weights_only=True)
    assert (state["step"], state["styles"]) == (3, ["mosaic", "waves"])
    assert set(state["network"]) == set(before)
    assert all(not torch.equal(value, before[name]) for name, value in state["network"].items())
    # Muon's steps are alike in all directions; a hidden layer's change has a full rank that Adam's need not have.
    change = (state["network"]["blocks.0.0.conv.weight"] - before["blocks.0.0.conv.weight"]).permute(0, 2, 3, 1)
    values = torch.linalg.svdvals(change.flatten(1))
    assert values.min() > 0.1 * values.max()
    assert start.read_bytes() == kept


@needs_muon
def test_a_step_whose_gradient_overflows_is_left_out(train, monkeypatch):
    losses = fast_style.Run.losses
    monkeypatch.setattr(
        fast_style.Run,
        "losses",
        lambda run, *batch: {name: term * float("inf") for name, term in losses(run, *batch).items()},
    )
    state = torch.load(train() / "last.pt", weights_only=True)
    torch.manual_seed(0)
    start = FastStyle(["mosaic", "waves"]).state_dict()
    assert state["step"] == 3
    assert all(torch.equal(value, start[name]) for name, value in state["network"].items())


@needs_muon
def test_the_export_is_a_network_of_its_styles_with_a_card(train, tmp_path, monkeypatch):
    monkeypatch.setattr("training.runs._EVERY", 1)  # a history, of which the card gives the mean, after three steps
    train()
    folder = tmp_path / "shipped"
    folder.mkdir()
    train("--export", folder)
    network = load_fast_style(folder / "fast_style.safetensors")
    assert network.styles == ["mosaic", "waves"]
    card = (folder / "fast_style.md").read_text()
    assert "--steps 3 --batch 2 --size 32" in card
    assert str(tmp_path) not in card


class Framing(nn.Module):
    """Leaves pictures as they are, but for a black frame."""

    def __init__(self, frame: int) -> None:
        super().__init__()
        self.frame, self.styles = frame, ["mosaic", "waves"]

    def forward(self, images, weights):
        f = self.frame
        inside = images[..., f : images.shape[-2] - f, f : images.shape[-1] - f]
        return F.pad(inside, (f, f, f, f))


@needs_muon
@pytest.mark.parametrize("frame", [0, 4])
def test_a_frame_costs_its_energy_and_none_costs_nothing(frame, train, tmp_path, monkeypatch):
    runs = []
    monkeypatch.setattr(fast_style.Run, "train", lambda run, images: runs.append(run))
    train("--border", 3)
    runs[0].network = Framing(frame)
    terms = runs[0].losses(torch.full((1, 3, 32 + 64, 32 + 64), 0.5), torch.tensor([1]))
    assert terms["border"].item() == pytest.approx(3 * 0.5**2 * (1 - (1 - 2 * frame / 32) ** 2))


@needs_muon
def test_weights_of_other_styles_are_refused_by_name(train, tmp_path):
    other = save_fast_style(FastStyle(["gravel"]), tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match=r"gravel.*others"):
        train("--start", other)


def test_an_older_torch_is_refused_with_what_is_needed(train, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(SystemExit, match=r"needs PyTorch 2\.9"):
        train()
