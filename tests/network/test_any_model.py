"""Every method works on networks of other shapes and types, and wherever it is called."""

import threading
from collections import namedtuple
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.network.capture import network_of
from tests.networks import unchanged

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("error")]

SIDE = 48
NAMES = ("ant", "bee", "cat")


def classifier(channels: int = 3, *, dtype: torch.dtype = torch.float32) -> viz.Classifier:
    """Convolutions, a max-pool and a pooled linear head, which every method has rules for."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(channels, 6, 7, stride=2, padding=3), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(10, 3)),
    )
    mean, std = [0.4] * channels, [0.3] * channels
    return viz.wrap(network.eval().to(dtype), NAMES, mean=mean, std=std, input_size=SIDE)


def pictures(channels: int = 3, *, count: int = 2, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).to(dtype)


def randomization(model, images, targets):
    similarity = viz.scoring.randomization_test(model, images, targets, viz.saliency)
    return torch.tensor(list(similarity.values()))


def deletion(model, images, targets):
    maps = viz.saliency(model, images, targets)
    return viz.scoring.deletion_insertion(model, images, targets, maps, steps=2).deletion


QUIET = {"progress": False}
ATTRIBUTIONS: dict[str, Callable] = {
    "gradient": viz.gradient,
    "saliency": viz.saliency,
    "gradient_times_input": viz.gradient_times_input,
    "guided_backprop": viz.guided_backprop,
    "deconvnet": viz.deconvnet,
    "smooth_grad": lambda *given: viz.smooth_grad(*given, samples=2),
    "integrated_gradients": lambda *given: viz.integrated_gradients(*given, steps=3, complete=True),
    "expected_gradients": lambda m, x, t: viz.expected_gradients(m, x, t, baselines=x.flip(3), samples=2),
    "occlusion": lambda *given: viz.occlusion(*given, window=16, stride=16, **QUIET),
    "cam": viz.cam,
    "grad_cam": lambda *given: viz.grad_cam(*given, "5"),
    "guided_grad_cam": lambda *given: viz.guided_grad_cam(*given, "5"),
    "deep_lift": viz.deep_lift,
    "lrp": viz.lrp,
    "lrp_epsilon": lambda *given: viz.lrp(*given, "epsilon"),
    "randomization_test": randomization,
    "deletion_insertion": deletion,
    "fgsm": lambda *given: viz.fgsm(*given, 0.01),
}
# Those that need no target, or whose result is a picture.
OTHERS: dict[str, Callable] = {
    "class_visualization": lambda m, x: viz.class_visualization(m, 1, steps=2, **QUIET).image,
    "class_visualization_pixels": lambda m, x: (
        viz.class_visualization(m, [0, 2], steps=2, parameterisation="pixels", regularisers="yosinski", **QUIET).image
    ),
    "ascend": lambda m, x: [*viz.ascend(viz.Pixels(x), viz.objectives.logit(m, 1), steps=2)][-1].image,
    "fooling_image": lambda m, x: viz.fooling_image(m, x, 1, steps=2, **QUIET).image,
    "deep_dream": lambda m, x: viz.deep_dream(m, x, "5", octaves=2, steps=2, **QUIET).image,
    "invert": lambda m, x: viz.invert(m, x[:1], "5", steps=6, **QUIET).image,
    "activations": lambda m, x: viz.activations(m, x, ["5"])["5"],
    "grams": lambda m, x: viz.grams(m, x, ["5"])["5"],
    "predict": lambda m, x: torch.tensor([[share for _, share in row] for row in m.predict(x, k=2)]),
    "layers": lambda m, x: torch.tensor([layer.shape[0] for layer in m.layers()]),
    "bytes_per_pixel": lambda m, x: torch.tensor(viz.bytes_per_pixel(m, ["5"])),
    "receptive_field": lambda m, x: torch.tensor(viz.receptive_field(m, "5").size),
    "features": lambda m, x: viz.features(m, viz.Gallery.digits(), "7", **QUIET)[:9],
    "top_patches": lambda m, x: viz.top_patches(m, [(viz.load_image(p), 0) for p in x], "5", k=1, **QUIET).values,
    "transfer": lambda m, x: viz.synthesis.transferability.transfer(m, x, ["ant", "bee"]).probability,
}
ALL = {**{name: lambda m, x, method=method: method(m, x, 1) for name, method in ATTRIBUTIONS.items()}, **OTHERS}
each_method = pytest.mark.parametrize("method", ALL)


def check_finite(values: torch.Tensor) -> None:
    assert values.isfinite().all()
    assert values.numel()


@each_method
def test_networks_of_grey_pictures(method):
    """Its first filters are the sums over RGB of another network's: on grey pictures both give the same logits."""
    model, images = classifier(1), pictures(1)
    check_finite(ALL[method](model, images))


