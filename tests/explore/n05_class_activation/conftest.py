import pytest

from tests.explore.n05_class_activation.networks import network


@pytest.fixture(scope="module")
def models():
    return {"averaging": network(averaging=True), "flat": network(averaging=False)}
