import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from PIL import Image

import cs231n_viz as viz
from cs231n_viz.data_files import data_path
from cs231n_viz.plotting import alt_text, figures


@pytest.fixture
def ax():
    return plt.figure().subplots()


def neutral(ax):
    """The colour in which the last image of ``ax`` shows a zero."""
    return ax.images[-1].to_rgba(np.zeros((1, 1)), alpha=1.0)[0, 0]


def test_signed_heatmap_is_centred_on_zero(ax):
    assert figures.show_heatmap(torch.tensor([[-1.0, 0.5]]), signed=True, ax=ax) is ax
    assert ax.images[0].get_clim() == (-1.0, 1.0)
    assert ax.images[0].get_cmap().name == "RdBu_r"
    np.testing.assert_allclose(neutral(ax)[:3], neutral(ax)[0], atol=0.01)  # grey or white: no hue


def test_unsigned_heatmap_begins_at_zero_even_if_its_values_do_not(ax):
    figures.show_heatmap(torch.tensor([[3.0, 5.0]]), ax=ax)
    assert ax.images[0].get_clim() == (0.0, 5.0)
    assert ax.images[0].get_cmap().name == "viridis"


def test_a_shared_limit_makes_two_heatmaps_comparable(ax):
    figures.show_heatmap(torch.tensor([[0.1, 0.2]]), limit=2.0, ax=ax)
    assert ax.images[0].get_clim() == (0.0, 2.0)


def test_a_heatmap_of_zeros_is_drawn(ax):
    figures.show_heatmap(torch.zeros(2, 2), signed=True, ax=ax)
    assert ax.images[0].get_clim() == (-1.0, 1.0)


def test_heatmap_covers_its_image_exactly(ax):
    figures.show_heatmap(torch.ones(3, 4), image=torch.rand(3, 60, 80), ax=ax)
    photo, heat = ax.images
    assert photo.get_extent() == heat.get_extent()
    assert heat.get_alpha() < 1


@pytest.mark.parametrize(
    ("heatmap", "message"),
    [
        (torch.zeros(1, 2, 2), r"\(h, w\)"),
        (torch.tensor([[-1.0]]), "signed=True"),
        (torch.tensor([[float("nan")]]), "nan"),
    ],
)
def test_heatmap_refuses_what_it_would_misrepresent(heatmap, message, ax):
    with pytest.raises(ValueError, match=message):
        figures.show_heatmap(heatmap, ax=ax)


def test_show_image_shows_the_pixels_as_they_are(ax):
    image = torch.rand(3, 4, 5) * 0.2  # dark on purpose: nothing may be stretched
    assert figures.show_image(image, ax=ax, title="dark") is ax
    np.testing.assert_allclose(ax.images[0].get_array(), image.permute(1, 2, 0).numpy())
    assert ax.get_title() == "dark"


@pytest.mark.parametrize("image", [torch.rand(4, 5, 3), torch.rand(1, 3, 4, 4), torch.rand(3, 4, 4) * 255])
def test_show_image_names_the_wrong_shape_or_range(image, ax):
    with pytest.raises(ValueError, match=r"image must"):
        figures.show_image(image, ax=ax)


def test_show_image_uses_the_current_axes_if_none_are_given(ax):
    assert figures.show_image(torch.zeros(3, 2, 2)) is ax


def test_show_images_makes_one_axes_per_picture():
    fig = figures.show_images(torch.rand(5, 3, 4, 4), titles=list("abcde"), columns=3)
    shown = [ax for ax in fig.axes if ax.images]
    assert [ax.get_title() for ax in shown] == list("abcde")
    assert len(fig.axes) == 6
    assert not fig.axes[-1].axison


def test_show_images_wants_one_title_each():
    with pytest.raises(ValueError, match="each of 2 images, got 1"):
        figures.show_images(torch.rand(2, 3, 4, 4), titles=["a"])
    with pytest.raises(ValueError, match="empty"):
        figures.show_images([])


def test_tile_puts_every_picture_where_it_belongs():
    images = torch.rand(5, 3, 2, 4)
    page = figures.tile(images, columns=3, pad=1)
    assert page.shape == (3, 2 * 3 + 1, 3 * 5 + 1)
    torch.testing.assert_close(page[:, 1:3, 1:5], images[0])
    torch.testing.assert_close(page[:, 4:6, 6:10], images[4])
    assert (page[:, 4:6, 11:15] == 1).all()  # the empty place