@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_the_channels_of_a_grey_picture_share_what_the_picture_gets(method):
    """A network of RGB whose filters look at red alone gives red what a network of grey pictures gives grey."""
    if method in ("randomization_test", "smooth_grad"):
        pytest.skip("its random numbers have another shape")
    grey, colour = classifier(1).double(), classifier(3).double()
    state = grey.state_dict()
    state["network.0.weight"] = F.pad(state["network.0.weight"], (0, 0, 0, 0, 0, 2))
    state |= {key: colour.state_dict()[key] for key in ("mean", "std")}
    colour.load_state_dict(state)
    images = pictures(1).double()
    wanted = ATTRIBUTIONS[method](grey, images, 1)
    got = ATTRIBUTIONS[method](colour, images.expand(-1, 3, -1, -1), 1)
    got = got[:, :1] if got.ndim == 4 else got
    torch.testing.assert_close(got, wanted)


def test_grey_networks_get_grey_pictures():
    model = classifier(1)
    image = viz.load_image("cat")
    batch = model.prepare([image, "coffee"])
    assert batch.shape == (2, 1, SIDE, SIDE)
    black, white = model.prepare(torch.zeros(3, 60, 60)), model.prepare(torch.ones(1, 60, 60))
    assert black.max() == 0
    torch.testing.assert_close(white, torch.ones_like(white))
    green = model.prepare(torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 60, 60))
    torch.testing.assert_close(green, torch.full_like(green, 0.587))
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\), got \(1, 3, 48, 48\)"):
        viz.saliency(model, pictures(3, count=1), 0)
    with pytest.raises(ValueError, match="takes 5"):
        classifier(5).prepare("cat")
    check_finite(viz.saliency(classifier(5), pictures(5), 0))


class Single(nn.Module):
    """One logit, (N,) or (N, 1): the third minus the first of another network's."""

    def __init__(self, network: nn.Module, *, keep: bool) -> None:
        super().__init__()
        self.network, self.keep = network, keep
        self.difference = nn.Linear(3, 1, bias=False)
        self.difference.weight.data = torch.tensor([[-1.0, 0.0, 1.0]])

    def forward(self, images):
        logit = self.difference(self.network(images))
        return logit if self.keep else logit[:, 0]


@pytest.mark.parametrize("keep", [True, False])
def test_a_single_logit_is_the_second_of_two(keep):
    network = Single(classifier().network, keep=keep)
    options = {"mean": [0.4] * 3, "std": [0.3] * 3, "input_size": SIDE}
    model = viz.wrap(network, ["no", "yes"], **options)
    images = pictures()
    logit = network(model.normalised(images)).reshape(-1)
    assert torch.equal(model(images), torch.stack([torch.zeros(2), logit], 1))
    torch.testing.assert_close(model(images).softmax(1)[:, 1], logit.sigmoid())
    for method in ("saliency", "guided_backprop", "occlusion", "deep_lift", "lrp", "grad_cam", "fgsm"):
        call = ATTRIBUTIONS[method] if method != "grad_cam" else lambda *given: viz.grad_cam(*given, "network.5")
        check_finite(call(model, images, "yes"))
    change = viz.deep_lift(model, images, "yes", baseline=0.4).sum((1, 2, 3))
    torch.testing.assert_close(
        change, (model(images) - model(torch.full_like(images, 0.4)))[:, 1], rtol=1e-3, atol=1e-4
    )
    torch.testing.assert_close(
        viz.occlusion(model, images, 1, window=16, stride=16, progress=False),
        viz.occlusion(viz.wrap(nn.Sequential(network), ["no", "yes"], **options), images, 1, window=16, stride=16,
                      progress=False),
    )  # fmt: skip
    with pytest.raises(ValueError, match="give two names"):
        viz.wrap(Single(classifier().network, keep=True), ["yes"], input_size=SIDE)
    with pytest.raises(ValueError, match=r"wrap\(network, \[no, yes\]\) makes two"):
        viz.saliency(Single(classifier().network, keep=False), images, 0)


