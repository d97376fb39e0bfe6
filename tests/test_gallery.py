import pytest

import cs231n_viz as viz


def test_photos_are_labelled_in_the_words_of_the_shipped_networks():
    gallery = viz.Gallery.photos()
    assert gallery.names == viz.sample_images()
    image, label = gallery[gallery.names.index("motorcycle")]
    assert gallery.categories[label] == "Motorbikes"
    assert image.ndim == 3
    assert image.shape[0] == 3
    shown = {name: gallery.categories[label] for name, label in zip(gallery.names, gallery.labels, strict=True)}
    assert shown["astronaut"] == shown["grace_hopper"] == "Faces"
    assert shown["moon"] == "moon"


def test_pictures_load_when_asked_for(monkeypatch):
    loaded = []
    monkeypatch.setattr("cs231n_viz.gallery.load_image", lambda name: loaded.append(name))
    gallery = viz.Gallery.photos()
    assert loaded == []
    assert len(list(gallery)) == len(gallery) == len(loaded)
    gallery[-1]
    assert loaded[-1] == gallery.names[-1]
    with pytest.raises(IndexError, match=f"picture {len(gallery)} of a gallery of {len(gallery)}"):
        gallery[len(gallery)]
