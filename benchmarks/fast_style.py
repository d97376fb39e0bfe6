"""Time fast style transfer: frames per second, and against the network that most people start from."""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cs231n_viz as viz
from benchmarks.ceiling import counted, most_times
from benchmarks.row import Row
from cs231n_viz.style.fast import load_fast_style
from cs231n_viz.style.painter import Painter

FRAMES = 100
WANTED = {256: 24, 512: 6}  # frames per second by side in pixels
FASTER = 6


class Unit(nn.Module):
    """Upsampling, padding, convolution and instance norm of the other network."""

    def __init__(self, channels: tuple[int, int], kernel: int = 3, *, stride: int = 1, up: int = 1) -> None:
        super().__init__()
        self.up, self.pad = up, nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(*channels, kernel, stride)
        self.norm = nn.InstanceNorm2d(channels[1], affine=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.up == 1 else F.interpolate(x, mode="nearest", scale_factor=self.up)
        return self.norm(self.conv(self.pad(x)))


class Other(nn.Module):
    """The layers of fast_neural_style in pytorch/examples: 32-64-128, five residual blocks; pixels from 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([Unit((3, 32), 9), Unit((32, 64), stride=2), Unit((64, 128), stride=2)])
        self.blocks = nn.ModuleList(nn.ModuleList([Unit((128, 128)), Unit((128, 128))]) for _ in range(5))
        self.up = nn.ModuleList([Unit((128, 64), up=2), Unit((64, 32), up=2)])
        self.last = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(32, 3, 9))

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.down:
            x = F.relu(unit(x))
        for one, two in self.blocks:
            x = x + two(F.relu(one(x)))
        for unit in self.up:
            x = F.relu(unit(x))
        return self.last(x)


@torch.no_grad()
def other_frame(network: Other, image: Tensor) -> object:
    """One picture by the other network, in float32 and to whole levels, as its example script does."""
    made = network(image[None] * 255)[0]
    return made.clamp(0, 255).permute(1, 2, 0).to(torch.uint8).numpy()


def median_seconds(work: Callable[[], object], frames: int) -> float:
    """Time some frames and return the median; two frames before them are not counted."""
    times = []
    for _ in range(frames + 2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times[2:])[frames // 2]


def rows(*, frames: int = FRAMES) -> Iterator[Row]:
    painter, theirs = Painter(load_fast_style()), Other().eval()
    mixture = torch.ones(len(painter.styles))
    for side, wanted in WANTED.items():
        image = viz.load_image("astronaut")[:, :side, :side].contiguous()
        _, flops = counted(lambda image=image: painter(image, mixture))
        own = median_seconds(lambda image=image: painter(image, mixture), frames)
        what, most = f"fast style, {side} × {side} px", most_times(flops, dtype=painter.dtype)
        yield Row(f"{what}, all styles mixed: frames a second", 1 / own, "≥", wanted, ceiling=most)
        peer = median_seconds(lambda image=image: other_frame(theirs, image), 10)
        most = most_times(flops, peer, painter.dtype)
        yield Row(f"{what}: × the frame rate of pytorch/examples", peer / own, "≥", FASTER, ceiling=most)