class Odd(nn.Module):
    """Returns what it is told to."""

    def __init__(self, make: Callable) -> None:
        super().__init__()
        self.conv, self.make = nn.Conv2d(3, 3, 3), make

    def forward(self, images):
        return self.make(self.conv(images).mean((2, 3)))


Outputs = namedtuple("Outputs", ["logits", "aux"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: {"out": x, "aux": x}, "a dict with 'out', 'aux'"),
        (lambda x: (x, x), "a tuple of 2"),
        (lambda x: Outputs(x, x), r"Outputs with 'logits', 'aux' \(only in train mode\? then model.eval\(\)\)"),
    ],
)
def test_networks_that_return_no_tensor_are_refused_with_what_they_return(make, message):
    with pytest.raises(TypeError, match=message):
        viz.wrap(Odd(make), NAMES, input_size=SIDE)
    with pytest.raises(TypeError, match=message):
        viz.saliency(Odd(make), pictures(), 0)


@pytest.mark.parametrize(
    ("make", "warns"),
    [
        (lambda x: x.softmax(1), True),
        (lambda x: x.sigmoid(), True),
        (lambda x: torch.sigmoid(x).squeeze(), True),
        (lambda x: x.sigmoid() * x, False),
        (lambda x: x, False),
        (lambda x: x.log_softmax(1), False),  # its differences are those of logits
    ],
)
def test_wrap_warns_of_probabilities(make, warns):
    network = Odd(make if not warns else lambda x: make(x).reshape(len(x), 3))
    if not warns:
        viz.wrap(network, NAMES, input_size=SIDE)
        return
    with pytest.warns(UserWarning, match="probabilities, not logits") as caught:
        viz.wrap(network, NAMES, input_size=SIDE)
    assert len(caught) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("of_pictures", [torch.float16, torch.float32, torch.float64])
def test_the_network_computes_in_its_own_type_and_the_result_has_the_picture_s(dtype, of_pictures):
    model, images = classifier(dtype=dtype), pictures(dtype=of_pictures)
    reference = classifier().double()
    reference.load_state_dict(model.state_dict())
    logits = model(images)
    assert logits.dtype == of_pictures
    room = 16 * max(torch.finfo(dtype).eps, torch.finfo(of_pictures).eps)  # about as many roundings follow each other
    torch.testing.assert_close(logits.double(), reference(images.double()), rtol=room, atol=room)
    for method in ("saliency", "gradient", "smooth_grad", "grad_cam", "guided_backprop", "occlusion", "fgsm"):
        values = ATTRIBUTIONS[method](model, images, 1)
        assert values.dtype == of_pictures, method
        check_finite(values)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_pictures_on_another_device_are_one_clear_error():
    with pytest.raises(ValueError, match="images are on cpu, the model on cuda:0"):
        viz.saliency(classifier().cuda(), pictures(), 0)


@pytest.mark.slow
def test_data_parallel_networks_work_and_compiled_ones_are_refused():
    plain, images = classifier(), pictures()
    model = viz.wrap(nn.DataParallel(plain.network), NAMES, mean=[0.4] * 3, std=[0.3] * 3, input_size=SIDE)
    assert torch.equal(viz.saliency(model, images, 1), viz.saliency(plain, images, 1))
    assert torch.equal(viz.grad_cam(model, images, 1, "module.5"), viz.grad_cam(plain, images, 1, "5"))
    with pytest.raises(ValueError, match=r"before torch\.compile"):
        viz.wrap(torch.compile(plain.network), NAMES, input_size=SIDE)


