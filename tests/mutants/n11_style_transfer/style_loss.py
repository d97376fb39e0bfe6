import torch

from tests.mutants import Answers

answers = Answers()


def gram(maps):
    return torch.einsum("nchw,ndhw->ncd", maps, maps) / (maps.shape[2] * maps.shape[3])


@answers.right
def by_einsum(features, style_targets, style_weights):
    gaps = {name: gram(features[name]) - target for name, target in style_targets.items()}
    return sum(style_weights[name] * (gap * gap).sum() for name, gap in gaps.items())


@answers.right
def by_bmm(features, style_targets, style_weights):
    loss = torch.zeros(())
    for name in style_targets:
        n, c, h, w = features[name].shape
        flat = features[name].reshape(n, c, h * w)
        loss = loss + style_weights[name] * torch.sum(
            (flat.bmm(flat.transpose(1, 2)) / (h * w) - style_targets[name]) ** 2
        )
    return loss


@answers.right
def by_scaled_vectors(features, style_targets, style_weights):
    terms = []
    for name, weight in style_weights.items():
        flat = features[name].flatten(2) / features[name][0, 0].numel() ** 0.5
        terms.append(weight * torch.norm(flat @ flat.mT - style_targets[name]) ** 2)
    return torch.stack(terms).sum()


def styled(features, style_targets, style_weights, of=gram, distance=lambda gap: (gap**2).sum()):
    return sum(style_weights[name] * distance(of(features[name]) - target) for name, target in style_targets.items())


@answers.wrong("sums over the positions")
def not_normalised(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda f: f.flatten(2) @ f.flatten(2).mT)


@answers.wrong("divided by the number of channels too")
def as_in_the_assignment(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda f: f.flatten(2) @ f.flatten(2).mT / f[0].numel())


@answers.wrong("normalised twice")
def twice(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda f: gram(f) / (f.shape[2] * f.shape[3]))


@answers.wrong("Gram matrices of positions")
def wrong_axes(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda f: f.flatten(2).mT @ f.flatten(2) / f.shape[1])


@answers.wrong("the images of a batch are mixed")
def as_in_the_tutorial(features, style_targets, style_weights):
    def mixed(f):
        n, c, h, w = f.shape
        flat = f.permute(1, 0, 2, 3).reshape(c, n * h * w)
        return flat @ flat.T / (n * h * w)

    return styled(features, style_targets, style_weights, mixed)


@answers.wrong("magnitudes are summed")
def unsquared(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=lambda gap: gap.abs().sum())


@answers.wrong("the mean over the entries")
def averaged(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=lambda gap: (gap**2).mean())


@answers.wrong("the square root was not asked for")
def the_norm(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=torch.norm)


@answers.wrong("the weights are left out")
def unweighted(features, style_targets, style_weights):
    return styled(features, style_targets, dict.fromkeys(style_targets, 1.0))


@answers.wrong("the weights are inside the square")
def weighted_too_early(features, style_targets, style_weights):
    return sum(((style_weights[k] * (gram(features[k]) - target)) ** 2).sum() for k, target in style_targets.items())


@answers.wrong("the mean over the layers")
def averaged_layers(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights) / len(style_targets)


@answers.wrong("only the last layer is left")
def overwritten(features, style_targets, style_weights):
    for name, target in style_targets.items():
        loss = style_weights[name] * (gram(features[name]) - target).pow(2).sum()
    return loss


@answers.wrong("all layers of the features are used")
def too_many(features, style_targets, style_weights):
    return sum(style_weights[name] * ((gram(f) - style_targets[name]) ** 2).sum() for name, f in features.items())


@answers.wrong("without moving their axes")
def reshaped(features, style_targets, style_weights):
    def mixed(f):
        n, c, h, w = f.shape
        rows = f.reshape(n, h * w, c)
        return rows.mT @ rows / (h * w)

    return styled(features, style_targets, style_weights, mixed)


@answers.wrong("these are covariances")
def covariances(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda f: gram(f - f.mean((2, 3), keepdim=True)))


@answers.wrong("only the diagonals")
def diagonals(features, style_targets, style_weights):
    return styled(
        features, style_targets, style_weights, distance=lambda gap: (torch.diagonal(gap, 0, 1, 2) ** 2).sum()
    )


@answers.wrong("read in step")
def in_step(features, style_targets, style_weights):
    triples = zip(features.values(), style_targets.values(), style_weights.values(), strict=False)
    return sum(weight * ((gram(f) - target) ** 2).sum() for f, target, weight in triples)


@answers.wrong("the mean over the images")
def mean_over_images(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=lambda gap: (gap**2).sum((1, 2)).mean())


@answers.wrong("one number for each image")
def per_image(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=lambda gap: (gap**2).sum((1, 2)))


@answers.wrong("relative to the target")
def relative(features, style_targets, style_weights):
    return sum(
        w * ((gram(features[k]) - style_targets[k]) ** 2).sum() / (style_targets[k] ** 2).sum()
        for k, w in style_weights.items()
    )


@answers.wrong("half or a quarter")
def of_gatys(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, distance=lambda gap: (gap**2).sum() / (4 * gap.shape[1] ** 2))


@answers.wrong("no gradient reaches")
def no_grad(features, style_targets, style_weights):
    with torch.no_grad():
        return styled(features, style_targets, style_weights)


@answers.wrong("no gradient reaches")
def new_tensor(features, style_targets, style_weights):
    total = torch.zeros(())
    for k, target in style_targets.items():
        total += style_weights[k] * ((gram(features[k]).detach() - target) ** 2).sum()
    return total


@answers.wrong("divided by the weights")
def divided(features, style_targets, style_weights):
    return styled(features, style_targets, {k: 1 / w for k, w in style_weights.items()})


@answers.wrong("a plain number came out")
def a_number(features, style_targets, style_weights):
    return sum(
        style_weights[k] * (gram(features[k]) - target).pow(2).sum().item() for k, target in style_targets.items()
    )


@answers.wrong("only the first image")
def first_image(features, style_targets, style_weights):
    return sum(w * (gram(features[k])[0] - style_targets[k][0]).square().sum() for k, w in style_weights.items())


@answers.wrong("summed before squaring")
def square_of_sum(features, style_targets, style_weights):
    return sum(w * ((gram(features[k]) - style_targets[k]).sum()) ** 2 for k, w in style_weights.items())


@answers.wrong("only one half")
def upper_half(features, style_targets, style_weights):
    return sum(w * (gram(features[k]) - style_targets[k]).triu().square().sum() for k, w in style_weights.items())


@answers.wrong("sum of all weights")
def all_weights(features, style_targets, style_weights):
    return sum(style_weights.values()) * sum(
        (gram(features[k]) - style_targets[k]).square().sum() for k in style_targets
    )


@answers.wrong("the weighted mean")
def weighted_mean(features, style_targets, style_weights):
    return sum(w * (gram(features[k]) - style_targets[k]).square().sum() for k, w in style_weights.items()) / sum(
        style_weights.values()
    )


@answers.wrong("a list came back")
def a_list(features, style_targets, style_weights):
    return [w * (gram(features[k]) - style_targets[k]).square().sum() for k, w in style_weights.items()]


@answers.wrong("only the first layer")
def first_layer(features, style_targets, style_weights):
    for k in style_targets:
        return style_weights[k] * (gram(features[k]) - style_targets[k]).square().sum()


@answers.wrong("divided by h², w², h or w")
def as_if_square(features, style_targets, style_weights):
    return styled(features, style_targets, style_weights, lambda maps: gram(maps) / maps.shape[2] * maps.shape[3])
