"""Build the small indexes of patches that notebook 03 reads: ``python -m training.indexes``.

The notebook builds those that are missing; with them it starts sooner. An index that was built with other weights or
pictures is built again.
"""

import argparse

import cs231n_viz as viz
from cs231n_viz.data_files import data_root

PICTURES, SEED = 160, 0
LAYERS = {"mini_alexnet": "relu5", "mini_vgg": "relu5_2"}


def main() -> None:
    """Write one file per network, trained and untrained, into ``data/indexes``."""
    argparse.ArgumentParser(prog="python -m training.indexes", description=__doc__.splitlines()[0]).parse_args()
    gallery = viz.Gallery.scenes(PICTURES, seed=SEED).in_memory()
    for name, layer in LAYERS.items():
        for weights, state in (("DEFAULT", "trained"), (None, "untrained")):
            model = viz.load_model(name, weights=weights, seed=SEED)
            path = data_root() / "indexes" / f"{name}-{state}.safetensors"
            try:
                viz.top_patches(model, gallery, layer, k=len(gallery), index=path)
            except viz.StaleIndexError:
                path.unlink()
                viz.top_patches(model, gallery, layer, k=len(gallery), index=path)
            print(f"{path.relative_to(data_root().parent)}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