def test_compiled_models_are_one_clear_error_in_every_method():
    """Else gradient × input would take another mean: what torch.compile returns is no Classifier."""
    message = r"as it was before torch\.compile|'mean' is for a Classifier"
    images, inside = pictures(count=1), classifier()
    inside.compile()
    for model in (torch.compile(classifier()), inside):
        for method in ATTRIBUTIONS.values():
            with pytest.raises(ValueError, match=message):
                method(model, images, 1)
        with pytest.raises(ValueError, match=message):
            viz.activations(model, images, ["5"])


@pytest.mark.parametrize("method", ALL)
def test_networks_with_hooks_of_their_own(method):
    """The hooks change nothing, so neither does the result; they are still there afterwards."""
    model, images = classifier(), pictures()
    wanted = ALL[method](model, images)
    for module in network_of(model).modules():
        if not getattr(module, "inplace", False):  # torch refuses backward hooks before an operation in place
            module.register_forward_hook(lambda module, args, output: None)
            module.register_forward_pre_hook(lambda module, args: None)
    for module in (network_of(model)[3], network_of(model)[9]):
        module.register_full_backward_hook(lambda module, given, received: None)
    with unchanged(model, images):
        if method.startswith("occlusion"):
            with pytest.warns(UserWarning, match="has hooks"):
                got = ALL[method](model, images)
        else:
            got = ALL[method](model, images)
    torch.testing.assert_close(got, wanted)


# Where it is called.


@each_method
def test_inference_mode_changes_nothing(method):
    model = classifier()
    wanted = ALL[method](model, pictures())
    model._layers, model._traced = [], []
    with torch.inference_mode():
        images = pictures()
        assert images.is_inference()
        got = ALL[method](model, images)
    torch.testing.assert_close(got.clone(), wanted)


def test_models_from_inference_mode_are_ordinary_ones():
    with torch.inference_mode():
        model = viz.load_model("mini_alexnet")
        generator = viz.load_generator()
    tensors = [*model.parameters(), *model.buffers(), *generator.parameters()]
    assert not any(tensor.is_inference() for tensor in tensors)
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match=r"built in torch\.inference_mode"):
        viz.wrap(network, ["a", "b"], input_size=SIDE)


@pytest.mark.parametrize("method", ["activations", "grad_cam", "lrp", "randomization_test", "saliency"])
def test_threads_may_share_a_model(method):
    model, images = classifier(), pictures(count=1)
    model.train()
    inputs = [images, 1 - images]
    wanted = [ALL[method](model, each) for each in inputs]
    failures = []
    barrier = threading.Barrier(4)

    def work(index: int) -> None:
        barrier.wait()
        for _ in range(5 if method == "randomization_test" else 20):
            try:
                if not torch.equal(ALL[method](model, inputs[index % 2]), wanted[index % 2]):
                    failures.append("wrong")
            except Exception as error:
                failures.append(repr(error))

    with unchanged(model, images):
        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_another_thread_may_change_the_weights_for_a_while(method):
    """A randomisation test gives a network other weights and back; no method, forward or backward, ever sees them."""
    model, images = classifier(), pictures(count=1)
    wanted, done = ALL[method](model, images), threading.Event()
    changes = []

    def randomise() -> None:
        while not done.is_set():
            changes.append(viz.scoring.randomization_test(model, images, 1, viz.saliency))

    other = threading.Thread(target=randomise)
    with unchanged(model, images):
        other.start()
        try:
            got = [ALL[method](model, images) for _ in range(6)]
        finally:
            done.set()
            other.join()
    assert all(torch.equal(each, wanted) for each in got)
    assert changes


@each_method
def test_train_mode_is_left_as_it_was_and_the_result_is_that_of_eval_mode(method):
    model, images = classifier(), pictures()
    wanted = ALL[method](model, images)
    model.train()
    model.network[4].eval()
    with unchanged(model, images):
        got = ALL[method](model, images)
    torch.testing.assert_close(got, wanted)


