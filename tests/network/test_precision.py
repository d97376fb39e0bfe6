import pytest
import torch

from cs231n_viz.network.precision import half_precision, is_faster_in_bfloat16

NONE, AVX, AMX = {}, {"avx512_bf16": True, "amx_bf16": False}, {"avx512_bf16": True, "amx_bf16": True}


@pytest.fixture
def processor(monkeypatch):
    """Pretend to be a processor with these capabilities."""

    def pretend(capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
        is_faster_in_bfloat16.cache_clear()

    yield pretend
    is_faster_in_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "faster"),
    [
        (NONE, False),
        (AVX | {"cpu_name": "Intel Xeon"}, False),
        (AMX | {"cpu_name": "Intel Xeon"}, True),
        (AVX | {"cpu_name": "AMD EPYC 9B14"}, True),
        ({"avx512_bf16": False, "cpu_name": "AMD EPYC 7B12"}, False),
    ],
)
def test_bfloat16_is_used_where_a_processor_is_faster_in_it(processor, capabilities, faster):
    processor(capabilities)
    assert is_faster_in_bfloat16() is faster
    with half_precision(torch.device("cpu")):
        assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == (torch.bfloat16 if faster else torch.float32)


def test_a_pytorch_that_does_not_tell_computes_in_full_precision(processor, monkeypatch):
    processor(NONE)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not is_faster_in_bfloat16()


def test_other_devices_are_left_as_they_are(processor):
    processor(AMX)
    with half_precision(torch.device("meta")):
        assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == torch.float32
