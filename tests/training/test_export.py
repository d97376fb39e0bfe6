import json

import torch

from tests.training.small_runs import run_for
from training import classifiers, export


def test_an_exported_network_is_the_trained_one_in_half_precision(root, tmp_path, monkeypatch):
    state = run_for(root, tmp_path / "runs", 1, monkeypatch)
    folder = tmp_path / "weights"
    folder.mkdir()
    assert export.export(tmp_path / "runs/mini_vgg/last.pt", folder) == "mini_vgg"
    monkeypatch.setattr("cs231n_viz.network.shipped.data_path", lambda *parts: tmp_path.joinpath(*parts))
    model = export.load_model("mini_vgg")
    assert model.categories == state["categories"]
    trained = classifiers.build("mini_vgg", len(model.categories))
    trained.load_state_dict(state["network"])
    images = torch.rand(2, 3, 64, 64)
    expected = trained.eval()(classifiers.normalise(images))
    torch.testing.assert_close(model(images), expected, atol=2e-2, rtol=2e-2)
    assert set(json.loads((folder / "sha256.json").read_text())) == {"mini_vgg.safetensors"}