def test_tile_without_padding_of_one_picture_is_the_picture():
    image = torch.rand(1, 3, 5, 7)
    torch.testing.assert_close(figures.tile(image, pad=0), image[0])


@pytest.mark.parametrize("images", [torch.rand(3, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(0, 3, 4, 4)])
def test_tile_refuses_other_shapes(images):
    with pytest.raises(ValueError, match=r"\(K, 3, h, w\)"):
        figures.tile(images)


def test_show_grid_keeps_elements_sharp(ax):
    filters = torch.rand(4, 3, 3, 3)
    assert figures.show_grid(filters, columns=2, ax=ax) is ax
    assert ax.images[0].get_interpolation() == "nearest"
    page = figures.tile(filters, 2, 1).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ax.images[0].get_array(), page)


def test_draw_box_surrounds_exactly_the_pixels_of_the_slice(ax):
    figures.show_image(torch.zeros(3, 20, 20), ax=ax)
    assert figures.draw_box((2, 3, 7, 11), ax, "#0072B2") is ax
    (patch,) = ax.patches
    left, bottom, right, top = patch.get_extents().transformed(ax.transData.inverted()).extents
    np.testing.assert_allclose([left, right], [2.5, 10.5])
    np.testing.assert_allclose(sorted([bottom, top]), [1.5, 6.5])
    assert patch.get_edgecolor() == to_rgba("#0072B2")
    assert not patch.get_fill()


def test_draw_box_refuses_a_box_turned_inside_out(ax):
    with pytest.raises(ValueError, match="top, left, bottom, right"):
        figures.draw_box((5, 0, 2, 3), ax)


def picture_of(described):
    """The bytes of the picture in the page that a notebook stores."""
    (found,) = re.findall(rf'src="data:{described.mime};base64,([^"]+)"', described._repr_mimebundle_()["text/html"])
    return base64.b64decode(found)


def test_a_described_figure_carries_its_alternative_text_and_is_closed(ax):
    figures.show_image(torch.rand(3, 8, 8), ax=ax)
    described = alt_text.figure(ax, 'A "noisy" square.')
    data = described._repr_mimebundle_()
    assert data["text/plain"] == repr(described) == 'A "noisy" square.'
    assert 'alt="A &quot;noisy&quot; square."' in data["text/html"]
    assert not plt.get_fignums()  # else the notebook would show it a second time
    image = Image.open(io.BytesIO(picture_of(described)))
    assert image.get_format_mimetype() == described.mime


def test_a_described_figure_wants_a_description(ax):
    with pytest.raises(ValueError, match="alt is empty"):
        alt_text.figure(ax, "  ")


def test_a_described_picture_is_reduced_to_the_page():
    pixels = np.zeros((100, 1290, 3), np.uint8)
    described = alt_text.picture(pixels, "Nothing but black.")
    assert Image.open(io.BytesIO(described.picture)).size == (860, 67)
    with pytest.raises(ValueError, match="uint8"):
        alt_text.picture(pixels / 255, "floats")


def test_plotting_leaves_matplotlibs_settings_alone(ax):
    before = dict(plt.rcParams)
    figures.show_heatmap(torch.rand(2, 2), ax=ax)
    figures.show_images([torch.rand(3, 2, 2)])
    assert dict(plt.rcParams) == before


def test_a_plate_is_shown_in_half_the_bytes_of_its_file():
    plate, shown = viz.load_plate("channels_relu4_2"), alt_text.plate("channels_relu4_2")
    assert shown.alt == plate.alt
    assert shown.mime == "image/webp"
    assert len(shown.picture) < 0.7 * plate.path.stat().st_size
    pixels = viz.load_image(picture_of(shown))
    assert viz.psnr(pixels, plate.image) > 30
    film = alt_text.plate("dream_zoom")  # as its file has it
    assert picture_of(film) == data_path("plates", "dream_zoom.webp").read_bytes()
    with pytest.raises(viz.ImageError, match="did you mean"):
        alt_text.plate("channel_smal")
