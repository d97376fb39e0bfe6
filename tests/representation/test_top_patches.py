import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest import mock

import pytest
import torch

import cs231n_viz as viz
from tests.representation.test_features import Pictures


@pytest.fixture(scope="module")
def model():
    return viz.load_model("mini_alexnet", weights=None)


def best_of_all(model, pictures, layer, k):
    """All activations at once, the obvious way: values, pictures and boxes of the k best per channel."""
    images = model.prepare([pictures[i][0] for i in range(len(pictures))])
    maps = viz.activations(model, images, [layer])[layer]
    values, cells = maps.flatten(2).max(2)
    top = values.sort(dim=0, descending=True, stable=True)
    cells = cells.gather(0, top.indices)[:k].T
    return top.values[:k].T, top.indices[:k].T, torch.stack([cells // maps.shape[3], cells % maps.shape[3]], 2)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_one_pass_finds_what_all_activations_hold(model, batch):
    pictures = Pictures(11)
    values, images, positions = best_of_all(model, pictures, "conv5", 4)
    patches = viz.top_patches(model, pictures, "conv5", k=4, batch=batch, progress=False)
    torch.testing.assert_close(patches.values, values, atol=1e-5, rtol=1e-5)
    assert torch.equal(patches.image_index, images)
    assert torch.equal(patches.positions, positions)
    field = viz.receptive_field(model, "conv5")
    for channel, rank in [(0, 0), (64, 2), (127, 3)]:
        assert tuple(patches.boxes[channel, rank].tolist()) == field.box(*patches.positions[channel, rank].tolist())


def test_a_patch_is_all_that_its_unit_depends_on(model):
    """Grey out what lies outside the box: the activation stays as it was; change the patch: it does not."""
    patches = viz.top_patches(model, Pictures(6), "conv4", k=2, progress=False)
    for channel in (0, 50, 191):
        image, (top, left, bottom, right) = patches.picture(channel), patches.boxes[channel, 0].tolist()
        assert torch.equal(patches.crops(channel)[0], image[:, top:bottom, left:right])
        alone = torch.full_like(image, 0.5)
        alone[:, top:bottom, left:right] = image[:, top:bottom, left:right]
        row, column = patches.positions[channel, 0].tolist()
        maps = viz.activations(model, torch.stack([alone, image.flip(0)]), ["conv4"])["conv4"]
        same, other = maps[:, channel, row, column]
        torch.testing.assert_close(same, patches.values[channel, 0], atol=1e-4, rtol=1e-4)
        assert (other - patches.values[channel, 0]).abs() > 1e-3


def test_no_picture_comes_twice_even_if_it_holds_the_nine_best(model):
    patches = viz.top_patches(model, Pictures(9), "conv1", k=9, progress=False)
    assert (patches.image_index.sort(dim=1).values == torch.arange(9)).all()
    assert (patches.values.diff(dim=1) <= 0).all()


def test_equal_pictures_come_in_the_order_of_the_gallery(model):
    same = [(torch.full((3, 224, 224), 0.3), 0)] * 7
    patches = viz.top_patches(model, same, "conv2", k=3, batch=2, progress=False)
    assert (patches.image_index == torch.arange(3)).all()


def test_a_layer_of_vectors_sees_the_whole_picture(model):
    patches = viz.top_patches(model, Pictures(3), "fc7", k=2, progress=False)
    assert patches.values.shape == (512, 2)
    assert (patches.boxes == torch.tensor([0, 0, 224, 224])).all()


def test_a_finished_index_is_read_and_no_picture_touched(model, tmp_path):
    pictures, path = Pictures(5), tmp_path / "sub" / "index.safetensors"
    first = viz.top_patches(model, pictures, "conv3", k=2, index=path, progress=False)
    pictures.asked.clear()
    for again in (
        viz.top_patches(model, pictures, "conv3", k=2, index=path, progress=False),
        viz.load_patches(path, model, pictures, "conv3"),
    ):
        assert torch.equal(first.values, again.values)
        assert torch.equal(first.boxes, again.boxes)
    assert not pictures.asked
    first.save(tmp_path / "copy")
    assert torch.equal(viz.load_patches(tmp_path / "copy", model, pictures, "conv3").positions, first.positions)
    assert [file.name for file in path.parent.iterdir()] == ["index.safetensors"]


def test_a_stale_index_is_refused_and_kept(model, tmp_path):
    path = tmp_path / "index"
    viz.top_patches(model, Pictures(4), "conv3", k=2, index=path, progress=False)
    before = path.read_bytes()
    other = viz.load_model("mini_alexnet", weights=None, seed=1)
    cases = {
        "weights": lambda: viz.load_patches(path, other, Pictures(4), "conv3"),
        "layer": lambda: viz.load_patches(path, model, Pictures(4), "conv4"),
        "gallery": lambda: viz.load_patches(path, model, Pictures(5), "conv3"),
        "model": lambda: viz.load_patches(path, viz.load_model("mini_vgg", weights=None), Pictures(4), "conv3_1"),
        "k": lambda: viz.top_patches(model, Pictures(4), "conv3", k=3, index=path),
    }
    for entry, read in cases.items():
        with pytest.raises(viz.StaleIndexError, match=f"was made with {entry} = .*, wanted .*; delete it"):
            read()
    assert path.read_bytes() == before
    path.write_bytes(b"something else")
    with pytest.raises(viz.StaleIndexError, match="not an index of patches"):
        viz.load_patches(path, model, Pictures(4), "conv3")


class Breaking(Pictures):
    """Pictures that fail from one on, as a full disk or an impatient reader would."""

    def __init__(self, n, last):
        super().__init__(n)
        self.last = last

    def __getitem__(self, index):
        if index >= self.last:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def test_an_interrupted_index_is_continued_where_it_stopped(model, tmp_path):
    path = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        viz.top_patches(model, Breaking(12, 9), "conv3", k=3, batch=2, index=path, progress=False)
    with pytest.raises(viz.StaleIndexError, match="has seen 8 of 12"):
        viz.load_patches(path, model, Pictures(12), "conv3")
    rest = Pictures(12)
    patches = viz.top_patches(model, rest, "conv3", k=3, batch=2, index=path, progress=False)
    assert rest.asked == [8, 9, 10, 11]
    whole = viz.top_patches(model, Pictures(12), "conv3", k=3, batch=2, progress=False)
    for part in ("values", "image_index", "positions", "boxes"):
        assert torch.equal(getattr(patches, part), getattr(whole, part)), part


@pytest.mark.slow
def test_a_killed_process_loses_nothing(model, tmp_path):
    """SIGKILL in the middle of the run: what was saved is whole, and going on gives the result of one run."""
    path = tmp_path / "index"
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        import cs231n_viz as viz
        from cs231n_viz.representation import top_patches
        from tests.representation.test_features import Pictures
        top_patches._SAVE_EVERY = 4
        class Deadly(Pictures):
            def __getitem__(self, index):
                if index == 9:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().__getitem__(index)
        model = viz.load_model("mini_alexnet", weights=None)
        viz.top_patches(model, Deadly(12), "conv3", k=3, batch=2, index={str(path)!r}, progress=False)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    rest = Pictures(12)
    patches = viz.top_patches(model, rest, "conv3", k=3, batch=2, index=path, progress=False)
    assert rest.asked[0] == 8
    whole = viz.top_patches(model, Pictures(12), "conv3", k=3, batch=2, progress=False)
    assert torch.equal(patches.image_index, whole.image_index)
    torch.testing.assert_close(patches.values, whole.values, atol=1e-6, rtol=1e-6)


def test_unfit_requests_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match="k must be from 1 to 3, the pictures of the gallery; got 9"):
        viz.top_patches(model, Pictures(3), "conv3")
    with pytest.raises(KeyError, match="conv3"):
        viz.top_patches(model, Pictures(3), "conv33", k=1)
    with pytest.raises(ValueError, match=r"gallery\.key"):
        viz.top_patches(model, [(torch.rand(3, 9, 9), 0)], "conv3", k=1, index=tmp_path / "index")
    with pytest.raises(FileNotFoundError, match="there is no index"):
        viz.load_patches(tmp_path / "none", model, Pictures(3), "conv3")


def test_the_model_is_left_as_it_was(model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    viz.top_patches(model, Pictures(3), "relu5", k=2, progress=False)
    assert model.training
    model.eval()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.slow
def test_a_cluster_of_two_workers_gives_the_same_bits(model):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    pictures = Pictures(21)
    alone = viz.top_patches(model, pictures, "conv5", k=3, batch=4, progress=False)
    vectors = viz.features(model, pictures, "fc7", batch=4, progress=False)
    with (
        mock.patch.dict(os.environ),  # a cluster leaves settings behind that make every later process slow
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        together = viz.top_patches(model, pictures, "conv5", k=3, batch=4, client=client)
        assert torch.equal(vectors, viz.features(model, pictures, "fc7", batch=4, client=client))
    for part in ("values", "image_index", "positions", "boxes"):
        assert torch.equal(getattr(alone, part), getattr(together, part)), part
