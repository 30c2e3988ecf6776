import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitproof.bench.ahead import batches
from bitproof.bench.cache import SampleCache
from bitproof.bench.pictures import Pipeline, draw, fill, to_tensor
from bitproof.core import Geometry
from bitproof.noises import FRAMES, expand
from bitproof.tasks import load

GEOMETRY = Geometry(24, 32)
FRAMES_17 = [f"{name}:17" for name in FRAMES]


@pytest.fixture(scope="module")
def task(pictures):
    return load(f"imagefolder:{pictures}")


def pipeline(task, *noises, cache=None, seed=0):
    return Pipeline(task, GEOMETRY, noises, seed, cache or SampleCache())


def test_a_sample_meets_the_same_noise_alone_and_in_company(task):
    samples = task.data.samples[:7]
    alone = [pipeline(task, "gaussian_noise:3").made(sample) for sample in samples]
    for size, workers in ((1, 1), (3, 2), (7, 4)):
        made = list(batches(pipeline(task, "gaussian_noise:3"), samples, size, workers))
        assert [s.id for chunk, _ in made for s in chunk] == [s.id for s in samples]
        together = np.concatenate([x.numpy() for _, x in made])
        np.testing.assert_array_equal(together, np.stack(alone).transpose(0, 3, 1, 2) / np.float32(255))


@settings(max_examples=40, deadline=None)
@given(
    spec=st.sampled_from([*expand("corruptions:2"), *expand("corruptions-extra:4"), *expand("corruptions-bar:3"), *FRAMES_17]),
    size=st.integers(1, 9),
    workers=st.integers(1, 4),
    order=st.permutations(range(6)),
)
def test_no_split_order_or_worker_shows(task, spec, size, workers, order):
    samples = [task.data.samples[i] for i in order]
    made = batches(pipeline(task, spec), samples, size, workers)
    together = {sample.id: picture for chunk, x in made for sample, picture in zip(chunk, x.numpy(), strict=True)}
    alone = pipeline(task, spec).made(samples[0])
    np.testing.assert_array_equal(together[samples[0].id], alone.transpose(2, 0, 1) / np.float32(255))


def test_a_draw_follows_from_names(task):
    one, other = task.data.samples[:2]
    seeds = {draw("fog:3", 0, one), draw("fog:4", 0, one), draw("fog:3", 1, one), draw("fog:3", 0, other), draw("snow:3", 0, one)}
    assert len(seeds) == 5
    assert draw("fog:3", 0, one) == draw("fog:3,constants=cifar", 0, one)


def test_a_noise_stands_at_its_site_and_leaves_the_others(task):
    at = pipeline(task, "decode-ffmpeg", "cv-area", "bgr", "fog:1").occupants
    assert at == {"decode": "decode-ffmpeg", "resize": "cv-area", "color": "bgr", "image": "fog:1"}
    assert pipeline(task).occupants == {"decode": "decode-pil", "resize": "pil-bilinear"}


def test_a_frame_that_moves_the_picture_shows_what_the_crop_cut_off(task):
    sample = task.data.samples[0]
    whole = Pipeline(task, Geometry(32, 32), (), 0, SampleCache()).made(sample)
    clean = pipeline(task).made(sample)
    np.testing.assert_array_equal(pipeline(task, "translate_p:20").made(sample), clean)
    np.testing.assert_array_equal(pipeline(task, "translate_p:23").made(sample), whole[4:28, 1:25])
    np.testing.assert_array_equal(pipeline(task, "bgr", "translate_p:17").made(sample), whole[4:28, 7:31, ::-1])
    assert pipeline(task, "pil-box:resize=28", "rotate_p:3").made(sample).shape == clean.shape
    assert draw("snow_p:3", 0, sample) == draw("snow_p:4", 0, sample)


def test_noise_never_writes_into_the_clean_picture(task):
    cache, sample = SampleCache(), task.data.samples[0]
    clean = pipeline(task, cache=cache).made(sample).copy()
    pipeline(task, "bgr", "contrast:5", cache=cache).made(sample)
    np.testing.assert_array_equal(pipeline(task, cache=cache).made(sample), clean)


def test_fill_is_to_tensor_for_every_level():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    picture = levels[:, ::-1]
    row = np.empty((3, 16, 16), np.float32)
    fill(row, picture)
    np.testing.assert_array_equal(row, to_tensor(np.ascontiguousarray(picture)[None])[0].numpy())


def test_the_cache_forgets_the_least_used_beyond_its_bound():
    made = []

    def make(key):
        return lambda: made.append(key) or np.zeros(100, np.uint8)

    cache = SampleCache(limit_bytes=250)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get((key,), make(key))
    assert made == ["a", "b", "c", "b"]
