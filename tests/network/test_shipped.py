import pytest
import torch
from torch import nn

from cs231n_viz.network.shipped import ARCHITECTURES, fold_batch_norm


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_folding_keeps_the_logits_and_the_trained_network(name):
    build = ARCHITECTURES[name]
    trained = build(7, batch_norm=True, dropout=0.5).train()
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    plain = fold_batch_norm(trained, build(7))
    assert trained.training
    assert not plain.training
    assert all(torch.equal(value, before[key]) for key, value in trained.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d | nn.Dropout) for module in plain.modules())
    images = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(plain(images), trained.eval()(images), atol=1e-4, rtol=1e-4)