class Failing(nn.Module):
    """Passes maps on until it is told to raise."""

    error: BaseException | None = None

    def forward(self, maps):
        if self.error is not None:
            raise self.error
        return maps


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), KeyboardInterrupt()], ids=["error", "interrupt"])
@each_method
def test_a_model_is_left_as_it_was_by_an_error_and_by_an_interrupt(method, error):
    model, images = classifier(), pictures()
    model.network[3] = nn.Sequential(model.network[3], Failing())
    model.layers()
    model.train()
    model.network[4].eval()
    model.network[0].weight.grad = torch.ones_like(model.network[0].weight)
    model.network[3][1].error = error
    if method in ("layers", "receptive_field"):
        model._layers, model._traced = [], []
    # deep_dream takes an error for a sign that a picture is too small, and then says so
    kinds = (RuntimeError, ValueError) if method == "deep_dream" else RuntimeError
    wanted = kinds if isinstance(error, RuntimeError) else KeyboardInterrupt
    with unchanged(model, images), pytest.raises(wanted):
        ALL[method](model, images)


# What wrap promises.


def test_wrap_leaves_the_mode_of_each_part():
    network = classifier().network.train()
    network[4].eval()  # a frozen batch norm
    model = viz.wrap(network, NAMES, input_size=SIDE)
    assert [module.training for module in network] == [index != 4 for index in range(len(network))]
    assert model.training
    network.eval()
    network[8].train()  # Monte-Carlo dropout
    viz.wrap(network, NAMES, input_size=SIDE)
    assert [module.training for module in network] == [index == 8 for index in range(len(network))]


@pytest.mark.parametrize(("p", "training", "warns"), [(0.5, True, True), (0.0, True, False), (0.5, False, False)])
def test_a_dropout_that_is_always_on_is_said(p, training, warns):
    network = Odd(lambda x: F.dropout(x, p, training))
    expected = pytest.warns(UserWarning, match="dropout that is on also in eval mode") if warns else nullcontext()
    with expected:
        viz.saliency(network, pictures(), 0)
    with expected:
        viz.wrap(network, NAMES, input_size=SIDE)


