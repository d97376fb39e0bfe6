r"""Train mini_vgg_robust, the twin of mini_vgg, against an adversary; a run can be stopped and resumed.

The twin starts with mini_vgg's weights, average pooling in place of max pooling, and a batch norm after each
convolution that begins as the identity. In every step each picture of the batch is first changed, within an L2 ball, to
raise its loss; then the network learns from what came out. The radius of the ball rises from 0 over the first epochs.
After each epoch a stronger attack is made on pictures that were set aside from the training set: the best epoch is
kept, and the run stops where the accuracy collapses, as it suddenly can with attacks of one step. A quarter of each
batch are the views of ``training.last_layer``, which the data sets lack: small objects, faces, classes turned upright.
A third of all views are faded towards the mean colour, as far as to a 33rd of their contrast, and attacked in
proportion: pictures that are optimised begin with the mean colour, and a network that has never seen a faint picture
may have no gradient there that leads anywhere.

    python -m training.robust ROOT
    python -m training.robust ROOT --start mini_vgg_robust --epochs 2 --small 0 --epsilon 2 --lr 5e-4
    python -m training.robust ROOT --export data/weights

The twin that ships was made by the first line, before views were faded, and then by the second.

Sources: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, arXiv:1706.06083,
eq. 2.1; Wong, Rice & Kolter, "Fast is better than free", ICLR 2020, arXiv:2001.03994 (one step, and its collapse);
Jeddi, Shafiee & Wong, arXiv:2012.13628 (fine-tuning a trained network in place of training from scratch).
"""

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import cs231n_viz as viz
from cs231n_viz.network.precision import half_precision
from cs231n_viz.network.shipped import ARCHITECTURES
from training import augment, pictures
from training.classifiers import accuracy, decay_groups, held_out_sets, normalise
from training.export import SETS, export, machine, predictions_table
from training.files import save_checkpoint
from training.last_layer import Views
from training.runs import add_export_option, add_run_options, command_line, recorded_options

NAME, ORIGIN = "mini_vgg_robust", "mini_vgg"
SIZE = 128  # pixels of the last epochs, to which --epsilon applies; smaller pictures are attacked in proportion
_SMALL = 96  # side of the first epochs' pictures, attacked in one step
_FADED, _FAINTEST = 0.35, 0.03  # share of the views that are faded; their lowest contrast, of that of the picture
_CACHED = 8  # pictures in a batch that stays in the processor's cache: larger ones take half as long again
_RAMP = 0.15  # share of the epochs in which the radius rises
_OTHER_VIEWS, _OTHER_SHARE = ("small", "face", "small", "upright"), 0.25  # of training.last_layer, and their share
_AREAS = (0.3, 1.3)  # of a picture, that its random views cover
_DECAY = 0.02
_SOFT, _TEMPERATURE = 0.5, 2.0  # share of the loss that is the teacher's, and its temperature
_ASIDE = 400  # training pictures that are set aside to choose the epoch
_EPSILONS = (0.5, 1.0, 2.0)  # radii in the card, for pictures of SIZE
_ATTACKED = 150  # held-out pictures of each data set that are attacked for the card
_COLLAPSE = 0.5  # the run stops where the accuracy under attack falls below this share of the best


def l2_attack(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float | Tensor,
    steps: int,
    step: float | Tensor,
    seed: int,
) -> Tensor:
    """Change each picture within an L2 ball so that its loss rises (projected gradient ascent, PGD).

    Args:
        network: Maps normalised pictures to logits; in eval mode, left as it was but for gradients.
        images: (N, 3, H, W) in [0, 1].
        labels: True classes, (N,).
        epsilon: Radius of the ball, in units of RGB, for all pictures or for each, (N, 1, 1, 1).
        steps: Number of steps.
        step: Length of a step, likewise.
        seed: Random seed of the start, which is uniform in direction and in radius within the ball.

    Returns:
        (N, 3, H, W) in [0, 1], at most ``epsilon`` from ``images``.

    Source: Madry et al., arXiv:1706.06083, section 2.1, with normalised steps.
    """
    generator = torch.Generator().manual_seed(seed)
    change = torch.randn(images.shape, generator=generator)
    radius = epsilon * torch.rand((len(images), 1, 1, 1), generator=generator)
    change = change * radius / _norm(change)
    for _ in range(steps):
        attacked = (images + change).clamp(0, 1).requires_grad_(True)
        gradients = []
        for part, truth in zip(attacked.split(_CACHED), labels.split(_CACHED), strict=True):
            with half_precision(torch.device("cpu")):
                logits = network(normalise(part)).float()
            gradients += torch.autograd.grad(F.cross_entropy(logits, truth, reduction="sum"), part)
        gradient = torch.cat(gradients)
        change = attacked.detach() - images + step * gradient / _norm(gradient)
        change = change * (epsilon / _norm(change)).clamp(max=1)
    return (images + change).clamp(0, 1)


