"""Pictures of one's own: what is sent, and what is said of a file that is none."""

import io

import pytest
from PIL import Image

from cs231n_viz.explore.toolkit.controls import upload_button, uploaded_picture
from cs231n_viz.pictures.images import ImageError


def given(name, kind, content):
    return ({"name": name, "type": kind, "size": len(content), "content": memoryview(content)},)


def test_a_picture_that_the_page_has_sent_is_read():
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (255, 0, 0)).save(file, "PNG")
    button = upload_button()
    assert uploaded_picture(button.value) is None
    button.value = given("red.png", "image/png", file.getvalue())
    picture = uploaded_picture(button.value)
    assert picture.shape == (3, 4, 6)
    assert picture.amax((1, 2)).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "kind", "content", "said"),
    [
        ("notes.txt", "text/plain", b"no picture", r"notes\.txt \(text/plain, 10 bytes\) is not a picture; wanted"),
        ("cut.jpg", "image/jpeg", b"\xff\xd8\xff" * 9, r"cut\.jpg \(image/jpeg, 27 bytes\) is not a picture that can"),
        ("scan", "", bytes(20_000), r"scan \(of unknown kind, 0\.02 MB\) is not a picture"),
    ],
)
def test_a_file_that_is_no_picture_is_named_with_its_kind_and_size(name, kind, content, said):
    with pytest.raises(ImageError, match=said):
        uploaded_picture(given(name, kind, content))


def test_every_frame_is_acknowledged_and_one_that_comes_too_late_is_none():
    button = upload_button(live=True)
    frame = ({**given("camera.jpg", "image/jpeg", b"first")[0], "frame": True},)
    button.value = frame
    assert button.value == ()
    button.filming = True
    for number in (1, 2):
        button.value = ({**frame[0], "last_modified": number},)
        assert button.received == number
    button.value = ()  # a reset
    assert not button.filming
