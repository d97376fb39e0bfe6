"""Average pooling in place of max pooling, in any network, for as long as it is wanted."""

from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cs231n_viz.operations import MAXIMA, operation


class AveragePooling(TorchFunctionMode):
    """While open, max-pools average: their gradient reaches every pixel, and textures come out smoother.

    Padding does not count: at the border, only what is there is averaged.

    Source: Gatys et al., arXiv:1505.07376, section 2.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if operation(function) not in MAXIMA - {"adaptive_max_pool2d"}:
            return function(*args, **kwargs)
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        given = dict(zip(names, args[1:], strict=False)) | kwargs
        kept = {name: given[name] for name in ("kernel_size", "stride", "padding", "ceil_mode") if name in given}
        return F.avg_pool2d(args[0] if args else given["input"], **kept, count_include_pad=False)
