"""A tiny ModelNet: boxes, balls and tetrahedra as OFF files, and clouds of them as an HDF5 file."""

import itertools
from pathlib import Path

import numpy as np

CLASSES = ("ball", "box", "tetrahedron")


def ball(n=8):
    """A ball of latitude and longitude lines, of quadrangles, with triangles at the poles."""
    turns, heights = 2 * np.pi * np.arange(n) / n, np.pi * np.arange(1, n) / n
    rings = [(np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)) for a in heights for b in turns]
    vertices, last = [(0, 0, 1), *rings, (0, 0, -1)], (n - 1) * n + 1

    def at(ring, i):
        return 1 + ring * n + i % n

    faces = [(at(r, i), at(r + 1, i), at(r + 1, i + 1), at(r, i + 1)) for r in range(n - 2) for i in range(n)]
    faces += [(0, at(0, i), at(0, i + 1)) for i in range(n)]
    faces += [(last, at(n - 2, i + 1), at(n - 2, i)) for i in range(n)]
    return np.array(vertices), faces


def box():
    """A box of twelve triangles."""
    vertices = np.array(list(itertools.product((-1, 1), repeat=3)), float)
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return vertices, [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]


def tetrahedron():
    """Four triangles."""
    return np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float), [(0, 1, 2), (0, 3, 1), (0, 2, 3), (1, 3, 2)]


SHAPES = dict(zip(CLASSES, (ball, box, tetrahedron), strict=True))


def off(name, i):
    """An OFF file of a class, stretched and moved by the draw ``i``; odd ones have their counts behind the word OFF."""
    vertices, faces = SHAPES[name]()
    rng = np.random.default_rng([CLASSES.index(name), i])
    vertices = vertices * rng.uniform(0.9, 1.1, 3) * 10 ** rng.uniform(-1, 2) + rng.uniform(-50, 50, 3)
    head = f"OFF{'' if i % 2 else chr(10)}{len(vertices)} {len(faces)} 0"
    rows = [" ".join(f"{value:.6f}" for value in vertex) for vertex in vertices]
    rows += [" ".join(map(str, (len(face), *face))) for face in faces]
    return "\n".join([head, *rows, ""]).encode()


def write_off(root: Path, count: int) -> Path:
    """ModelNet's folders with ``count`` shapes a class and part."""
    for (part, first), name in itertools.product((("train", 0), ("test", 1000)), CLASSES):
        (root / name / part).mkdir(parents=True)
        for i in range(count):
            (root / name / part / f"{name}_{i:04d}.off").write_bytes(off(name, first + i))
    (root / "README.txt").write_text("as in ModelNet10")
    return root


def write_hdf5(root: Path, count: int, points: int = 128) -> Path:
    """The layout of modelnet40_ply_hdf5_2048, ``count`` clouds a class and part."""
    import h5py

    from bitproof.core import Cloud
    from bitproof.noises import noise

    root.mkdir(exist_ok=True)
    (root / "shape_names.txt").write_text("\n".join(CLASSES) + "\n")
    for part, first in (("train", 0), ("test", 1000)):
        made = [(noise("sample-area")(noise("decode-shape")(off(name, first + i)), Cloud(points), i), label)
                for i in range(count) for label, name in enumerate(CLASSES)]  # fmt: skip
        with h5py.File(root / f"ply_data_{part}0.h5", "w") as file:
            file["data"] = np.stack([cloud for cloud, _ in made])
            file["label"] = np.array([[label] for _, label in made], np.uint8)
    return root
