r"""Train the fast style transfer network on the course's own paintings, on a CPU; a run can be stopped and resumed.

    python -m training.fast_style FOLDER
    python -m training.fast_style FOLDER --start data/weights/fast_style.safetensors --steps 12000
    python -m training.fast_style FOLDER --export data/weights

FOLDER is any folder of pictures, searched with its sub-folders. ``--paintings`` takes other style pictures. The losses
are those of notebook 11, in the features of ``mini_vgg``: relative Gram distances to a painting, the relative change of
a middle layer, total variation. A fourth asks that the painting of a crop is the crop of the painting; without it the
borders of pictures are painted in other colours. The convolutions between the first and the last are trained by Muon,
whose steps change all directions of a matrix alike, and reached the loss of Adam in half of its steps here; it came
with PyTorch 2.9.

Source: Johnson et al., arXiv:1603.08155; Dumoulin et al., arXiv:1610.07629; Muon: Jordan et al., "Muon: An optimizer
for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon/.
"""

import argparse
import json
import platform
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.utils import save_image

from cs231n_viz import load_image, load_model
from cs231n_viz.network.precision import half_precision
from cs231n_viz.pictures.images import centre_square
from cs231n_viz.style.fast import FastStyle, load_fast_style
from cs231n_viz.style.loss import StyleLoss
from cs231n_viz.style.training import random_view, style_targets, style_terms
from training.files import ship_weights
from training.pictures import load
from training.runs import StepRun, add_export_option, add_run_options, command_line

_MARGIN = 32  # pixels of a view around its middle
SUFFIXES = {".jpg", ".jpeg", ".png"}


def find(folder: Path) -> list[tuple[Path, str]]:
    """List all pictures in a folder and its sub-folders, except masks."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and "masks" not in path.parts)
    if not paths:
        raise SystemExit(f"there are no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    return [(path, "") for path in paths]


class Run(StepRun):
    """The training run of the style network."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args, "fast_style")
        torch.manual_seed(args.seed)
        paths = sorted(path for path in args.paintings.iterdir() if path.suffix.lower() in SUFFIXES)
        names = [path.stem for path in paths]
        self.network = load_fast_style(args.start).requires_grad_(True).train() if args.start else FastStyle(names)
        if self.network.styles != names:
            raise SystemExit(
                f"{args.start} knows the styles {', '.join(self.network.styles)}; {args.paintings} has others"
            )
        self.network.to(memory_format=torch.channels_last)
        self.critic = load_model("mini_vgg").to(memory_format=torch.channels_last)
        for module in self.critic.modules():
            if isinstance(module, nn.Conv2d):
                # Zeros around what it looks at would teach the network to paint a frame.
                module.padding_mode = "reflect"
        targets = [style_targets(self.critic, load_image(path)) for path in paths]
        self.targets = {layer: torch.cat([each[layer] for each in targets]) for layer in targets[0]}
        self.loss = StyleLoss(content=args.content, style=args.style, tv=args.variation, average_pooling=True)
        self.hidden = [
            module.weight
            for name, module in self.network.named_modules()
            if isinstance(module, nn.Conv2d) and name not in ("first.conv", "last")
        ]
        others = [each for each in self.network.parameters() if all(each is not weight for weight in self.hidden)]
        # Muon knows matrices alone: views, so that its steps change the convolutions themselves.
        self.matrices = [nn.Parameter(_matrix(weight.data)) for weight in self.hidden]
        self.optimizers = {
            "muon": torch.optim.Muon(self.matrices, weight_decay=0.0),
            "adam": torch.optim.Adam(others, betas=(0.9, 0.99)),
        }
        self.resume()

    def state(self) -> dict:
        """Return the state of the network and its optimizers, and the names of the styles."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return optimizers | {"network": self.network.state_dict(), "styles": self.network.styles}

    def load_state(self, state: dict) -> None:
        """Load the state of the network and its optimizers."""
        self.network.load_state_dict(state["network"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])

    def batch(self, images: list[Tensor], step: int) -> tuple[Tensor, Tensor]:
        """Choose random square views, (N, 3, side, side) with a margin, and a random style for each, (N,)."""
        random = torch.Generator().manual_seed(self.args.seed * 1_000_000 + step)
        chosen = torch.randint(len(images), (self.args.batch,), generator=random).tolist()
        views = [random_view(images[index], self.args.size + 2 * _MARGIN, random) for index in chosen]
        styles = torch.randint(len(self.network.styles), (self.args.batch,), generator=random)
        return torch.cat(views).contiguous(memory_format=torch.channels_last), styles

    def losses(self, views: Tensor, styles: Tensor) -> dict[str, Tensor]:
        """Compute the three terms of the loss of the middle of each view, and a fourth, each a mean over the batch.

        The fourth keeps frames out: near its border, the painting of a crop should be a crop of the painting.
        """
        weights, middle = F.one_hot(styles, len(self.network.styles)).float(), (..., *[slice(_MARGIN, -_MARGIN)] * 2)
        images = views[middle].contiguous(memory_format=torch.channels_last)
        with half_precision(views.device):
            painted = self.network(images, weights)
            with torch.no_grad():
                whole = self.network(views, weights)[middle]
        terms = style_terms(
            lambda *_: painted,
            self.critic,
            images,
            weights=weights,
            targets={layer: target[styles] for layer, target in self.targets.items()},
            loss=self.loss,
        )
        off = (painted.float() - whole.float()).square()
        inside = (..., *[slice(_MARGIN // 2, -_MARGIN // 2)] * 2)
        return terms | {"border": self.args.border * (off.mean() - off[inside].sum() / off.numel())}

    def train(self, images: list[Tensor]) -> None:
        """Train from the checkpoint's step to the last."""
        for step in self.remaining_steps():
            for optimizer, rate in zip(self.optimizers.values(), (10 * self.args.lr, self.args.lr), strict=True):
                optimizer.param_groups[0]["lr"] = rate * min(1 - step / self.args.steps, (step + 1) / 50)
            terms = self.losses(*self.batch(images, step))
            self.network.zero_grad()
            sum(terms.values()).backward()
            # A view that is alike everywhere gives rounding errors, enlarged by each norm until they overflow.
            if nn.utils.clip_grad_norm_(self.network.parameters(), 2.0).isfinite():
                for matrix, weight in zip(self.matrices, self.hidden, strict=True):
                    matrix.grad = _matrix(weight.grad)
                for optimizer in self.optimizers.values():
                    optimizer.step()
            self.record(terms)
            if self.is_due(200):
                self.save()
                self.sample()

    @torch.no_grad()
    def sample(self) -> None:
        """Write two photographs in every style, as one picture beside the checkpoint."""
        rows = []
        for name in ("cat", "astronaut"):
            image = centre_square(load_image(name), 256)
            rows += [image, *(self.network(image, weights) for weights in torch.eye(len(self.network.styles)))]
        save_image(torch.cat(rows), self.path.with_name("sample.png"), nrow=len(self.network.styles) + 1)