def _norm(images: Tensor) -> Tensor:
    return images.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]


def random_contrasts(count: int, seed: int) -> Tensor:
    """Draw a contrast for each picture, (N, 1, 1, 1): most keep theirs, 1, the others' logarithm is uniform."""
    generator = torch.Generator().manual_seed(seed)
    faded, depth = torch.rand((2, count, 1, 1, 1), generator=generator)
    return torch.where(faded < _FADED, _FAINTEST**depth, 1.0)


@torch.no_grad()
def insert_batch_norms(plain: nn.Module, views: Tensor) -> nn.Sequential:
    """Copy mini_vgg's weights into the twin, whose batch norms then leave these views as they are.

    Args:
        plain: mini_vgg without batch norms.
        views: Normalised pictures, (N, 3, H, W), on which each channel's mean and deviation are measured.
    """
    twin = ARCHITECTURES[NAME](plain.fc.out_features, batch_norm=True).eval()
    twin.load_state_dict(plain.state_dict(), strict=False)
    maps = views
    for module in twin:
        if isinstance(module, nn.BatchNorm2d):
            variance, mean = torch.var_mean(maps, dim=(0, 2, 3))
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
            module.bias.copy_(mean)
            module.weight.copy_((variance + module.eps).sqrt())
        maps = module(maps)
    return twin


