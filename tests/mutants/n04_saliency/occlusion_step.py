import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def cover(images, top, left, window, fill):
    out = images.clone()
    out[..., top : top + window, left : left + window] = fill
    return out


def pick(logits, targets):
    return logits.gather(1, targets[:, None]).squeeze(1)


@answers.right
def gathered(model, images, targets, *, top, left, window=32, fill=0.5):
    both = model(torch.cat([images, cover(images, top, left, window, fill)])).detach()
    before, after = both.chunk(2)
    return pick(before - after, targets)


@answers.right
def one_by_one(model, images, targets, *, top, left, window=32, fill=0.5):
    drops = []
    for image, target in zip(images, targets, strict=True):
        before = model(image[None])[0, target].item()
        drops.append(before - model(cover(image[None], top, left, window, fill))[0, target].item())
    return torch.tensor(drops)


@answers.right
def by_a_mask(model, images, targets, *, top, left, window=32, fill=0.5):
    rows, columns = torch.arange(images.shape[2])[:, None], torch.arange(images.shape[3])[None]
    inside = (rows >= top) & (rows < top + window) & (columns >= left) & (columns < left + window)
    change = model(images) - model(images.masked_fill(inside, fill))
    return (change * functional.one_hot(targets, change.shape[1])).sum(1)


@answers.wrong("the logit that is left")
def what_is_left(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(cover(images, top, left, window, fill)), targets)


@answers.wrong("after minus before")
def rise(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(cover(images, top, left, window, fill)) - model(images), targets)


@answers.wrong("the magnitude of the drop")
def size_of_the_fall(model, images, targets, *, top, left, window=32, fill=0.5):
    return (pick(model(cover(images, top, left, window, fill)), targets) - pick(model(images), targets)).abs()


@answers.wrong("the drop of the probability")
def probabilities(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = cover(images, top, left, window, fill)
    return pick(torch.softmax(model(images), 1) - torch.softmax(model(covered), 1), targets)


@answers.wrong("the change of the loss")
def losses(model, images, targets, *, top, left, window=32, fill=0.5):
    before, after = (model(x) for x in (images, cover(images, top, left, window, fill)))
    return functional.cross_entropy(before, targets, reduction="none") - functional.cross_entropy(
        after, targets, reduction="none"
    )


@answers.wrong("the predicted class is followed")
def the_winner(model, images, targets, *, top, left, window=32, fill=0.5):
    return model(images).max(1).values - model(cover(images, top, left, window, fill)).max(1).values


@answers.wrong("all targets of every image")
def mixed(model, images, targets, *, top, left, window=32, fill=0.5):
    change = model(images) - model(cover(images, top, left, window, fill))
    return change[:, targets].sum(dim=1)


@answers.wrong("top and left are swapped")
def columns_first(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, left, top, window, fill)), targets)


@answers.wrong("one pixel too large")
def inclusive(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window + 1, fill)), targets)


