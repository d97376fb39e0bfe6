"""Several faces of one class: clusters of pictures, and pictures that must differ."""

import pytest
import torch
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.synthesis.facets import diversity, facets, multifaceted
from tests.networks import small_classifier


def coloured(counts=(5, 9, 3)):
    """Pictures of three colours with a little noise, mixed up, and the colour of each."""
    colours = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])
    which = torch.cat([torch.full((count,), kind) for kind, count in enumerate(counts)])
    which = which[torch.randperm(len(which), generator=torch.Generator().manual_seed(3))]
    noise = 0.02 * torch.rand(len(which), 3, 48, 48, generator=torch.Generator().manual_seed(4))
    return [(colours[kind].view(3, 1, 1) + extra, 0) for kind, extra in zip(which, noise, strict=True)], which


def test_kinds_are_found_the_largest_first_and_their_mean_is_the_start():
    model = small_classifier()
    gallery, which = coloured()
    found = facets(model, gallery, "gap", count=3)
    assert [len(members) for members in found.members] == [9, 5, 3]
    assert sorted(row for members in found.members for row in members) == list(range(17))
    for start, members, kind in zip(found.starts, found.members, (1, 0, 2), strict=True):
        assert set(which[members].tolist()) == {kind}
        torch.testing.assert_close(start, torch.stack([gallery[row][0] for row in members]).mean(0), atol=1e-4, rtol=0)


def test_the_most_typical_come_first_and_only_so_many_make_the_start():
    model = small_classifier()
    gallery, _ = coloured()
    found = facets(model, gallery, "gap", count=1, nearest=1)
    vectors = viz.features(model, gallery, "gap", progress=False)
    distance = (vectors - vectors.mean(0)).norm(dim=1)
    assert found.members[0] == distance.argsort().tolist()
    torch.testing.assert_close(found.starts[0], gallery[found.members[0][0]][0], atol=1e-4, rtol=0)


def test_the_same_seed_finds_the_same_kinds():
    model = small_classifier()
    gallery, _ = coloured()
    assert facets(model, gallery, "conv2", seed=1).members == facets(model, gallery, "conv2", seed=1).members


def test_more_kinds_than_pictures_are_refused():
    with pytest.raises(ValueError, match="from 1 to 17 facets of 17 pictures, got 18"):
        facets(small_classifier(), coloured()[0], "gap", count=18)


def test_diversity_is_minus_the_mean_similarity_of_the_textures():
    model = small_classifier()
    images = torch.rand(3, 3, 48, 48)
    maps = viz.activations(model, images, ["conv2"])["conv2"].flatten(2)
    textures = (maps @ maps.mT).flatten(1)
    pairs = [F.cosine_similarity(textures[i], textures[j], dim=0) for i in range(3) for j in range(3) if i != j]
    expected = -3 * torch.stack(pairs).mean()
    assert diversity(model, "conv2")(images).item() == pytest.approx(expected.item(), rel=1e-4)
    same = images[:1].expand(3, -1, -1, -1)
    assert diversity(model, "conv2")(same).item() == pytest.approx(-3, rel=1e-5)


def test_moving_a_picture_is_no_diversity():
    maps = small_classifier()
    image = torch.rand(1, 3, 48, 48)
    both = torch.cat([image, image.roll((16, 8), (2, 3))])
    assert diversity(maps, "conv2")(both).item() < -1.99


def test_one_picture_alone_cannot_differ():
    with pytest.raises(ValueError, match="at least 2"):
        diversity(small_classifier(), "conv2")(torch.rand(1, 3, 48, 48))


def test_faces_are_optimised_together_and_the_term_makes_them_differ():
    model = small_classifier()
    starts = facets(model, coloured()[0], "gap", count=3).starts
    options = {"layer": "conv2", "steps": 24, "progress": False}
    plain = multifaceted(model, 1, starts, weight=0.0, **options)
    apart = multifaceted(model, 1, starts, weight=300.0, **options)
    assert plain.image.shape == apart.image.shape == (3, 3, 48, 48)
    measure = diversity(model, "conv2")
    assert measure(apart.image) > measure(plain.image) + 0.05
    assert apart.settings["diversity"] == 300.0
    assert apart.settings["class"] == "b"
    logits = model(plain.image)[:, 1]
    assert (logits > model(starts)[:, 1]).all()