class Run:
    """A run that is counted in epochs, keeps the best of them, and goes on from its checkpoint."""

    def __init__(self, args: argparse.Namespace, data: pictures.DataSplit) -> None:
        self.args = args
        origin = viz.load_model(ORIGIN)
        self.categories, self.mean = list(origin.categories), origin.mean
        rows = list(data.train)
        random.Random(f"{args.seed} aside").shuffle(rows)
        aside = min(_ASIDE, len(rows) // 5)
        self.aside, self.train = rows[:aside], rows[aside:]
        self.batches = len(self.train) // args.batch
        self.labels, self.aside_labels = (
            torch.tensor([origin.index(name) for _, name in part]) for part in (self.train, self.aside)
        )
        self.images = pictures.load(self.train, short_side=160)
        self.other_views = Views(self.images, self.labels, self.categories, SIZE, args.seed)
        missing = {"face": not self.other_views.faces, "upright": not self.other_views.rotated}
        self.other_kinds = [kind for kind in _OTHER_VIEWS if not missing.get(kind)]
        self.aside_crops = pictures.centre_crops(pictures.load(self.aside), SIZE)
        self.teacher = origin.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        torch.manual_seed(args.seed)
        start = viz.load_model(args.start).network
        self.network = insert_batch_norms(start, normalise(self.aside_crops[:64] / 255))
        self.network = self.network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(decay_groups(self.network, _DECAY), lr=args.lr)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, args.lr, total_steps=args.epochs * self.batches + 1, pct_start=0.15
        )
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.out = args.out / NAME
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / "last.pt").exists():
            self._resume(torch.load(self.out / "last.pt", weights_only=True))

    def _resume(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.seconds = state["history"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint, the best one, too, if this epoch was the best, and the history as JSON."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
            "categories": self.categories,
            "name": NAME,
            "command": recorded_options(self.args),
        }
        save_checkpoint(state, self.out / "last.pt")
        if self.history[-1]["attacked"] >= max(row["attacked"] for row in self.history):
            save_checkpoint(state, self.out / "best.pt")
        (self.out / "history.json").write_text(json.dumps(self.history, indent=1))

    def size(self, epoch: int) -> int:
        """Return the side of the training pictures in pixels."""
        return _SMALL if epoch < self.args.small * self.args.epochs else SIZE

    def steps(self, epoch: int) -> int:
        """Return the number of steps of the attack."""
        return 1 if self.size(epoch) == _SMALL else self.args.steps

    def radius(self, progress: float, size: int) -> float:
        """Return the radius for pictures of this side, when the share ``progress`` of the run is over."""
        return self.args.epsilon * size / SIZE * min(1.0, progress / _RAMP)

    def epoch(self, index: int) -> None:
        """Train for one epoch, measure the accuracy on what was set aside, and append both to the history."""
        generator = torch.Generator().manual_seed(self.args.seed * 1000 + index)
        counts = Counter(self.labels.tolist())
        weights = torch.tensor([counts[label] ** -0.5 for label in self.labels.tolist()])
        other = round(_OTHER_SHARE * self.args.batch)  # of a batch
        plain = self.args.batch - other
        order = torch.multinomial(weights, self.batches * plain, True, generator=generator)
        size, total, start = self.size(index), 0.0, time.perf_counter()
        self.other_views.random.manual_seed(self.args.seed * 1000 + index)
        self.other_views.size = size
        title = f"epoch {index + 1}/{self.args.epochs}, {size} px"
        for number, rows in enumerate(tqdm(order.split(plain), desc=title, mininterval=5)):
            views = augment.random_views([self.images[row] for row in rows], size, generator, areas=_AREAS)
            views = augment.random_colours(views, generator, strength=0.2)
            kind = self.other_kinds[number % len(self.other_kinds)]
            ((more, truth),) = self.other_views.batches(kind, other)
            views, labels = torch.cat([views, more]), torch.cat([self.labels[rows], truth])
            radius = self.radius((index + number / self.batches) / self.args.epochs, size)
            seed = index * self.batches + number
            total += self.step(views, labels, radius, steps=self.steps(index), seed=seed)
        self.seconds += time.perf_counter() - start
        clean, attacked = self.accuracies()
        row = {"epoch": index + 1, "size": size, "epsilon": radius, "loss": total / self.batches}
        self.history.append(row | {"clean": clean, "attacked": attacked, "seconds": self.seconds})

    def step(self, views: Tensor, labels: Tensor, radius: float, *, steps: int, seed: int) -> float:
        """Fade and attack a batch, make one step of the optimizer on what came out, and return the loss."""
        with torch.no_grad(), half_precision(torch.device("cpu")):
            logits = torch.cat([self.teacher(normalise(part)).float() for part in views.split(_CACHED)])
            soft = (logits / _TEMPERATURE).softmax(1)
        contrast = random_contrasts(len(views), seed)
        faded = torch.lerp(self.mean, views, contrast)
        self.network.eval().requires_grad_(False)
        epsilon = radius * contrast
        attacked = l2_attack(
            self.network, faded, labels, epsilon=epsilon, steps=steps, step=1.25 * epsilon / steps, seed=seed
        )
        self.network.train().requires_grad_(True)
        with half_precision(torch.device("cpu")):
            logits = self.network(normalise(attacked)).float()
        hard = F.cross_entropy(logits, labels, label_smoothing=0.05)
        divergence = F.kl_div((logits / _TEMPERATURE).log_softmax(1), soft, reduction="batchmean")
        loss = (1 - _SOFT) * hard + _SOFT * _TEMPERATURE**2 * divergence
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def accuracies(self) -> tuple[float, float]:
        """Measure the accuracy on the pictures set aside: as they are, and under ten steps at the full radius."""
        self.network.eval().requires_grad_(False)
        return tuple(
            accuracy_under_attack(self.network, self.aside_crops, self.aside_labels, epsilon=epsilon, steps=10)
            for epsilon in (0.0, self.args.epsilon)
        )

    def collapsed(self) -> bool:
        """Whether the accuracy under attack has fallen far below the best at this radius."""
        best = max(row["attacked"] for row in self.history)
        return self.history[-1]["attacked"] < _COLLAPSE * best


def accuracy_under_attack(
    network: nn.Module, crops: Tensor, labels: Tensor, *, epsilon: float, steps: int, restarts: int = 1
) -> float:
    """Measure the top-1 accuracy under an L2 attack with steps of a quarter of the radius.

    Args:
        network: Maps normalised pictures to logits; in eval mode.
        crops: (N, 3, H, W), uint8.
        labels: True classes, (N,).
        epsilon: Radius in units of RGB; 0 measures the clean accuracy.
        steps: Steps of each attack.
        restarts: Attacks on each picture from different starts; one that succeeds is enough.
    """
    correct = []
    for number, (part, truth) in enumerate(zip(crops.split(50), labels.split(50), strict=True)):
        images, right = part / 255, torch.ones(len(truth), dtype=torch.bool)
        for restart in range(restarts if epsilon else 1):
            attacked = images
            if epsilon:
                seed = 1000 * restart + number
                length = 2.5 * epsilon / steps
                attacked = l2_attack(network, images, truth, epsilon=epsilon, steps=steps, step=length, seed=seed)
            with torch.no_grad():
                right &= network(normalise(attacked)).argmax(1) == truth
        correct.append(right)
    return torch.cat(correct).float().mean().item()


def plain_ascent(model: viz.Classifier, classes: Tensor, *, size: int = SIZE, steps: int = 48) -> Tensor:
    """Optimise one picture for each class by gradient ascent without any regulariser.

    Each step adds the gradient of the logit, divided by its L2 norm, to the pixels, which are clipped to [0, 1].

    Args:
        model: The network.
        classes: Class indices, (N,).
        size: Side of the pictures in pixels.
        steps: Number of steps, of length 1.

    Returns:
        (N, 3, size, size) in [0, 1]. The first picture of each is the mean colour that the network subtracts.
    """
    images = model.mean.expand(len(classes), 3, size, size).clone()
    for _ in range(steps):
        pixels = images.requires_grad_(True)
        logits = model(pixels)[range(len(classes)), classes]
        (gradient,) = torch.autograd.grad(logits.sum(), pixels)
        images = (pixels.detach() + gradient / _norm(gradient)).clamp(0, 1)
    return images


def judged(name: str, judge: viz.Classifier, *, count: int = 20, seed: int = 0) -> tuple[float, float]:
    """Measure how often another network recognises the pictures of :func:`plain_ascent`: its top-5 and its top-1 share.

    The classes are drawn at random.
    """
    model = viz.load_model(name)
    order = torch.randperm(len(model.categories), generator=torch.Generator().manual_seed(seed))[:count]
    pictures = plain_ascent(model, order)
    verdict = viz.transfer(judge, pictures, [model.categories[k] for k in order.tolist()])
    return verdict.top(5), verdict.top(1)


def measure(data: pictures.DataSplit) -> dict[str, dict]:
    """Measure for the card, for both twins: the accuracy as it is, under attack, and the judge's verdicts."""
    sets, result = held_out_sets(data, SIZE), {}
    judge = viz.load_model("mini_alexnet")
    for name in (NAME, ORIGIN):
        network = viz.load_model(name).network
        rows = {}
        for key, (crops, labels) in sets.items():
            rows[key] = [accuracy(network, crops, labels, len(data.categories))[0]]
            some = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:_ATTACKED]
            for epsilon in _EPSILONS:
                attacked = accuracy_under_attack(network, crops[some], labels[some], epsilon=epsilon, steps=20)
                rows[key].append(attacked)
                print(name, key, epsilon, f"{attacked:.1%}", flush=True)
        result[name] = {"accuracies": rows, "judged": judged(name, judge)}
    return result


