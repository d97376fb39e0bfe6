r"""Train the generator that turns FC6 codes of ``mini_alexnet`` back into pictures; a run can be stopped and resumed.

    python -m training.generator ROOT
    python -m training.generator ROOT --export data/weights

The loss compares a picture with its reconstruction in pixels and in the features of ``mini_alexnet`` (from the first
layer to the code itself), and a small discriminator of patches adds an adversarial loss after a third of the steps. No
other network takes part, so that another one can measure what the generator has learned.

Source: Dosovitskiy & Brox, "Generating images with perceptual similarity metrics based on deep networks", NeurIPS 2016,
arXiv:1602.02644, eq. 1-5.
"""

import argparse
import platform
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from cs231n_viz import activations, load_model
from cs231n_viz.network.precision import half_precision
from cs231n_viz.network.shipped import fold_batch_norm
from cs231n_viz.synthesis.generator import Generator
from training import pictures
from training.files import ship_weights
from training.runs import StepRun, add_export_option, add_run_options, command_line

LAYERS = {"relu1": 0.5, "relu2": 1.0, "relu3": 1.0, "relu5": 1.0, "relu6": 2.0}  # layer -> weight of its relative error
PIXELS, ADVERSARIAL = 2.0, 0.3  # weights of the other two losses
SIDE = 224  # of mini_alexnet's input, in pixels


