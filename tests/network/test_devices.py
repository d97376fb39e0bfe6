"""On an accelerator every method gives what it gives on the CPU."""

import copy

import pytest
import torch

from tests.network.test_any_model import ALL, classifier, pictures

AVAILABLE = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
# float32 sums in another order: some hundred roundings of 6e-8; what follows many steps drifts further apart.
ROOM = {"class_visualization": 0.02, "class_visualization_pixels": 0.02, "invert": 0.02, "deep_dream": 0.02}
CHOOSES = {"top_patches", "randomization_test"}  # ranks: a rounding may swap neighbours


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("device", AVAILABLE)
def test_the_result_is_that_of_the_cpu(device, method, monkeypatch):
    if not AVAILABLE[device]:
        pytest.skip(f"this machine has no {device}")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model, images = classifier(), pictures()
    there = copy.deepcopy(model).to(device)
    wanted, got = ALL[method](model, images), ALL[method](there, images.to(device))
    room = ROOM.get(method, 0.01 if method in CHOOSES else 1e-4)
    scale = max(1.0, float(wanted.abs().max()))
    torch.testing.assert_close(got.cpu() / scale, wanted / scale, rtol=0, atol=room)