@answers.wrong("centred on (top, left)")
def centred(model, images, targets, *, top, left, window=32, fill=0.5):
    at = max(0, top - window // 2), max(0, left - window // 2)
    return pick(model(images) - model(cover(images, *at, window, fill)), targets)


@answers.wrong("only one channel")
def red_only(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[:, 0, top : top + window, left : left + window] = fill
    return pick(model(images) - model(covered), targets)


@answers.wrong("everything but the window")
def surroundings(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = torch.full_like(images, fill)
    part = (..., slice(top, top + window), slice(left, left + window))
    covered[part] = images[part]
    return pick(model(images) - model(covered), targets)


@answers.wrong("whatever fill says")
def black(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window, 0)), targets)


@answers.wrong("something works in place")
def over_the_original(model, images, targets, *, top, left, window=32, fill=0.5):
    before = pick(model(images), targets)
    images[:, :, top : top + window, left : left + window] = fill
    return before - pick(model(images), targets)


@answers.right
def with_a_graph_cut_off(model, images, targets, *, top, left, window=32, fill=0.5):
    bottom, right = min(top + window, images.shape[2]), min(left + window, images.shape[3])
    patch = torch.full((len(images), 3, bottom - top, right - left), fill)
    around = (left, images.shape[3] - right, top, images.shape[2] - bottom)
    inside = functional.pad(torch.ones_like(patch), around)
    covered = images * (1 - inside) + functional.pad(patch, around)
    with torch.inference_mode():
        change = pick(model(images), targets) - pick(model(covered), targets)
    return change.clone()


@answers.wrong("gets the mean of the image")
def mean_of_each_image(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    for one in covered:
        one[:, top : top + window, left : left + window] = one.mean()
    return pick(model(images) - model(covered), targets)


@answers.wrong("fill is subtracted from the pixels")
def darker(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[..., top : top + window, left : left + window] -= fill
    return pick(model(images) - model(covered), targets)


@answers.wrong("divided by the logit before")
def share_that_is_lost(model, images, targets, *, top, left, window=32, fill=0.5):
    before, after = (pick(model(x), targets) for x in (images, cover(images, top, left, window, fill)))
    return 1 - after / before


@answers.wrong("negative drops are cut off")
def losses_only(model, images, targets, *, top, left, window=32, fill=0.5):
    return torch.relu(pick(model(images) - model(cover(images, top, left, window, fill)), targets))


@answers.wrong("pushed back into the image")
def always_whole(model, images, targets, *, top, left, window=32, fill=0.5):
    height, width = images.shape[-2:]
    covered = cover(images, max(0, min(top, height - window)), max(0, min(left, width - window)), window, fill)
    return pick(model(images) - model(covered), targets)


@answers.wrong("only the first image is covered")
def the_first_alone(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[0, :, top : top + window, left : left + window] = fill
    return pick(model(images) - model(covered), targets)


@answers.wrong("has 32 pixels whatever is asked for")
def default_window(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, 32, fill)), targets)


@answers.wrong("channels are sliced where rows should be")
def one_colon_too_few(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[:, top : top + window, left : left + window] = fill
    return pick(model(images) - model(covered), targets)


@answers.wrong("summed or averaged")
def in_all(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window, fill)), targets).sum()


@answers.wrong("summed or averaged")
def on_average(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window, fill)), targets).mean()


@answers.wrong("these are all logits")
def of_every_class(model, images, targets, *, top, left, window=32, fill=0.5):
    return model(images) - model(cover(images, top, left, window, fill))


@answers.wrong("all images follow the first target")
def one_target(model, images, targets, *, top, left, window=32, fill=0.5):
    return (model(images) - model(cover(images, top, left, window, fill)))[:, targets[0]]


@answers.wrong("'float64' came out")
def in_doubles(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window, fill)), targets).double()


@answers.wrong("one pixel too small")
def up_to_the_last(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top, left, window - 1, fill)), targets)


@answers.wrong("multiplied by fill")
def dimmed(model, images, targets, *, top, left, window=32, fill=0.5):
    mask = cover(torch.ones_like(images), top, left, window, fill)
    return pick(model(images) - model(images * mask), targets)


@answers.wrong("begins one pixel too late")
def counted_from_one(model, images, targets, *, top, left, window=32, fill=0.5):
    return pick(model(images) - model(cover(images, top + 1, left + 1, window, fill)), targets)


def drops(model, images, covered, targets):
    rows = range(len(images))
    before, after = model(images), model(covered)
    return torch.stack([before[i, targets[i]] - after[i, targets[i]] for i in rows]).detach()


@answers.wrong("all targets of every image")
def a_matrix_of_drops(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[..., top : top + window, left : left + window] = fill
    return (model(images)[:, targets] - model(covered)[:, targets]).detach()


@answers.wrong("whatever fill says")
def always_grey(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[..., top : top + window, left : left + window] = 0.5
    return drops(model, images, covered, targets)


@answers.wrong("both logits are of the covered images")
def both_covered(model, images, targets, *, top, left, window=32, fill=0.5):
    images = images.clone()
    covered = images
    covered[..., top : top + window, left : left + window] = fill
    return drops(model, images, covered, targets)


@answers.wrong("centred on (top, left)")
def half_a_window_each_way(model, images, targets, *, top, left, window=32, fill=0.5):
    covered, half = images.clone(), window // 2
    covered[:, :, max(0, top - half) : top + half, max(0, left - half) : left + half] = fill
    return drops(model, images, covered, targets)


@answers.wrong("the target stays the target")
def another_class_afterwards(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = fill
    before = model(images).gather(1, targets[:, None])[:, 0]
    return (before - model(covered).max(dim=1).values).detach()


@answers.wrong("does not fit at the border")
def a_square_of_ones(model, images, targets, *, top, left, window=32, fill=0.5):
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = fill * torch.ones(1, 3, window, window)
    return drops(model, images, covered, targets)
