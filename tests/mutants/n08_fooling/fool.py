import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def gradient_of(model, image, target):
    pixels = image.detach().clone().requires_grad_(True)
    return torch.autograd.grad(model(pixels)[0, target], pixels)[0]


def normalised(gradient):
    return gradient / gradient.square().sum().sqrt()


@torch.no_grad()
def class_of(model, image):
    return model(image).argmax(1).item()


@answers.right
def with_while(model, image, target, *, steps=30, lr=0.5):
    x, count = image.clone(), 0
    while class_of(model, x) != target and count < steps:
        x = torch.clamp(x + lr * functional.normalize(gradient_of(model, x, target).flatten(), dim=0).view_as(x), 0, 1)
        count += 1
    return x


@answers.right
def recursive(model, image, target, *, steps=30, lr=0.5):
    if steps == 0 or class_of(model, image) == target:
        return image.clone()
    nearer = (image + lr * normalised(gradient_of(model, image, target))).clamp(0.0, 1.0)
    return recursive(model, nearer, target, steps=steps - 1, lr=lr)


@answers.right
def as_the_starter_code(model, image, target, *, steps=30, lr=0.5):
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = image.clone().requires_grad_()
    for _ in range(steps):
        scores = model(x)
        if scores.max(1).indices.item() == target:
            break
        scores[0, target].backward()
        with torch.no_grad():
            x += lr * x.grad / torch.linalg.vector_norm(x.grad)
            x.clamp_(0, 1)
            x.grad.zero_()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return x.detach()


def ascending(step, **options):
    """The loop with another step, which gets the gradient."""

    def loop(model, image, target, steps, lr):
        x = image.clone()
        for _ in range(steps):
            if class_of(model, x) == target:
                break
            x = x + lr * step(gradient_of(model, x, target))
            x = x.clamp(0, 1) if options.get("clip", True) else x
        return x

    return loop


@answers.wrong("not divided by its length")
def plain(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: g)(model, image, target, steps, lr)


@answers.wrong("the sign of the gradient")
def signs(model, image, target, *, steps=30, lr=0.5):
    return ascending(torch.sign)(model, image, target, steps, lr)


@answers.wrong("the largest magnitude")
def by_the_largest(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: g / g.abs().max())(model, image, target, steps, lr)


@answers.wrong("its root is missing")
def by_the_square(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: g / (g**2).sum())(model, image, target, steps, lr)


@answers.wrong("this is descent")
def descends(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: -normalised(g))(model, image, target, steps, lr)


@answers.wrong("the clipping to [0, 1] is missing")
def leaves_the_range(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised, clip=False)(model, image, target, steps, lr)


@answers.wrong("the gradient of the probability, or of the loss")
def down_the_loss(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        x.requires_grad_()
        logits = model(x)
        if logits.argmax() == target:
            break
        (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, torch.tensor([target])), x)
        x = (x.detach() - lr * normalised(gradient)).clamp(0, 1)
    return x.detach()


@answers.wrong("computed only once")
def straight_ahead(model, image, target, *, steps=30, lr=0.5):
    x, direction = image.clone(), normalised(gradient_of(model, image, target))
    for _ in range(steps):
        if class_of(model, x) == target:
            break
        x = (x + lr * direction).clamp(0, 1)
    return x


@answers.wrong("one step too many")
def looks_too_late(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        seen = class_of(model, x)
        x = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1)
        if seen == target:
            break
    return x


@answers.wrong("once the first class is left")
def anything_else(model, image, target, *, steps=30, lr=0.5):
    x, first = image.clone(), class_of(model, image)
    for _ in range(steps):
        if first == target or class_of(model, x) != first:
            break
        x = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1)
    return x


@answers.wrong("has overtaken the first class")
def ahead_of_the_first(model, image, target, *, steps=30, lr=0.5):
    x, first = image.clone(), class_of(model, image)
    for _ in range(steps):
        logits = model(x)[0]
        if first == target or logits[target] > logits[first]:
            break
        x = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1)
    return x.detach()


@answers.wrong("never stops before the last step")
def all_steps(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        x = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1)
    return x


@answers.wrong("something works in place")
def on_the_callers_picture(model, image, target, *, steps=30, lr=0.5):
    for _ in range(steps):
        if class_of(model, image) == target:
            break
        image += lr * normalised(gradient_of(model, image, target))
        image.clamp_(0, 1)
    return image


