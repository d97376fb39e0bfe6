"""The colours of one picture, in the arrangement of another."""

from torch import Tensor


def match_histogram(image: Tensor, sample: Tensor) -> Tensor:
    """Give a picture the colours of a sample: in each channel the darkest value becomes its darkest, and so on up.

    Args:
        image: (N, 3, H, W).
        sample: (1, 3, h, w) or (N, 3, h, w), of any size.

    Returns:
        (N, 3, H, W): the same order of values in each channel, the distribution of the sample's.
    """
    values, ranks = sample.flatten(2).sort(dim=2).values, image.flatten(2).argsort(dim=2).argsort(dim=2)
    places = ranks * (values.shape[2] - 1) / max(ranks.shape[2] - 1, 1)
    values = values.expand(len(image), -1, -1)
    low = values.gather(2, places.floor().long())
    high = values.gather(2, places.ceil().long())
    return (low + (high - low) * places.frac()).view_as(image)
