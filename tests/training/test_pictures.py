from training import pictures


def test_a_fifth_is_held_out_and_never_trained_on(root):
    found = pictures.find(root)
    assert found.categories == ["cup", "Faces", "church", "cat", "dog", "flower"]
    assert {name: len(rows) for name, rows in found.held_out.items()} == {
        "caltech101": 3,
        "pets": 2,
        "flowers": 1,
        "imagenette": 3,
    }
    held = {path for rows in found.held_out.values() for path, _ in rows}
    assert not held & {path for path, _ in found.train}
    assert pictures.find(root).train == found.train
    assert not any("Faces_easy" in str(path) for path, _ in found.train)