@answers.right
def up_the_negative_loss_of_the_logit(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    while steps > 0 and class_of(model, x) != target:
        leaf = x.detach().requires_grad_(True)
        gradient = torch.autograd.grad(-model(leaf)[:, target].sum(), [leaf])[0]
        x = torch.clip(x - lr * gradient / torch.linalg.norm(gradient.flatten()), 0, 1)
        steps -= 1
    return x


@answers.wrong("clipped only at the end")
def clipped_last(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised, clip=False)(model, image, target, steps, lr).clamp(0, 1)


@answers.wrong("still attached to the graph")
def with_its_graph(model, image, target, *, steps=30, lr=0.5):
    x = image.clone().requires_grad_()
    for _ in range(steps):
        logits = model(x)
        if logits.argmax() == target:
            break
        x = (x + lr * normalised(torch.autograd.grad(logits[0, target], x)[0])).clamp(0, 1)
    return x


@answers.wrong("the difference of two logits")
def margin(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        best = class_of(model, x)
        if best == target:
            break
        x = (x + lr * normalised(gradient_of(model, x, target) - gradient_of(model, x, best))).clamp(0, 1)
    return x


@answers.wrong("away from the predicted class")
def away(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        best = class_of(model, x)
        if best == target:
            break
        x = (x - lr * normalised(gradient_of(model, x, best))).clamp(0, 1)
    return x


@answers.wrong("the sum of the magnitudes")
def by_l1(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: functional.normalize(g.flatten(), p=1, dim=0).view_as(g))(
        model, image, target, steps, lr
    )


@answers.wrong("the mean magnitude")
def by_the_mean(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: g / abs(g).mean())(model, image, target, steps, lr)


@answers.wrong("each channel has a length of its own")
def channel_by_channel(model, image, target, *, steps=30, lr=0.5):
    def step(g):
        return functional.normalize(g.flatten(2), dim=2).view_as(g)

    return ascending(step)(model, image, target, steps, lr)


@answers.wrong("that is not small beside it")
def with_a_thousandth(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: g / (g.norm() + 1e-3))(model, image, target, steps, lr)


@answers.wrong("one step too few")
def from_one(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, len(range(1, steps)), lr)


@answers.wrong("steps is ignored")
def thirty_steps(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, 30, lr)


@answers.wrong("lr is ignored")
def default_length(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, steps, 0.5)


@answers.wrong("lr is shared among the steps")
def in_shares(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, steps, lr / steps)


@answers.wrong("only one step")
def a_single_step(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, 1, lr)


@answers.wrong("a probability of ½")
def until_it_is_sure(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        if torch.softmax(model(x), 1)[0, target] >= 0.5:
            break
        x = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1)
    return x


@answers.wrong("where the target is not reached")
def all_or_nothing(model, image, target, *, steps=30, lr=0.5):
    fooled = ascending(normalised)(model, image, target, steps, lr)
    return fooled if class_of(model, fooled) == target else image.clone()


@answers.wrong("the change alone")
def only_the_change(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, steps, lr) - image


@answers.wrong("'float64' came out")
def in_doubles(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, steps, lr).double()


@answers.wrong("the gradient lost its signs")
def only_upwards(model, image, target, *, steps=30, lr=0.5):
    return ascending(lambda g: normalised(abs(g)))(model, image, target, steps, lr)


@answers.wrong("clipped at one end only")
def down_to_minus_one(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    while steps and class_of(model, x) != target:
        x, steps = (x + lr * normalised(gradient_of(model, x, target))).clamp(-1, 1), steps - 1
    return x


@answers.wrong("clipped at one end only")
def at_most_one(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    while steps and class_of(model, x) != target:
        x, steps = (x + lr * normalised(gradient_of(model, x, target))).clamp_max(1), steps - 1
    return x


@answers.wrong("one step more than steps")
def up_to_and_including(model, image, target, *, steps=30, lr=0.5):
    return ascending(normalised)(model, image, target, steps + 1, lr)


@answers.wrong("logit is above 0")
def until_positive(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    while steps and model(x)[0, target] <= 0:
        x, steps = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1), steps - 1
    return x


@answers.wrong("once the target is the second")
def until_second(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    while steps and target not in model(x)[0].argsort(descending=True)[:2]:
        x, steps = (x + lr * normalised(gradient_of(model, x, target))).clamp(0, 1), steps - 1
    return x


@answers.wrong("pile up in `.grad`")
def never_cleared(model, image, target, *, steps=30, lr=0.5):
    x = image.clone().requires_grad_()
    for _ in range(steps):
        logits = model(x)
        if logits.argmax() == target:
            break
        logits[0, target].backward(inputs=[x])
        x.data = torch.clamp(x.data + lr * normalised(x.grad), 0, 1)
    return x.detach()


@answers.wrong("each channel has a length of its own")
def channel_by_channel_unguarded(model, image, target, *, steps=30, lr=0.5):
    x = image.clone()
    for _ in range(steps):
        if class_of(model, x) == target:
            break
        gradient = gradient_of(model, x, target)
        x = (x + lr * gradient / gradient.flatten(2).norm(dim=2)[..., None, None]).clamp(0, 1)
    return x
