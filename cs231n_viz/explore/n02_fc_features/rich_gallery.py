"""The gallery that explorers of features show if none is given."""

from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.photographs import photographs_folder, unseen

_PICTURES, _PER_CLASS = 200, 8  # more of a class than the five neighbours that are shown


def rich_gallery() -> Gallery:
    """About 200 pictures: photographs of 25 kinds where ``make pictures`` has fetched some, else scenes."""
    kinds = [kind for kind, rows in unseen(photographs_folder()).items() if len(rows) >= _PER_CLASS]
    if not kinds:
        return Gallery.scenes(_PICTURES)
    every = max(1, len(kinds) // (_PICTURES // _PER_CLASS))  # spread over the alphabet, which mixes the sets
    return Gallery.photographs(_PER_CLASS, categories=kinds[::every][: _PICTURES // _PER_CLASS]).in_memory()
