"""Layer-wise relevance propagation (LRP): a logit is redistributed layer by layer to the pixels. Who gets the credit?

A forward pass computes the activations; the backward pass then carries relevance instead of gradients. Every linear
operation (a convolution with its batch norm, a fully connected layer, an average, a residual sum) redistributes the
relevance R_j of an output to its inputs in proportion to their contributions z_ij. The rules differ in what counts as
z_ij:

- zero, eq. (LRP-0): z_ij = x_i w_ij
- epsilon: the same, but ε in the denominator absorbs what weak and contradictory contributions would have got
- gamma: z_ij + γ z_ij⁺, which favours positive contributions; for a negative output z_ij + γ z_ij⁻, negative ones
- zplus: z_ij⁺; for a negative output z_ij⁻
- box (zᴮ): x_i w_ij - l_i w_ij⁺ - h_i w_ij⁻, for pixels that lie between l and h

Rectifiers pass relevance on as it is, and max-pooling gives it to the largest input.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cs231n_viz.attribution.lrp_rules import Ledger, Propagation, Settings, pixel_limits
from cs231n_viz.network.capture import capture, check_layers, evaluating
from cs231n_viz.network.checks import Targets, check_images
from cs231n_viz.network.gradients import class_scores
from cs231n_viz.network.interception import check_graph
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import outside_inference_mode

Rule = Literal["zero", "epsilon", "gamma", "zplus", "composite"]


def lrp(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    rule: Rule = "composite",
    *,
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    biases: bool | None = None,
    ledger: Ledger | None = None,
) -> Tensor:
    """Redistribute the target's logit to the pixels (LRP): how much of it is due to each value of the picture?

    Args:
        model: Any classifier of linear layers, rectifiers, batch norms, pooling, sums and concatenations. A batch
            norm, and any other product or sum with constants per channel, counts as part of the convolution before it.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        rule: One of ``"zero"``, ``"epsilon"``, ``"gamma"``, ``"zplus"`` for all layers, or ``"composite"``: box for
            the pixels, gamma for the other convolutions, epsilon for fully connected layers (EpsilonGammaBox in
            zennit); gamma also for averages, sums, and batch norms that follow no convolution. Where an output is
            negative, gamma and zplus favour the negative contributions, z⁻ instead of z⁺.
        epsilon: ε of the epsilon rule, at least 0, in units of the activations.
        gamma: γ of the gamma rule, at least 0. Near 0 it becomes the zero rule without biases: where contributions
            cancel the denominators are near 0, too, and relevances get huge. That is what ε is for.
        biases: Whether biases absorb a share of the relevance, which is lost to the pixels. By default they do under
            ``"zero"``, which then is gradient × input, and ``"epsilon"``, which is near it: without, both divide
            by sums near 0. Under the other rules they do not, and relevance is conserved. Constants that a network
            adds are biases as well, except those that normalise the picture; box has no share for any.
        ledger: Records what every operation received and passed on.

    Returns:
        (N, 3, H, W), signed, in logits.

    Raises:
        UnknownOperationError: If the network does something for which there is no rule.
        ValueError: If images, targets or the rule are out of range.

    Source: Bach et al., PLOS ONE 10(7), 2015; Montavon et al., "Layer-Wise Relevance Propagation: An Overview", 2019,
        section 10.2, for the rules; Andéol et al., arXiv:2106.04923, for γ at negative outputs; Anders et al.,
        arXiv:2106.13200 (zennit), for the composite.
    Differs from the paper: the composite of Montavon et al. has the zero rule for the topmost layers, epsilon for the
        middle ones and gamma for the lowest. Biases absorb nothing under gamma, zplus and the composite.
    """
    options = {"epsilon": epsilon, "gamma": gamma, "biases": biases, "ledger": ledger}
    return lrp_layers(model, images, targets, [], rule, **options)["pixels"]


@outside_inference_mode()
def lrp_layers(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    layers: list[str],
    rule: Rule = "composite",
    *,
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    biases: bool | None = None,
    ledger: Ledger | None = None,
) -> dict[str, Tensor]:
    """Redistribute the target's logit as :func:`lrp` does, and also give the relevance of the units of some layers.

    Arguments are those of :func:`lrp`; ``layers`` are names from ``model.layers()``.

    Returns:
        Layer name -> relevance in the shape of the layer's output, and ``"pixels"`` -> (N, 3, H, W). Where a network
        branches, what bypasses a layer is not in its sum.

    Raises:
        KeyError: If there is no such layer, or the forward pass never reaches it.
        UnknownOperationError: If the network does something for which there is no rule.
        ValueError: If images, targets or the rule are out of range.
    """
    images = check_images(images, model)
    check_layers(model, layers)
    if rule not in get_args(Rule):
        raise ValueError(f"rule must be one of {', '.join(get_args(Rule))}; got {rule!r}")
    biases = rule in ("zero", "epsilon") if biases is None else biases
    pixels = to_channels_last(model, images.clone()).requires_grad_()
    with torch.enable_grad(), evaluating(model):  # the backward pass, too: no other thread may change the weights
        limits = pixel_limits(model, images) if rule == "composite" else None
        settings = Settings(rule, epsilon=epsilon, gamma=gamma, biases=biases, limits=limits, ledger=ledger)
        with Propagation(settings), capture(model, layers) as activations:
            scores = class_scores(model, pixels, targets)
        check_graph("lrp", scores)
        missing = [layer for layer in layers if layer not in activations]
        if missing:
            raise KeyError(f"the network never reached layer {missing[0]!r} in this forward pass")
        outputs = [activations[layer] for layer in layers]
        relevance = torch.autograd.grad(scores, [pixels, *outputs], scores.detach())
    return {layer: each.contiguous() for layer, each in zip(["pixels", *layers], relevance, strict=True)}
