r"""Train the generator that turns FC6 codes of ``mini_alexnet`` back into pictures, on a CPU, resumably.

    python -m training.generator ROOT
    python -m training.generator ROOT --export data/weights

The loss compares a picture with its reconstruction in pixels, in the features of ``mini_alexnet`` (layers from edges
to the code itself), and by a small discriminator that sees patches and joins in after a third of the steps. No other
network takes part, so that other networks may judge what the generator makes.

Source: Dosovitskiy & Brox, "Generating images with perceptual similarity metrics based on deep networks", NeurIPS 2016,
arXiv:1602.02644, eq. 1-5.
"""

import argparse
import platform
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from tqdm import tqdm

from cs231n_viz import activations, load_model
from cs231n_viz.network.shipped import fold_batch_norm
from cs231n_viz.synthesis.generator import Generator
from training import pictures
from training.files import keep_checkpoint, ship_weights

LAYERS = {"relu1": 0.5, "relu2": 1.0, "relu3": 1.0, "relu5": 1.0, "relu6": 2.0}  # layer -> weight of its relative error
PIXELS, ADVERSARIAL = 2.0, 0.3
SEEN = 224  # side in pixels that mini_alexnet looks at


def discriminator() -> nn.Sequential:
    """Small, over patches of 47 pixels: real or made?"""
    modules, channels = [], 3
    for width in (32, 64, 128, 192):
        modules += [spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        channels = width
    return nn.Sequential(*modules, spectral_norm(nn.Conv2d(channels, 1, 1)))


def views(images: list[Tensor], random: torch.Generator) -> Tensor:
    """A nearly whole square of each picture, mirrored half of the time: (N, 3, 224, 224) in [0, 1]."""
    found = []
    for image in images:
        height, width = image.shape[-2:]
        u = torch.rand(4, generator=random).tolist()
        side = round(min(height, width) * (0.85 + 0.15 * u[0]))
        top, left = round(u[1] * (height - side)), round(u[2] * (width - side))
        part = image[None, :, top : top + side, left : left + side]
        part = part.flip(3) if u[3] < 0.5 else part
        found.append(F.interpolate(part.float(), size=SEEN, mode="bilinear", antialias=side > SEEN))
    return torch.cat(found).div_(255).clamp_(0, 1).contiguous(memory_format=torch.channels_last)


def crop(images: Tensor, state: Tensor) -> Tensor:
    """A random part of pictures, half of the side at least, at full size: the same for the same state of a generator.

    Without it the grid on which ``mini_alexnet`` looks, four pixels wide, shows in what the generator draws.
    """
    random = torch.Generator()
    random.set_state(state)
    side = int(torch.randint(SEEN // 2, SEEN + 1, (), generator=random))
    top, left = torch.randint(0, SEEN - side + 1, (2,), generator=random).tolist()
    part = images[..., top : top + side, left : left + side]
    return F.interpolate(part, size=SEEN, mode="bilinear").contiguous(memory_format=torch.channels_last)


class Run:
    """One resumable training run."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        self.generator = Generator(batch_norm=True).to(memory_format=torch.channels_last)
        self.critic = discriminator().to(memory_format=torch.channels_last)
        self.network = load_model("mini_alexnet").to(memory_format=torch.channels_last)
        self.optimizers = [
            torch.optim.Adam(self.generator.parameters(), lr=args.lr, betas=(0.5, 0.99)),
            torch.optim.Adam(self.critic.parameters(), lr=args.lr / 2, betas=(0.5, 0.99)),
        ]
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self.path = args.out / "generator" / "last.pt"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._resume(torch.load(self.path, weights_only=True))

    def _resume(self, state: dict) -> None:
        self.generator.load_state_dict(state["generator"])
        self.critic.load_state_dict(state["critic"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]

    def save(self) -> None:
        """Write the checkpoint beside the old one, then swap them, so that a kill never leaves half a file."""
        state = {
            "generator": self.generator.state_dict(),
            "critic": self.critic.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "command": {k: str(v) for k, v in vars(self.args).items() if k not in {"root", "out", "export"}},
        }
        keep_checkpoint(state, self.path)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Float32 activations of the layers that are compared; images (N, 3, 224, 224)."""
        with torch.autocast("cpu", torch.bfloat16):
            found = activations(self.network, images, list(LAYERS), gradients=images.requires_grad)
        return {layer: value.float() for layer, value in found.items()}

    @torch.no_grad()
    def measure_codes(self, images: list[Tensor]) -> None:
        """Mean and standard deviation of the codes of 1 024 pictures, kept with the weights."""
        random = torch.Generator().manual_seed(self.args.seed)
        rows = torch.randperm(len(images), generator=random)[:1024].split(64)
        codes = torch.cat([self.features(views([images[i] for i in part], random))["relu6"] for part in rows])
        self.generator.mean.copy_(codes.mean(0))
        self.generator.std.copy_(codes.std(0))

    def losses(self, real: Tensor, random: torch.Generator, *, adversarial: bool) -> dict[str, Tensor]:
        """One step of the discriminator where it takes part, and the terms of the generator's loss."""
        with torch.no_grad():
            codes = self.features(real)["relu6"]
        small = F.interpolate(real, size=Generator.size, mode="bilinear", antialias=True)
        with torch.autocast("cpu", torch.bfloat16):
            made = self.generator(codes)
        made = made.float()
        terms = {"pixels": PIXELS * F.l1_loss(made, small)}
        if adversarial:
            self._teach_critic(small, made.detach())
            with torch.autocast("cpu", torch.bfloat16):
                terms["adversarial"] = -ADVERSARIAL * self.critic(made).float().mean()
        with torch.no_grad():
            truth = self.features(crop(real, random.get_state()))
        seen = self.features(crop(F.interpolate(made, size=SEEN, mode="bilinear"), random.get_state()))
        for layer, weight in LAYERS.items():
            error = (seen[layer] - truth[layer]).square().sum() / truth[layer].square().sum()
            terms[layer] = weight * error
        return terms

    def _teach_critic(self, real: Tensor, made: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.critic(torch.cat([real, made])).float()
        count = len(real)
        loss = F.relu(1 - scores[:count]).mean() + F.relu(1 + scores[count:]).mean()  # hinge
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()

    def train(self, images: list[Tensor]) -> None:
        """Go on from where the checkpoint stands to the last step."""
        if self.step == 0 or self.args.remeasure:
            self.measure_codes(images)
        start, kept = time.perf_counter(), self.seconds
        left, total = range(self.step, self.args.steps), self.args.steps
        for step in tqdm(left, initial=self.step, total=total, unit="step", mininterval=10):
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
            self.step, self.seconds = step + 1, kept + time.perf_counter() - start
            if self.step % 50 == 0:
                self.history.append({"step": self.step} | {name: term.item() for name, term in terms.items()})
                print({k: round(v, 3) for k, v in self.history[-1].items()}, flush=True)
            if self.step % 100 == 0 or self.step == self.args.steps:
                self.save()


@torch.no_grad()
def measure(generator: Generator, root: Path) -> dict[str, float]:
    """How much of held-out pictures comes back: relative error of the code, and whose class is still found."""
    rows = [row for rows in pictures.find(root).held_out.values() for row in rows[:128]]
    crops = pictures.centre_crops(pictures.load(rows), SEEN) / 255
    model, judge = load_model("mini_alexnet"), load_model("mini_vgg")
    labels = torch.tensor([model.index(name) for _, name in rows])
    found = {"pictures": float(len(rows)), "error": 0.0, "own": 0.0, "judge": 0.0, "judge of the originals": 0.0}
    for part, truth in zip(crops.split(32), labels.split(32), strict=True):
        codes = activations(model, part, ["relu6"])["relu6"]
        made = F.interpolate(generator(codes), size=SEEN, mode="bilinear")
        again = activations(model, made, ["relu6", "fc8"])
        found["error"] += float(((again["relu6"] - codes).norm(dim=1) / codes.norm(dim=1)).sum())
        found["own"] += float((again["fc8"].argmax(1) == truth).sum())
        for name, pixels in (("judge", made), ("judge of the originals", part)):
            seen = F.interpolate(pixels, size=judge.input_size, mode="bilinear", antialias=True)
            found[name] += float((judge(seen).argmax(1) == truth).sum())
    return {key: value if key == "pictures" else value / len(rows) for key, value in found.items()}


def export(state: dict, root: Path, folder: Path) -> str:
    """Fold the batch norms, write half-precision weights, and a card that says what was measured; returns the card."""
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


def card(state: dict, found: dict[str, float], sha: str) -> str:
    """The model card, as Markdown."""
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
        f"| measured on {found['pictures']:.0f} held-out pictures | |",
        "|---|---|",
        f"| relative error of the code of the reconstruction | {found['error']:.2f} |",
        f"| mini_alexnet finds the class in the reconstruction | {found['own']:.0%} |",
        f"| mini_vgg finds the class in the reconstruction | {found['judge']:.0%} |",
        f"| mini_vgg finds the class in the original | {found['judge of the originals']:.0%} |",
        "",
        "Limits: it knows the kinds of pictures that it was trained on, and gives any code such a look. What it draws "
        "is a guess at what the code leaves open, not evidence of what the network has seen.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Train, resuming where a checkpoint is found; or export what was trained."""
    parser = argparse.ArgumentParser(
        prog="python -m training.generator", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of torchvision data sets (see training/pictures.py)")
    parser.add_argument("--steps", type=int, default=4300)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--remeasure", action="store_true", help="going on, after mini_alexnet has changed")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="checkpoints; a second call resumes")
    parser.add_argument("--export", type=Path, help="write the weights and their card into this folder, do not train")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.export:
        print(export(torch.load(args.out / "generator" / "last.pt", weights_only=True), args.root, args.export))
        return
    Run(args).train(pictures.load(pictures.find(args.root, seed=args.seed).train))


if __name__ == "__main__":
    main()
