"""The same methods in popular libraries, each called as its documentation says."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.models import Classifier

STEPS = 64  # of integrated gradients
Peer = Callable[[Classifier, Tensor, str, int], Tensor]


def requiring_grad(images: Tensor) -> Tensor:
    return images.clone().requires_grad_()


def one_hot(target: int, logits: Tensor) -> Tensor:
    return F.one_hot(torch.tensor([target]), logits.shape[1]).to(logits)


def captum(kind: str, **settings: object) -> Peer:
    def run(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
        from captum import attr

        return getattr(attr, kind)(model, **settings).attribute(requiring_grad(images), target=target)

    return run


def captum_grad_cam(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from captum.attr import LayerGradCam

    module = model.network.get_submodule(layer)
    return LayerGradCam(model, module).attribute(requiring_grad(images), target, relu_attributions=True)[:, 0]


def captum_saliency(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from captum.attr import Saliency

    return Saliency(model).attribute(requiring_grad(images), target=target, abs=False)


def captum_integrated(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from captum.attr import IntegratedGradients

    return IntegratedGradients(model).attribute(images, target=target, n_steps=STEPS)


def captum_lrp(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    """Its default rules: ε everywhere, and biases absorb relevance."""
    from captum.attr import LRP

    return LRP(model.network).attribute(requiring_grad((images - model.mean) / model.std), target=target)


def grad_cam_map(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module = model.requires_grad_(True).network.get_submodule(layer)
    with GradCAM(model=model, target_layers=[module]) as method:  # step by step: before maps are resized and scaled
        logits = method.activations_and_grads(images)
        score = sum(ClassifierOutputTarget(target)(row) for row in logits)
        model.zero_grad()
        score.backward(retain_graph=True)
        maps = method.activations_and_grads.activations[0].cpu().numpy()
        gradients = method.activations_and_grads.gradients[0].cpu().numpy()
        cam = method.get_cam_image(images, module, [ClassifierOutputTarget(target)], maps, gradients, False)
    return torch.as_tensor(cam).clamp_min(0)


def grad_cam_guided(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from pytorch_grad_cam import GuidedBackpropReLUModel

    method = GuidedBackpropReLUModel(model=model.requires_grad_(True), device=torch.device("cpu"))
    gradient = method(images.clone(), target_category=target)
    return torch.as_tensor(gradient).permute(2, 0, 1)[None]


def torchcam_map(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from torchcam.methods import GradCAM

    with GradCAM(model.network, layer, input_shape=images.shape[1:]) as method:
        logits = model.network(((images - model.mean) / model.std).requires_grad_())
        return method(target, logits, normalized=False)[0]


def zennit(kind: str) -> Peer:
    def run(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
        from zennit import composites
        from zennit.attribution import Gradient

        with Gradient(model, getattr(composites, kind)()) as attributor:
            return attributor(requiring_grad(images), lambda logits: one_hot(target, logits))[1]

    return run


def zennit_integrated(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    from zennit.attribution import IntegratedGradients

    with IntegratedGradients(model, n_iter=STEPS) as attributor:
        return attributor(images, lambda logits: one_hot(target, logits))[1]


def zennit_lrp(model: Classifier, images: Tensor, layer: str, target: int) -> Tensor:
    """γ everywhere, no relevance for biases, batch norms merged by its canonizers."""
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import LayerMapComposite
    from zennit.layer import Sum
    from zennit.rules import Gamma, Norm, Pass
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer
    from zennit.types import Activation, AvgPool, BatchNorm, Convolution

    name = type(model.network).__name__
    canonizer = {"ResNet": ResNetCanonizer, "VGG": VGGCanonizer}.get(name, SequentialMergeBatchNorm)()
    rule = Gamma(0.25, zero_params="bias")
    kinds = [(Activation, Pass()), (BatchNorm, Pass()), (Convolution, rule), (nn.Linear, rule), (AvgPool, Norm())]
    kinds.append((Sum, Norm()))
    normalised = ((images - model.mean) / model.std).requires_grad_()
    with Gradient(model.network, LayerMapComposite(kinds, canonizers=[canonizer])) as attributor:
        return attributor(normalised, lambda logits: logits * one_hot(target, logits))[1]


PEERS: dict[tuple[str, str], Peer] = {
    ("gradient", "captum"): captum_saliency,
    ("guided backprop", "captum"): captum("GuidedBackprop"),
    ("guided backprop", "grad-cam"): grad_cam_guided,
    ("guided backprop", "zennit"): zennit("GuidedBackprop"),
    ("deconvnet", "captum"): captum("Deconvolution"),
    ("deconvnet", "zennit"): zennit("DeconvNet"),
    ("Grad-CAM", "captum"): captum_grad_cam,
    ("Grad-CAM", "grad-cam"): grad_cam_map,
    ("Grad-CAM", "torchcam"): torchcam_map,
    ("integrated gradients", "captum"): captum_integrated,
    ("integrated gradients", "zennit"): zennit_integrated,
    ("DeepLIFT", "captum"): captum("DeepLift"),
    ("LRP", "captum"): captum_lrp,
    ("LRP", "zennit"): zennit_lrp,
}
