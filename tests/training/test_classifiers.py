import torch

from tests.training.small_runs import run_for
from training import augment, classifiers


def test_a_run_that_was_stopped_ends_as_one_that_was_not(root, tmp_path, monkeypatch):
    whole = run_for(root, tmp_path / "whole", 2, monkeypatch)
    run_for(root, tmp_path / "parts", 1, monkeypatch)
    resumed = run_for(root, tmp_path / "parts", 2, monkeypatch)
    assert [row["epoch"] for row in resumed["history"]] == [1, 2]
    for key, value in whole["network"].items():
        assert torch.equal(value, resumed["network"][key]), key


def test_a_second_round_begins_with_the_weights_of_the_first(root, tmp_path, monkeypatch):
    first = run_for(root, tmp_path / "first", 2, monkeypatch)
    start = ["--start", str(tmp_path / "first/mini_vgg/last.pt"), "--lr", "1e-9"]
    second = run_for(root, tmp_path / "second", 1, monkeypatch, more=start)
    # at this step size nothing moves but batch norm's running statistics
    torch.testing.assert_close(second["network"]["fc.weight"], first["network"]["fc.weight"], atol=1e-6, rtol=0)
    assert [row["epoch"] for row in second["history"]] == [1]
    assert [run["epochs"] for run in second["earlier"]] == [2]
    assert second["seconds"] > first["seconds"]
    resumed = run_for(root, tmp_path / "second", 2, monkeypatch, more=start)
    assert len(resumed["history"]) == 2
    assert resumed["earlier"] == second["earlier"]


def test_cut_mix_ends_before_the_run_does(root, tmp_path, monkeypatch):
    epochs = []
    monkeypatch.setattr(classifiers.Run, "cut_mix", 1.0)
    monkeypatch.setattr(classifiers.Run, "cut_mix_until", 0.5)
    mixing = augment.cut_mix
    monkeypatch.setattr(augment, "cut_mix", lambda *given: epochs.append(1) or mixing(*given))
    run_for(root, tmp_path, 1, monkeypatch)
    mixed = len(epochs)
    run_for(root, tmp_path, 2, monkeypatch)
    assert mixed > 0
    assert len(epochs) == mixed


def test_soft_labels_alone_have_no_loss_when_they_are_met():
    logits = torch.randn(4, 6)
    labels = logits.argmax(1)
    soft = (logits / 2).softmax(1)
    hard = classifiers.loss_of(logits, labels, labels, 1.0, None)
    torch.testing.assert_close(classifiers.loss_of(logits, labels, labels, 1.0, soft), 0.3 * hard)
