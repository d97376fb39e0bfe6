import pytest

from cs231n_viz.explore.toolkit import base
from cs231n_viz.network.models import Classifier
from tests.networks import small_classifier


@pytest.fixture(scope="module")
def model() -> Classifier:
    """Maps of 24×24 and 12×12 for 48 px, fields that the border clips, and layers without maps."""
    return small_classifier()


@pytest.fixture
def no_pause(monkeypatch):
    """In an event loop, a drawing that refines another one is made in the very next pass."""
    monkeypatch.setattr(base, "PAUSE", 0.0)