def card(state: dict, folder: Path, measured: dict[str, dict], data: pictures.DataSplit) -> str:
    """Write the model card, as Markdown."""
    model, command = viz.load_model(NAME), state["command"]
    sha = json.loads((folder / "sha256.json").read_text())[f"{NAME}.safetensors"]
    last, epochs = state["history"][-1], len(state["history"])
    recipe = ("start", "epsilon", "steps", "epochs", "small", "lr", "seed")
    options = " ".join(f"--{name} {command[name]}" for name in recipe)
    earlier = ", as it shipped before" if command["start"] == NAME else ""
    parameters = sum(p.numel() for p in model.network.parameters())
    lines = [
        f"# {NAME}",
        "",
        f"The network of `{ORIGIN}` with average pooling instead of max pooling, trained against an adversary. "
        f"{parameters:,} parameters, half precision, batch norm folded into the convolutions; "
        f"{len(model.categories)} categories; pictures of {model.input_size} px, RGB in [0, 1], normalised inside the "
        "model.",
        "",
        f"- sha256: `{sha}`",
        f"- made by: `python -m training.robust ROOT {options}`, then the same with `--export`",
        f"- began with the weights of `{command['start']}`{earlier}; its teacher is `{ORIGIN}`: half of the loss are "
        "its soft labels for the pictures before they were faded and attacked. "
        f"(`{ORIGIN}` and `mini_alexnet` learned from the soft labels of one SqueezeNet; see their cards.)",
        f"- {_FADED:.0%} of the views are faded towards the mean colour, as far as to {_FAINTEST:.0%} of their "
        "contrast, and attacked in proportion",
        f"- attack in training: L2, radius {command['epsilon']} in units of RGB for pictures of {SIZE} px and in "
        f"proportion for {_SMALL} px; one normalised step from a random start at {_SMALL} px, {command['steps']} at "
        f"{SIZE} px; the radius rises from 0 in the first {_RAMP:.0%} of the run",
        f"- epoch {epochs} of {command['epochs']}, the best by the accuracy under ten steps on {_ASIDE} pictures that "
        f"were set aside from the training set: {last['attacked']:.1%}",
        f"- time: {state['seconds'] / 60:.0f} minutes of training on {machine(command)}",
        "",
        f"Top-1 accuracy on held-out pictures of {SIZE} px, never trained on: all of them as they are; {_ATTACKED} of "
        "each set (or all) under an attack of 20 steps, each an eighth of the radius long, for three radii (L2).",
        "",
        "| held out | pictures | network | clean | " + " | ".join(f"ε {epsilon}" for epsilon in _EPSILONS) + " |",
        "|---|---|---|---|" + "---|" * len(_EPSILONS),
    ]
    for key, rows in data.held_out.items():
        for name in measured:
            numbers = " | ".join(f"{value:.1%}" for value in measured[name]["accuracies"][key])
            lines.append(f"| {SETS[key][0]} | {len(rows)} | `{name}` | {numbers} |")
    lines += [
        "",
        "Pictures of 20 classes drawn at random, from the mean colour in 48 unit steps without any regulariser, judged "
        "by `mini_alexnet`:",
        "",
        "| made for | in its top 5 | its first choice |",
        "|---|---|---|",
    ]
    for name, numbers in measured.items():
        lines.append(f"| `{name}` | {numbers['judged'][0]:.0%} | {numbers['judged'][1]:.0%} |")
    lines += [
        "",
        *predictions_table(NAME),
        "",
        "Limits: robust means against small L2 changes of the kind trained for, and only in the share of cases that "
        "the table says. It is a network to look into, not one to rely on.",
        "",
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = command_line("robust", __doc__)
    parser.add_argument("--epsilon", type=float, default=1.75, help=f"radius of the ball for pictures of {SIZE} px")
    parser.add_argument("--steps", type=int, default=1, help=f"steps of the attack on pictures of {SIZE} px")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--small", type=float, default=0.55, help=f"share of the epochs on pictures of {_SMALL} px")
    parser.add_argument("--start", choices=(ORIGIN, NAME), default=ORIGIN, help="whose weights the run begins with")
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--batch", type=int, default=64)
    add_run_options(parser)
    add_export_option(parser)
    return parser


def main() -> None:
    """Train, from the checkpoint if there is one, until the last epoch or a collapse."""
    args = parser().parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.export:
        checkpoint, data = args.out / NAME / "best.pt", pictures.find(args.root, seed=args.seed)
        export(checkpoint, args.export)
        text = card(torch.load(checkpoint, weights_only=True), args.export, measure(data), data)
        (args.export / f"{NAME}.md").write_text(text)
        print(text)
        return
    run = Run(args, pictures.find(args.root, seed=args.seed))
    for epoch in range(len(run.history), args.epochs):
        run.epoch(epoch)
        run.save()
        print(run.history[-1], flush=True)
        if run.collapsed():
            raise SystemExit(
                f"the accuracy under attack collapsed in epoch {epoch + 1}; the best is in {run.out}/best.pt"
            )


if __name__ == "__main__":
    main()
