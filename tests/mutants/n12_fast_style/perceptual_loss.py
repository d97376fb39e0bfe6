import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def gram(maps):
    return torch.einsum("nchw,ndhw->ncd", maps, maps) / (maps.shape[2] * maps.shape[3])


def sizes(values):
    return values.pow(2).reshape(len(values), -1).sum(1)


@answers.right
def picture_by_picture(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    losses = []
    for picture, photograph in zip(painted, photographs, strict=True):
        ours, theirs = features(picture[None]), features(photograph[None])[content_layer]
        loss = torch.sum((ours[content_layer] - theirs) ** 2) / torch.sum(theirs**2)
        for layer, target in style_targets.items():
            f = ours[layer][0].flatten(1)
            error = torch.sum((f @ f.T / f.shape[1] - target[0]) ** 2) / torch.sum(target**2)
            loss = loss + style_weight * error / len(style_targets)
        losses.append(loss)
    return sum(losses) / len(losses)


@answers.right
def in_one_batch(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    both = features(torch.cat([painted, photographs.detach()]))
    ours, theirs = both[content_layer].chunk(2)
    content = sizes(ours - theirs.detach()) / sizes(theirs.detach())
    errors = [
        sizes(gram(both[layer][: len(painted)]) - target) / target.norm() ** 2
        for layer, target in style_targets.items()
    ]
    return content.mean() + style_weight * torch.stack(errors).mean()


@answers.right
def by_mse(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    maps, goal = features(painted), features(photographs)[content_layer]
    content = F.mse_loss(maps[content_layer], goal, reduction="none").mean((1, 2, 3)) / goal.square().mean((1, 2, 3))
    style = 0
    for layer, target in style_targets.items():
        wanted = target.expand(len(painted), -1, -1)
        style += F.mse_loss(gram(maps[layer]), wanted) / target.square().mean()
    return torch.mean(content) + style_weight * style / len(style_targets)


def relative(ours, theirs):
    return sizes(ours - theirs) / sizes(theirs)


def style_of(maps, targets, of=gram, distance=relative):
    return torch.stack([distance(of(maps[layer]), target) for layer, target in targets.items()]).mean(0)


@answers.wrong("those of the photographs")
def style_of_the_photographs(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    maps = features(photographs)
    content = relative(features(painted)[content_layer], maps[content_layer])
    return (content + style_weight * style_of(maps, style_targets)).mean()


@answers.wrong("content is compared in pixels")
def pixels(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return (relative(painted, photographs) + style_weight * style_of(features(painted), style_targets)).mean()


def with_content(distance, features, painted, photographs, style_targets, content_layer, style_weight):
    maps, goal = features(painted), features(photographs)[content_layer]
    return (distance(maps[content_layer], goal) + style_weight * style_of(maps, style_targets)).mean()


@answers.wrong("content is not relative")
def absolute_content(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    def squares(ours, theirs):
        return sizes(ours - theirs)

    return with_content(squares, features, painted, photographs, style_targets, content_layer, style_weight)


@answers.wrong("content is not relative")
def content_by_mse(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return with_content(F.mse_loss, features, painted, photographs, style_targets, content_layer, style_weight)


@answers.wrong("one ratio for the whole batch")
def pooled_ratio(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    def pooled(ours, theirs):
        return (ours - theirs).pow(2).sum() / theirs.pow(2).sum()

    return with_content(pooled, features, painted, photographs, style_targets, content_layer, style_weight)


def with_style(features, painted, photographs, style_targets, content_layer, style_weight, **options):
    maps = features(painted)
    content = relative(maps[content_layer], features(photographs)[content_layer])
    return (content + style_weight * style_of(maps, style_targets, **options)).mean()


@answers.wrong("the Gram distance is not relative")
def absolute_style(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, distance=lambda ours, theirs: sizes(ours - theirs))


@answers.wrong("the Gram distance is not relative")
def style_by_mse(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, distance=lambda ours, theirs: (ours - theirs).pow(2).mean((1, 2)))


@answers.wrong("sums over the positions")
def not_normalised(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, of=lambda maps: maps.flatten(2) @ maps.flatten(2).mT)


@answers.wrong("mixed in one Gram matrix")
def as_in_the_tutorial(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    def mixed(maps):
        flat = maps.permute(1, 0, 2, 3).flatten(1)
        return (flat @ flat.T / flat.shape[1])[None]

    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, of=mixed)


@answers.wrong("the style layers are summed")
def summed_layers(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    maps = features(painted)
    loss = relative(maps[content_layer], features(photographs)[content_layer])
    for layer, target in style_targets.items():
        loss = loss + style_weight * relative(gram(maps[layer]), target)
    return loss.mean()


def both_terms(features, painted, photographs, style_targets, content_layer):
    maps = features(painted)
    return relative(maps[content_layer], features(photographs)[content_layer]), style_of(maps, style_targets)


@answers.wrong("the pictures are summed")
def summed_pictures(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return content.sum() + style_weight * style.sum()


@answers.wrong("the style weight is left out")
def unweighted(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return content.mean() + style.mean()


@answers.wrong("multiplies the content as well")
def everything_weighted(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return style_weight * torch.mean(content + style)


@answers.wrong("no gradient reaches strengths")
def nothing_to_learn_from(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    with torch.no_grad():
        content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content + style_weight * style).mean()


@answers.wrong("style has no gradient")
def style_detached(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, _ = both_terms(features, painted, photographs, style_targets, content_layer)
    with torch.no_grad():
        _, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content + style_weight * style).mean()


@answers.wrong("content has no gradient")
def content_detached(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content.detach() + style_weight * style).mean()


@answers.wrong("a plain number came out")
def a_number(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content + style_weight * style).mean().item()


@answers.wrong("one number for each picture")
def per_picture(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return content + style_weight * style


@answers.wrong("are not squared")
def lengths(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content.sqrt() + style_weight * style).mean()


@answers.wrong("the photograph sets the unit")
def own_unit(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    def own(ours, theirs):
        return sizes(ours - theirs) / sizes(ours)

    return with_content(own, features, painted, photographs, style_targets, content_layer, style_weight)


@answers.wrong("the target sets the unit")
def own_gram(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, distance=lambda ours, theirs: sizes(ours - theirs) / sizes(ours))


@answers.wrong("style is left out")
def content_only(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return both_terms(features, painted, photographs, style_targets, content_layer)[0].mean()


@answers.wrong("content is left out")
def style_only(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return style_weight * both_terms(features, painted, photographs, style_targets, content_layer)[1].mean()


@answers.wrong("number of channels too")
def over_channels(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    fed = (features, painted, photographs, style_targets, content_layer, style_weight)
    return with_style(*fed, of=lambda maps: gram(maps) / maps.shape[1])


@answers.wrong("only the last style layer")
def last_layer(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    maps = features(painted)
    for layer, target in style_targets.items():
        style = relative(gram(maps[layer]), target)
    return (relative(maps[content_layer], features(photographs)[content_layer]) + style_weight * style).mean()


@answers.wrong("layers and pictures")
def all_sums(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    content, style = both_terms(features, painted, photographs, style_targets, content_layer)
    return (content + style_weight * style * len(style_targets)).sum()


def loss_with(
    features,
    painted,
    photographs,
    T,
    L,
    w,
    content=lambda a, b: sizes(a - b) / sizes(b),
    style=lambda g, t: sizes(g - t) / sizes(t),
    of=gram,
):
    m, q = features(painted), features(photographs)[L]
    return (content(m[L], q) + w * sum(style(of(m[k]), t) for k, t in T.items()) / len(T)).mean()


@answers.wrong("have changed places")
def exchanged(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(features, photographs, painted, style_targets, content_layer, style_weight)


@answers.wrong("divided by the style weight")
def over_weight(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(features, painted, photographs, style_targets, content_layer, 1 / style_weight)


@answers.wrong("norm of the target")
def half_squared(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(
        features,
        painted,
        photographs,
        style_targets,
        content_layer,
        style_weight,
        style=lambda g, t: sizes(g - t) / sizes(t) ** 0.5,
    )


@answers.wrong("divided by a sum")
def mean_over_sum(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(
        features,
        painted,
        photographs,
        style_targets,
        content_layer,
        style_weight,
        content=lambda a, b: (a - b).square().flatten(1).mean(1) / sizes(b),
    )


@answers.wrong("only the first picture")
def first_picture(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(features, painted[:1], photographs[:1], style_targets, content_layer, style_weight)


@answers.wrong("the means are removed")
def covariances(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(
        features,
        painted,
        photographs,
        style_targets,
        content_layer,
        style_weight,
        of=lambda m: gram(m - m.mean((2, 3), keepdim=True)),
    )


@answers.wrong("normalised twice")
def twice(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(
        features,
        painted,
        photographs,
        style_targets,
        content_layer,
        style_weight,
        of=lambda m: gram(m) / m[0, 0].numel(),
    )


@answers.wrong("without moving their axes")
def reshaped(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    return loss_with(
        features,
        painted,
        photographs,
        style_targets,
        content_layer,
        style_weight,
        of=lambda m: gram(m.reshape(len(m), -1, 1, m.shape[1]).permute(0, 3, 1, 2)),
    )


@answers.wrong("left out of the style")
def style_beside_content(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    ours, theirs = features(painted), features(photographs)[content_layer]
    style = torch.zeros(len(painted))
    for layer in ours.keys() - {content_layer}:
        target = style_targets[layer]
        style = style + sizes(gram(ours[layer]) - target) / sizes(target)
    content = sizes(ours[content_layer] - theirs) / sizes(theirs)
    return (content + style_weight * style / len(style_targets)).mean()


@answers.wrong("the style of the first picture alone")
def first_picture_in_style(features, painted, photographs, *, style_targets, content_layer, style_weight=1.0):
    ours, theirs = features(painted), features(photographs)[content_layer]
    style = sum(sizes(gram(ours[k][:1]) - a).sum() / a.square().sum() for k, a in style_targets.items())
    content = sizes(ours[content_layer] - theirs) / sizes(theirs)
    return content.mean() + style_weight * style / len(style_targets)