def _matrix(weight: Tensor) -> Tensor:
    """(out, in, h, w) -> (out, h·w·in), a view where the channels come last in memory."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def export(state: dict, folder: Path) -> str:
    """Write half-precision weights and their card; return the card."""
    weights = state["network"]
    metadata = {"styles": json.dumps(state["styles"]), "format": "pt"}
    sha = ship_weights(weights, folder / "fast_style.safetensors", metadata)
    options = " ".join(f"--{key} {value}" for key, value in state["command"].items() if value != "None")
    last = state["history"][-20:]
    means = {key: sum(row[key] for row in last) / len(last) for key in last[0] if key != "step"}
    parameters = sum(value.numel() for value in weights.values())
    each = sum(value[0].numel() for key, value in weights.items() if "norm" in key)
    lines = [
        "# fast_style",
        "",
        f"{parameters:,} parameters, half precision; {each:,} of them ({each / parameters:.1%}) belong to each of the "
        f"{len(state['styles'])} styles: {', '.join(state['styles'])}.",
        "",
        f"- sha256: `{sha}`",
        f"- made by: `python -m training.fast_style FOLDER {options}`, then the same with `--export data/weights`",
        f"- time: {state['seconds'] / 60:.0f} minutes on a {platform.machine()} CPU, torch bf16, on shared cores",
        "- pictures: those that the classifiers were trained on (see `mini_vgg.md` for sources and licences); any "
        "folder of photographs will do",
        "- styles: `data/paintings/`, painted by this course's own code",
        f"- mean losses over the last steps: {', '.join(f'{name} {value:.3f}' for name, value in means.items())}",
        "",
        "Limits: trained on small photographs; pictures much larger than 512 px get strokes that are small for them.",
        "",
    ]
    (folder / "fast_style.md").write_text("\n".join(lines))
    return "\n".join(lines)


def main() -> None:
    """Train, from the checkpoint if there is one; or export what was trained."""
    parser = command_line("fast_style", __doc__, root="folder of photographs")
    parser.add_argument("--start", type=Path, help="weights file to begin with; random weights if omitted")
    parser.add_argument("--paintings", type=Path, default=Path("data/paintings"), help="folder of style pictures")
    parser.add_argument("--pictures", type=int, default=6000, help="largest number of photographs to hold in memory")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=192, help="side of the training views in pixels")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--content", type=float, default=1.0)
    parser.add_argument("--style", type=float, default=8.0)
    parser.add_argument("--variation", type=float, default=10.0)
    parser.add_argument("--border", type=float, default=30.0, help="weight of the fourth term")
    add_run_options(parser)
    add_export_option(parser)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.export:
        print(export(torch.load(args.out / "fast_style" / "last.pt", weights_only=True), args.export))
        return
    if not hasattr(torch.optim, "Muon"):
        raise SystemExit(f"training needs PyTorch 2.9 or later, which has Muon; this is {torch.__version__}")
    rows = find(args.root)
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(args.seed))[: args.pictures]
    Image.MAX_IMAGE_PIXELS = None
    Run(args).train(load([rows[i] for i in chosen.tolist()], short_side=256))


if __name__ == "__main__":
    main()
