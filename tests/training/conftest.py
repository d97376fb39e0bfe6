import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def root(tmp_path):
    """The four data sets in torchvision's layouts, a few small pictures each."""
    draw = np.random.default_rng(0)
    folders = {
        "caltech101/101_ObjectCategories/cup": 10,
        "caltech101/101_ObjectCategories/Faces": 5,
        "caltech101/101_ObjectCategories/Faces_easy": 5,
        "imagenette2-160/train/n03028079": 5,
        "imagenette2-160/val/n03028079": 3,
        "cats_dogs/cat": 5,
        "cats_dogs/dog": 5,
        "flowers17/3": 5,
    }
    for folder, count in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.jpg")
    return tmp_path
