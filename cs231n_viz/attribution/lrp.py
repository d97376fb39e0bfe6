"""Who gets the credit? Layer-wise relevance propagation: a logit, handed back layer by layer to the pixels.

A forward pass computes the activations; the backward pass then carries relevance in place of gradients. Every linear
operation (a convolution with its batch norm, a fully connected layer, an average, a residual sum) hands the relevance
R_j of an output to its inputs in proportion to their contributions z_ij. The rules differ in what counts as z_ij:

- zero, eq. (LRP-0): z_ij = x_i w_ij
- epsilon: the same, but ε in the denominator takes in what weak and contradictory contributions would have got
- gamma: z_ij + γ z_ij⁺, which favours the contributions that agree with the output
- zplus: z_ij⁺
- box (zᴮ): x_i w_ij - l_i w_ij⁺ - h_i w_ij⁻, for pixels that lie between l and h

Rectifiers hand relevance on as it is, and max-pooling to the input that won.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.attribution.lrp_rules import Ledger, Propagation, Settings, pixel_limits
from cs231n_viz.network.capture import capture, check_layers, evaluating
from cs231n_viz.network.checks import Targets, check_images, check_targets
from cs231n_viz.network.interception import check_graph

Rule = Literal["zero", "epsilon", "gamma", "zplus", "composite"]
RULES = ("zero", "epsilon", "gamma", "zplus", "composite")


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
    """How much of the target's logit is owed to each value of the picture?

    Args:
        model: Any classifier of linear layers, rectifiers, batch norms, pooling, sums and concatenations. A batch
            norm counts as part of the convolution before it.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        rule: One of ``"zero"``, ``"epsilon"``, ``"gamma"``, ``"zplus"`` for all layers, or ``"composite"``: box for
            the pixels, gamma for the other convolutions, epsilon for fully connected layers.
        epsilon: Of the epsilon rule, in units of the activations.
        gamma: Of the gamma rule.
        biases: Whether biases take a share of the relevance, which is lost to the pixels. By default they do under
            ``"zero"``, which then is input times gradient, and ``"epsilon"``, which is near it: without, both divide
            by sums near 0. Under the other rules they do not, and relevance is conserved.
        ledger: Takes note of what every operation received and handed on.

    Returns:
        (N, 3, H, W), signed, in logits.

    Raises:
        UnknownOperationError: If the network does something for which there is no rule.
        ValueError: If images, targets or the rule are out of range.

    Source: Bach et al., PLOS ONE 10(7), 2015; Montavon et al., "Layer-Wise Relevance Propagation: An Overview", 2019,
        section 10.2, for the rules and the composite.
    """
    return lrp_layers(model, images, targets, [], rule, epsilon=epsilon, gamma=gamma, biases=biases, ledger=ledger)[
        "pixels"
    ]


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
    """The relevance of every unit of some layers, and of the pixels.

    Args:
        model: As in :func:`lrp`.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        layers: Names from ``model.layers()``.
        rule: As in :func:`lrp`.
        epsilon: As in :func:`lrp`.
        gamma: As in :func:`lrp`.
        biases: As in :func:`lrp`.
        ledger: As in :func:`lrp`.

    Returns:
        Layer name -> relevance in the shape of the layer's output, and ``"pixels"`` -> (N, 3, H, W). Where a network
        branches, what runs past a layer is not in its sum.
    """
    images = check_images(images)
    check_layers(model, layers)
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}; got {rule!r}")
    settings = Settings(rule, epsilon, gamma, rule in ("zero", "epsilon") if biases is None else biases, ledger)
    pixels = images.clone().requires_grad_()
    with torch.enable_grad(), evaluating(model):
        limits = pixel_limits(model, images) if rule == "composite" else None
        with Propagation(rule, limits, settings), capture(model, layers) as found:
            logits = model(pixels)
    check_graph("lrp", logits)
    rows = check_targets(targets, len(images), logits.shape[1]).to(logits.device)
    start = torch.zeros_like(logits).scatter_(1, rows[:, None], logits.detach().gather(1, rows[:, None]))
    missing = [layer for layer in layers if layer not in found]
    if missing:
        raise KeyError(f"the network never reached layer {missing[0]!r} in this forward pass")
    outputs = [found[layer] for layer in layers]
    relevance = torch.autograd.grad(logits, [pixels, *outputs], start)
    return dict(zip(["pixels", *layers], relevance, strict=True))
