"""Find the files that come with the package: weights, paintings, masks.

In a checkout they lie in ``data/`` beside the package; a wheel carries the same folder inside the package.
"""

from difflib import get_close_matches
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_root() -> Path:
    """The folder that holds the shipped files: inside an installed wheel, else the ``data/`` of the checkout."""
    packed = _PACKAGE / "data"
    return packed if packed.is_dir() else _PACKAGE.parent / "data"


def data_path(*parts: str) -> Path:
    """Find a shipped file.

    Args:
        *parts: Path below the data folder, for example ``"weights", "mini_alexnet.safetensors"``.

    Returns:
        The path of an existing file or folder.

    Raises:
        FileNotFoundError: There is no such file; the message names it, the folder that was searched and the name
            nearest to it.
    """
    root = data_root()
    path = root.joinpath(*parts)
    if path.exists():
        return path
    siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, siblings, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise FileNotFoundError(f"'{'/'.join(parts)}' is not among the files that come with cs231n_viz, in {root}{hint}")