def discriminator() -> nn.Sequential:
    """Build a small discriminator of real and generated patches of 47 pixels (PatchGAN)."""
    modules, channels = [], 3
    for width in (32, 64, 128, 192):
        modules += [spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        channels = width
    return nn.Sequential(*modules, spectral_norm(nn.Conv2d(channels, 1, 1)))


def views(images: list[Tensor], random: torch.Generator) -> Tensor:
    """Crop a large random square of each picture, and mirror half of them: (N, 3, 224, 224) in [0, 1]."""
    squares = []
    for image in images:
        height, width = image.shape[-2:]
        u = torch.rand(4, generator=random).tolist()
        side = round(min(height, width) * (0.85 + 0.15 * u[0]))
        top, left = round(u[1] * (height - side)), round(u[2] * (width - side))
        part = image[None, :, top : top + side, left : left + side]
        part = part.flip(3) if u[3] < 0.5 else part
        squares.append(F.interpolate(part.float(), size=SIDE, mode="bilinear", antialias=side > SIDE))
    return torch.cat(squares).div_(255).clamp_(0, 1).contiguous(memory_format=torch.channels_last)


def crop(images: Tensor, state: Tensor) -> Tensor:
    """Crop a random part of the images, at least half of the side, and enlarge it; equal states give equal parts.

    Without it the generated pictures show a grid of four pixels, the stride of ``mini_alexnet``'s first layer.

    Args:
        images: (N, 3, 224, 224).
        state: State of a random generator.
    """
    random = torch.Generator()
    random.set_state(state)
    side = int(torch.randint(SIDE // 2, SIDE + 1, (), generator=random))
    top, left = torch.randint(0, SIDE - side + 1, (2,), generator=random).tolist()
    part = images[..., top : top + side, left : left + side]
    return F.interpolate(part, size=SIDE, mode="bilinear").contiguous(memory_format=torch.channels_last)


class Run(StepRun):
    """The training run of the generator and its discriminator."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(args, "generator")
        torch.manual_seed(args.seed)
        self.generator = Generator(batch_norm=True).to(memory_format=torch.channels_last)
        self.discriminator = discriminator().to(memory_format=torch.channels_last)
        self.network = load_model("mini_alexnet").to(memory_format=torch.channels_last)
        self.optimizers = [
            torch.optim.Adam(self.generator.parameters(), lr=args.lr, betas=(0.5, 0.99)),
            torch.optim.Adam(self.discriminator.parameters(), lr=args.lr / 2, betas=(0.5, 0.99)),
        ]
        self.resume()

    def state(self) -> dict:
        """Return the states of both networks and of their optimizers."""
        return {
            "generator": self.generator.state_dict(),
            "critic": self.discriminator.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def load_state(self, state: dict) -> None:
        """Load the states of both networks and of their optimizers."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["critic"])
        for optimizer, optimizer_state in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(optimizer_state)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the activations of the layers that are compared, in float32; images (N, 3, 224, 224)."""
        with half_precision(torch.device("cpu")):
            features = activations(self.network, images, list(LAYERS), gradients=images.requires_grad)
        return {layer: value.float() for layer, value in features.items()}

    @torch.no_grad()
    def measure_codes(self, images: list[Tensor]) -> None:
        """Measure mean and standard deviation of the codes of 1 024 pictures, which ship with the weights."""
        random = torch.Generator().manual_seed(self.args.seed)
        rows = torch.randperm(len(images), generator=random)[:1024].split(64)
        codes = torch.cat([self.features(views([images[i] for i in part], random))["relu6"] for part in rows])
        self.generator.mean.copy_(codes.mean(0))
        self.generator.std.copy_(codes.std(0))

    def losses(self, real: Tensor, random: torch.Generator, *, adversarial: bool) -> dict[str, Tensor]:
        """Take a step of the discriminator if it takes part, and compute the terms of the generator's loss."""
        with torch.no_grad():
            codes = self.features(real)["relu6"]
        small = F.interpolate(real, size=Generator.size, mode="bilinear", antialias=True)
        with half_precision(torch.device("cpu")):
            generated = self.generator(codes)
        generated = generated.float()
        terms = {"pixels": PIXELS * F.l1_loss(generated, small)}
        if adversarial:
            self._train_discriminator(small, generated.detach())
            with half_precision(torch.device("cpu")):
                terms["adversarial"] = -ADVERSARIAL * self.discriminator(generated).float().mean()
        with torch.no_grad():
            target = self.features(crop(real, random.get_state()))
        features = self.features(crop(F.interpolate(generated, size=SIDE, mode="bilinear"), random.get_state()))
        for layer, weight in LAYERS.items():
            error = (features[layer] - target[layer]).square().sum() / target[layer].square().sum()
            terms[layer] = weight * error
        return terms

    def _train_discriminator(self, real: Tensor, generated: Tensor) -> None:
        with half_precision(torch.device("cpu")):
            scores = self.discriminator(torch.cat([real, generated])).float()
        count = len(real)
        loss = F.relu(1 - scores[:count]).mean() + F.relu(1 + scores[count:]).mean()  # hinge loss
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()

    def train(self, images: list[Tensor]) -> None:
        """Train from the checkpoint's step to the last."""
        if self.step == 0 or self.args.remeasure:
            self.measure_codes(images)
        for step in self.remaining_steps():
            random = torch.Generator().manual_seed(self.args.seed * 1_000_000 + step)
            rows = torch.randint(len(images), (self.args.batch,), generator=random)
            share = step / self.args.steps
            for optimizer, lr in zip(self.optimizers, (self.args.lr, self.args.lr / 2), strict=True):
                optimizer.param_groups[0]["lr"] = lr * min(1.0, 2.5 * (1 - share), (step + 1) / 50)
            real = views([images[row] for row in rows], random)
            terms = self.losses(real, random, adversarial=share >= 1 / 3)
            self.optimizers[0].zero_grad()
            sum(terms.values()).backward()
            nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
            self.optimizers[0].step()
            self.record(terms)
            if self.is_due(100):
                self.save()


@torch.no_grad()
def measure(generator: Generator, root: Path) -> dict[str, float]:
    """Measure reconstructions of held-out pictures: relative error of their codes, and accuracies of two networks."""
    rows = [row for rows in pictures.find(root).held_out.values() for row in rows[:128]]
    crops = pictures.centre_crops(pictures.load(rows), SIDE) / 255
    model, other = load_model("mini_alexnet"), load_model("mini_vgg")
    labels = torch.tensor([model.index(name) for _, name in rows])
    sums = {"error": 0.0, "mini_alexnet": 0.0, "mini_vgg": 0.0, "mini_vgg on originals": 0.0}
    for part, truth in zip(crops.split(32), labels.split(32), strict=True):
        codes = activations(model, part, ["relu6"])["relu6"]
        generated = F.interpolate(generator(codes), size=SIDE, mode="bilinear")
        again = activations(model, generated, ["relu6", "fc8"])
        sums["error"] += float(((again["relu6"] - codes).norm(dim=1) / codes.norm(dim=1)).sum())
        sums["mini_alexnet"] += float((again["fc8"].argmax(1) == truth).sum())
        for name, images in (("mini_vgg", generated), ("mini_vgg on originals", part)):
            resized = F.interpolate(images, size=other.input_size, mode="bilinear", antialias=True)
            sums[name] += float((other(resized).argmax(1) == truth).sum())
    return {"pictures": float(len(rows))} | {key: value / len(rows) for key, value in sums.items()}


def export(state: dict, root: Path, folder: Path) -> str:
    """Fold the batch norms, write half-precision weights and a card with what was measured; return the card."""
    trained = Generator(batch_norm=True)
    trained.load_state_dict(state["generator"])
    plain = Generator()
    plain.dense.load_state_dict(trained.dense.state_dict())
    fold_batch_norm(trained.upward, plain.upward)
    plain.mean.copy_(trained.mean)
    plain.std.copy_(trained.std)
    plain = plain.half().float()
    sha = ship_weights(plain.state_dict(), folder / "generator.safetensors")
    text = card(state, measure(plain.eval(), root), sha)
    (folder / "generator.md").write_text(text)
    return text


def card(state: dict, measured: dict[str, float], sha: str) -> str:
    """Write the model card, as Markdown."""
    parameters = sum(p.numel() for p in Generator().parameters())
    options = " ".join(f"--{key} {state['command'][key]}" for key in ("steps", "batch", "lr", "seed"))
    lines = [
        "# generator",
        "",
        f"{parameters:,} parameters, half precision, batch norm folded. It turns a rectified FC6 code of "
        f"`mini_alexnet` (512 numbers) into a picture of {Generator.size} px, RGB in [0, 1].",
        "",
        f"- sha256: `{sha}`",
        f"- made by: `python -m training.generator ROOT {options}`, then the same with `--export data/weights`",
        f"- time: {state['seconds'] / 60:.0f} minutes on a {platform.machine()} CPU, torch bf16",
        "- pictures: those that the classifiers were trained on (see `mini_alexnet.md` for sources and licences)",
        f"- loss: {PIXELS:g} x mean absolute pixel difference + relative feature errors in mini_alexnet "
        f"({', '.join(f'{weight:g} x {layer}' for layer, weight in LAYERS.items())}) + {ADVERSARIAL:g} x a patch "
        "discriminator, from a third of the steps on",
        "",
        f"| measured on {measured['pictures']:.0f} held-out pictures | |",
        "|---|---|",
        f"| relative error of the code of the reconstruction | {measured['error']:.2f} |",
        f"| accuracy of mini_alexnet on the reconstruction | {measured['mini_alexnet']:.0%} |",
        f"| accuracy of mini_vgg on the reconstruction | {measured['mini_vgg']:.0%} |",
        f"| accuracy of mini_vgg on the original | {measured['mini_vgg on originals']:.0%} |",
        "",
        "Limits: it knows the kinds of pictures that it was trained on, and makes any code look like one of them. What "
        "a code does not determine it guesses; that is not evidence of what the network has seen.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Train, from the checkpoint if there is one; or export what was trained."""
    parser = command_line("generator", __doc__)
    parser.add_argument("--steps", type=int, default=4300)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--remeasure", action="store_true", help="measure the codes again, if mini_alexnet has changed")
    add_run_options(parser)
    add_export_option(parser)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.export:
        print(export(torch.load(args.out / "generator" / "last.pt", weights_only=True), args.root, args.export))
        return
    Run(args).train(pictures.load(pictures.find(args.root, seed=args.seed).train))


if __name__ == "__main__":
    main()