class Confusing(nn.Module):
    """A network with attributes that are called like those of a ``Classifier``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.network = nn.Linear(4, 3)
        self.mean = nn.Parameter(torch.full((3, 1, 1), 100.0))
        self.categories = "none"

    def forward(self, images):
        return self.network(self.stem(images).mean((2, 3)))


def test_attributes_of_a_network_are_not_taken_for_those_of_a_classifier():
    network, images = Confusing().eval(), pictures()
    assert network_of(network) is network
    assert viz.activations(network, images, ["stem"])["stem"].shape == (2, 4, 46, 46)
    expected = viz.gradient(network, images, 1) * images
    assert torch.equal(viz.gradient_times_input(network, images, 1), expected)
    image = viz.class_visualization(network, 1, parameterisation="pixels", start="zero", steps=0, progress=False)
    assert (image.image == 0.5).all()
    with pytest.raises(ValueError, match="'mean' is for a Classifier"):
        viz.occlusion(network, images, 1, progress=False)


def test_layers_notice_surgery():
    model = classifier()
    assert model.layers()[0].shape == (6, 24, 24)
    model.network[3] = nn.Conv2d(6, 10, 5, padding=2)
    assert model.layer("3").field.size > classifier().layer("3").field.size
    model.network.append(nn.Identity())
    assert model.layers()[-1].name == "10"
    assert model.layers()[0] is model.layers()[0]  # not traced again without need


# Targets by name.


@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_targets_may_be_names(method):
    model, images, call = classifier(), pictures(), ATTRIBUTIONS[method]
    assert torch.equal(call(model, images, "cat"), call(model, images, 2))
    assert torch.equal(call(model, images, ["cat", "Ant"]), call(model, images, torch.tensor([2, 0])))
    with pytest.raises(KeyError, match="no category 'cats'; close names: 'cat'"):
        call(model, images, "cats")
    with pytest.raises(ValueError, match=r"each of the 2 images, got \(3,\)"):
        call(model, images, list(NAMES))
    if method != "cam":
        with pytest.raises(TypeError, match="only a Classifier knows classes by name"):
            call(model.network, images, "cat") if method != "occlusion" else viz.occlusion(
                model.network, images, "cat", window=9, fill=0.5, progress=False
            )


def test_targets_of_a_synthesis_may_be_names():
    model, images = classifier(), pictures()
    options = {"steps": 1, "progress": False}
    by_name = viz.class_visualization(model, ["bee", "cat"], **options)
    assert by_name.settings["class"] == ["bee", "cat"]
    assert torch.equal(by_name.image, viz.class_visualization(model, torch.tensor([1, 2]), **options).image)
    fooled = viz.fooling_image(model, images, "cat", **options)
    assert torch.equal(fooled.image, viz.fooling_image(model, images, 2, **options).image)
    for objective in (viz.objectives.logit, viz.objectives.log_odds):
        assert torch.equal(objective(model, "bee")(images), objective(model, 1)(images))
    with pytest.raises(TypeError, match="indices here"):
        viz.class_visualization(model, "bee", layer="5", **options)


# One check at every door.

X = pictures()
DOORS: dict[str, Callable] = {
    "model": lambda m, x: m(x),
    "predict": lambda m, x: m.predict(x, k=1),
    "activations": lambda m, x: viz.activations(m, x, ["5"]),
    "grams": lambda m, x: viz.grams(m, x, ["5"]),
    "saliency": lambda m, x: viz.saliency(m, x, 1),
    "transfer": lambda m, x: viz.synthesis.transferability.transfer(m, x, ["ant", "bee"]),
    "fast_style": lambda m, x: viz.load_fast_style()(x, torch.ones(len(viz.load_fast_style().styles))),
}
WRONG = {
    "uint8": ((X * 255).byte(), "floating point .* torch.uint8; divide integers by 255"),
    "0..255": (X * 255, r"\[0, 1\].* divide by 255"),
    "normalised": ((X - 0.45) / 0.2, r"\[0, 1\].* normalisation happens inside"),
    "nan": (X.clone().index_fill_(3, torch.tensor([4]), torch.nan), "finite|NaN"),
    "inf": (X.clone().index_fill_(3, torch.tensor([4]), torch.inf), r"finite|got .* to inf"),
    "one picture": (X[0], r"\(N, 3, H, W\), got \(3, 48, 48\); model.prepare"),
    "array": (X.numpy(), r"\(N, 3, H, W\), got a ndarray"),
    "sparse": (X.to_sparse(), "dense tensor"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_pictures_that_are_none(door, wrong):
    if door == "predict" and wrong in ("one picture", "array"):
        pytest.skip("predict prepares these")
    images, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message):
        DOORS[door](classifier(), images)


def test_what_an_optimisation_may_feed_a_model_is_let_through():
    model = classifier()
    noisy = X + 0.5 * torch.randn(X.shape, generator=torch.Generator().manual_seed(0))
    for images in (X * 255, noisy, X - 2):
        assert model(images.requires_grad_()).requires_grad
    slightly = X.detach() * 1.4 - 0.2
    assert torch.equal(model(slightly), model.network(model.normalised(slightly)))
    assert torch.func.vmap(lambda image: model(image[None])[0])(X.detach()).shape == (2, 3)


def test_a_picture_of_another_size_is_one_clear_error():
    network = nn.Sequential(nn.Conv2d(3, 2, 5, stride=4), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(18, 3)).eval()
    model = viz.wrap(network, NAMES, input_size=SIDE)
    for size in ((64, 48), (20, 90)):
        with pytest.raises(ValueError, match=rf"{size[1]} × {size[0]} pixels .* model.prepare.* 48 × 48"):
            viz.saliency(model, torch.rand(1, 3, *size), 0)
    with pytest.raises(ValueError, match="3 × 2 pixels"):
        model(torch.rand(1, 3, 2, 3))


def test_a_lazy_layer_is_initialised_by_wrap():
    lazy = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    model = viz.wrap(lazy, ["a", "b"], input_size=8)
    assert lazy[3].weight.shape == (2, 4 * 6 * 6)
    assert viz.saliency(model, torch.rand(1, 3, 8, 8), "a").shape == (1, 8, 8)
