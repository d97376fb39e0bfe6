import pytest

from tests.networks import small_classifier


@pytest.fixture(scope="module")
def model():
    """48 px, maps of 24×24 and 12×12."""
    model = small_classifier()
    model.network.fc.weight.data *= 100  # logits that differ by more than the two digits that are shown
    return model
