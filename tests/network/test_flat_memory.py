"""Nothing stays in memory of what a method has done: no tensor, no hook, not even in a reference cycle."""

import pytest

from tests.growth import growth, hooks
from tests.network.test_any_model import ALL, ATTRIBUTIONS, classifier, pictures

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = [*ATTRIBUTIONS, "activations", "grams", "predict", "ascend"]  # benchmarks.memory runs the others, too


@pytest.mark.slow
def test_no_method_leaves_a_tensor_or_a_hook():
    model, images = classifier(), pictures(count=1)

    def each() -> None:
        for name in METHODS:
            ALL[name](model, images)

    found = growth(each, 8)
    assert found.tensors < 8
    assert found.objects < 8
    assert hooks(model) == 0


@pytest.mark.slow
def test_growth_notices_cycles_and_what_is_kept():
    images, kept = pictures(), []

    def cycle():
        ring = [images + 1]
        ring.append(ring)

    assert growth(cycle, 8).tensors == 8
    assert growth(lambda: kept.append(images + 1), 8).tensors == 8
    assert growth(lambda: images + 1, 8).flat
