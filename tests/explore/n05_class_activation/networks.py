"""Two kinds of heads: after global averages, as CAM needs it, and after all cells."""

from torch import nn

from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.scenes import CLASSES
from tests.networks import small_classifier


def network(*, averaging: bool) -> Classifier:
    """Maps of 24×24 and 12×12 for 48 px, and a head after averages, or after all cells."""
    head = {} if averaging else {"flatten": nn.Flatten(), "fc": nn.Linear(10 * 12 * 12, len(CLASSES))}
    return small_classifier(CLASSES, **head)


def against_everything(model: Classifier) -> Classifier:
    """The same network with a class 0 that every place speaks against."""
    model.network.fc.weight.data[0] = -model.network.fc.weight.data[0].abs()
    return model
