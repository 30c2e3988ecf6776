"""Noise of points: OFF files, even sampling, sizes, released constants, seeds."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_shapes import CLASSES, SHAPES, off

from bitproof.core import SITES, Cloud, DataError, ShapeError, SpecError
from bitproof.noises import NOISES, expand, noise
from bitproof.noises.points.clouds import seen_from, turned
from bitproof.noises.points.sample import farthest, on_surface
from bitproof.noises.points.shape import checked, in_sphere

OWN = [name for name in NOISES._own if NOISES.load(name).kinds == ("points",)]
GRADED = [name for name in OWN if NOISES.load(name).site == "cloud"]
N = 1024


def mesh(name="ball", i=0):
    return noise("decode-shape")(off(name, i))


def cloud(name="ball", n=N):
    return noise("sample-area")(mesh(name), Cloud(n), 5)


@pytest.mark.parametrize("name", OWN)
def test_every_noise_says_where_it_stands(name):
    found = NOISES.load(name)
    assert found.site in SITES["points"] and found.family in ("natural", "system")


@pytest.mark.parametrize("name", CLASSES)
def test_an_off_file_gives_its_vertices_and_fans_of_its_faces(name):
    vertices, faces = SHAPES[name]()
    for i in (0, 1):  # counts on a line of their own, and behind the word
        shape = mesh(name, i)
        assert len(shape.vertices) == len(vertices) and len(shape.triangles) == sum(len(face) - 2 for face in faces)
    assert {tuple(t) for t in shape.triangles} == {(f[0], f[j], f[j + 1]) for f in faces for j in range(1, len(f) - 1)}
    np.testing.assert_array_equal(noise("decode-shape")(b"# made by hand\n" + off(name, 2)).triangles, mesh(name, 2).triangles)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "empty"),
        (b"PLY 1", "no plain OFF"),
        (b"COFF 1 0 0 0 0 0", "no plain OFF"),
        (b"OFF", "broken"),
        (b"OFF 1 0 0 0 0 x", "could not convert"),
        (b"OFF 2 0 0 0 0 0", "broken"),
        (b"OFF -1 0 0", "-1 stands where a count"),
        (b"OFF 1 0 0 nan 0 0", "not finite"),
        (b"OFF 0 0 0", "vertices V×3"),
        (b"OFF 3 1 0 0 0 0 1 0 0 0 1 0 3 0 1 3", "names a vertex that there is not"),
        (b"OFF 3 1 0 0 0 0 1 0 0 0 1 0 3 0 1 1.5", "not whole"),
        (b"OFF 3 2 0 0 0 0 1 0 0 0 1 0 3 0 1 2", "before its 2 faces"),
        (b"OFF 3 1 0 0 0 0 1 0 0 0 1 0 3 0 1 2 255 0 0", "colours"),
        (b"OFF 1 99999999999999999999 0 0 0 0", "before its"),
        (b"\x93NUMPY nothing", "no readable NumPy"),
    ],
)
def test_a_broken_file_is_told(text, told):
    with pytest.raises(DataError, match=told):
        noise("decode-shape")(text)


def test_a_cloud_is_a_numpy_file_of_three_columns():
    def npy(array):
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()

    assert len(noise("decode-shape")(npy(np.ones((5, 3), np.float32))).vertices) == 5
    for wrong in (np.ones((5, 2)), np.ones((5, 3), int), np.array([{}])):
        with pytest.raises(DataError):
            noise("decode-shape")(npy(wrong))


def test_points_lie_evenly_on_the_surface():
    # A square of two unequal triangles: a tenth and nine tenths of the area.
    shape = checked([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 0.2, 0), (0, 1, 0)], [(0, 1, 3), (1, 2, 4), (1, 4, 3)])
    points = on_surface(shape, 40_000, np.random.default_rng(0))
    assert not points[:, 2].any()
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=5, range=[[0, 1], [0, 1]])[0]
    assert abs(counts - 1600).max() < 5 * np.sqrt(1600)  # every fifth by fifth of the square alike
    with pytest.raises(DataError, match="no area"):
        on_surface(checked([(0, 0, 0), (1, 1, 1), (2, 2, 2)], [(0, 1, 2)]), 3, np.random.default_rng(0))


@pytest.mark.parametrize("name", [name for name in OWN if NOISES.load(name).site == "sample"])
def test_a_draw_is_of_its_seed_and_lies_in_the_sphere(name):
    one, two, other = (noise(name)(mesh("box"), Cloud(200), seed) for seed in (3, 3, 4))
    assert (one.dtype, one.shape) == (np.float32, (200, 3))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert np.linalg.norm(one, axis=1).max() == pytest.approx(1) and np.abs(one.mean(axis=0)).max() < 1e-6


def test_farthest_points_are_farther_from_one_another():
    def closest(points):
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        return (distances + 9 * np.eye(len(points))).min(axis=1).mean()

    even, far = (noise(name)(mesh(), Cloud(64), 0) for name in ("sample-area", "sample-farthest"))
    assert closest(far) > 1.5 * closest(even)
    points = np.random.default_rng(0).random((50, 3))
    assert {tuple(p) for p in farthest(points, 50)} == {tuple(p) for p in points}


def test_a_cloud_with_fewer_points_than_asked_repeats_them():
    few = checked(np.random.default_rng(0).random((10, 3)), ())
    for name in ("sample-area", "sample-vertices", "sample-farthest"):
        assert len(np.unique(noise(name)(few, Cloud(32), 1), axis=0)) == 10
        assert len(np.unique(noise(name)(few, Cloud(8), 1), axis=0)) == 8


def test_frames_bring_any_size_to_one():
    x = (cloud("box") * [3, 2, 1] + [7, 8, 9]).astype(np.float32)
    sphere, box = noise("unit-sphere")(x), noise("unit-box")(x)
    assert np.linalg.norm(sphere, axis=1).max() == pytest.approx(1) and np.abs(sphere.mean(axis=0)).max() < 1e-6
    np.testing.assert_allclose([box[:, 0].min(), box[:, 0].max()], [-1, 1], atol=1e-6)
    np.testing.assert_allclose(box.max(axis=0) + box.min(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(in_sphere(sphere), sphere, atol=1e-6)
    assert not in_sphere(np.ones((4, 3))).any()


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", GRADED)
def test_a_cloud_keeps_its_shape_its_seed_decides_and_the_input_is_left_alone(name, severity):
    x, before = cloud(), cloud()
    one, two, *others = (noise(f"{name}:{severity}")(x, seed) for seed in (3, 3, *range(4, 12)))
    assert (one.dtype, one.shape) == (np.float32, x.shape) and np.isfinite(one).all()
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(x, before)
    assert not all(np.array_equal(one, other) for other in others) and not np.array_equal(one, x) and not np.shares_memory(one, x)


@given(n=st.integers(1, 40), seed=st.integers(0, 2**62), name=st.sampled_from(GRADED), severity=st.integers(1, 5))
def test_a_cloud_of_any_number_of_points_has_what_becomes_of_it(n, seed, name, severity):
    x = np.random.default_rng(seed).uniform(-0.5, 0.5, (n, 3)).astype(np.float32)
    y = noise(f"{name}:{severity}")(x, seed)
    assert y.shape == x.shape and np.isfinite(y).all()


def test_constants_are_the_released_ones():
    x = cloud()
    moved = [noise(f"point_jitter:{s}")(x, 1) - x for s in range(1, 6)]
    np.testing.assert_allclose([m.std() for m in moved], (0.01, 0.015, 0.02, 0.025, 0.03), rtol=0.05)
    pushed = [np.abs(noise(f"point_impulse:{s}")(x, 1) - x) for s in range(1, 6)]
    assert [int((p.max(axis=1) > 0).sum()) for p in pushed] == [N // c for c in (30, 25, 20, 15, 10)]
    assert {round(float(v), 4) for p in pushed for v in p.flat} == {0.0, 0.1}
    away = [(noise(f"point_outliers:{s}")(x, 1) != x).any(axis=1).sum() for s in range(1, 6)]
    assert away == [N // c for c in (45, 40, 35, 30, 20)]
    left = [len(np.unique(noise(f"point_dropout:{s}")(x, 1), axis=0)) for s in range(1, 6)]
    assert left == [512, 256, 128, 64, 32]
    cut = [N - len(np.unique(noise(f"point_cutout:{s}")(x, 1), axis=0)) for s in range(1, 6)]
    assert cut == [30 * c for c in (2, 3, 5, 7, 10)]


def test_a_rotation_turns_by_what_it_says():
    x = cloud("box")
    for severity, degrees in enumerate((2.5, 5, 7.5, 10, 15), 1):
        y = noise(f"point_rotation:{severity}")(x, 2)
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), np.linalg.norm(x, axis=1), atol=1e-5)
        angle = np.degrees(np.arccos((np.trace(np.linalg.lstsq(x, y, rcond=None)[0]) - 1) / 2))
        assert degrees - 2.6 <= angle <= np.sqrt(3) * (degrees + 2.6) + 1
    np.testing.assert_allclose(np.array([1.0, 0, 0]) @ turned((0, 0, np.pi / 2)), [0, 1, 0], atol=1e-12)


def test_a_scale_makes_one_axis_longer_and_another_shorter():
    x = cloud("box")
    for severity in range(1, 6):
        factors = sorted(np.median(noise(f"point_scale:{severity}")(x, 2) / x, axis=0))
        np.testing.assert_allclose(factors, [1 - 0.1 * severity, 1, 1 + 0.1 * severity], rtol=1e-5)


def test_an_occluded_ball_is_a_half_of_it():
    x = cloud()
    viewer = np.array([0.0, 0.6, 0.8])
    seen = seen_from(x, viewer, 0.2)
    assert (x[seen] @ viewer).mean() > 0.3 and (x[~seen] @ viewer).mean() < -0.3 and 0.4 < seen.mean() < 0.65
    hidden = [len(np.unique(noise(f"point_occlusion:{s}")(x, 1), axis=0)) for s in range(1, 6)]
    assert hidden == sorted(hidden, reverse=True) and hidden[-1] < hidden[0]


def test_what_is_no_cloud_is_refused():
    for wrong in (np.ones((4, 3)), np.ones((4, 2), np.float32), np.ones((0, 3), np.float32), [[1.0, 2.0, 3.0]]):
        with pytest.raises(ShapeError):
            noise("point_jitter:1")(wrong, 0)
    with pytest.raises(SpecError):
        noise("point_jitter:6")
    with pytest.raises(SpecError, match="points=4"):
        Cloud(4)


def test_families_of_points():
    assert len(expand("corruptions", kind="points")) == 45 == 5 * len(GRADED)
    assert set(expand("corruptions:3", kind="points")) == {f"{name}:3" for name in GRADED}
    clean = ("decode-shape", "sample-area", "unit-sphere")
    assert expand("system", clean=clean, kind="points") == ["sample-vertices", "sample-farthest", "unit-box"]
    assert expand("system-all", clean=clean, kind="points")[-2:] == ["fp16", "bf16"]
    assert expand("unit-box+point_jitter:2+sample-farthest") == ["sample-farthest+point_jitter:2+unit-box"]
