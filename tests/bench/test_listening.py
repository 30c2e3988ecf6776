"""Keywords of a long recording, from a network that was packed and read again."""

import numpy as np
import pytest
import torch
from torch import nn

from bitproof.bench import Listening
from bitproof.bench.listening import Heard, cut, merged
from bitproof.convert import quantize
from bitproof.core import Clip, DataError, ModelError, SpecError
from bitproof.export import deploy, save_packed
from bitproof.models import load
from bitproof.noises import noise

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")

CLIP = Clip("logmel-32")


def features(n=4):
    generator = torch.Generator().manual_seed(0)
    return noise("logmel-32")(0.2 * torch.randn(n, 16_000, generator=generator))


@pytest.fixture(scope="module", params=["bifsmn:w1a1", "bifsmnv2:w1a2"])
def simulated(request):
    """A thinnable network whose norms have statistics of their own, at one bit; an untrained one has ties everywhere."""
    network, x = load("bifsmn:depth=2"), features()
    generator = torch.Generator().manual_seed(0)
    for module in network.module.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.bias.data.normal_(0, 0.3, generator=generator)
    return quantize(network.module, request.param, [x]).model


@pytest.fixture(scope="module")
def packed(simulated, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "packed.safetensors"
    save_packed(deploy(simulated, features(2)).model, path, {"kind": "keyword", **vars(CLIP)})
    return path


def test_a_packed_network_of_clips_answers_as_its_simulation(simulated, packed):
    network = load(f"packed:{packed}")
    assert (network.form, network.classes, network.differentiable) == (CLIP, 12, False)
    x = features()
    with torch.inference_mode():
        torch.testing.assert_close(network.module(x), simulated(x), rtol=1e-4, atol=1e-4)


def test_a_file_that_says_no_clip_is_refused(simulated, tmp_path):
    path = tmp_path / "packed.safetensors"
    save_packed(deploy(simulated, features(2)).model, path, {"kind": "keyword", "size": 3})
    with pytest.raises(ModelError, match="recording"):
        load(f"packed:{path}")


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, 44_100 * 3), 44_100)
    return path


def test_a_recording_is_heard_window_by_window(packed, recording):
    pytest.importorskip("soxr", reason="soxr is not installed")
    words = [f"w{i}" for i in range(12)]
    heard = list(Listening(f"packed:{packed}", hop_s=0.5, threshold=0.0, words=words).hear(recording))
    assert heard and all(h.word in words and h.end_s - h.start_s == 1 and 0 <= h.start_s <= 2 for h in heard)
    assert not list(Listening(f"packed:{packed}", threshold=1.0).hear(recording))


def test_windows_cover_a_recording_to_its_end():
    starts, windows = cut(np.arange(16_000 * 2 + 100, dtype=np.float32), CLIP, 0.4)
    assert starts == [0, 0.4, 0.8, 100 / 16_000 + 1] and windows.shape == (4, 16_000) and float(windows[-1, -1]) == 16_000 * 2 + 99
    assert cut(np.zeros(16_000, np.float32), CLIP, 0.4)[0] == [0]


def test_windows_of_one_word_are_one_word():
    found = [(0.0, "yes", 0.8), (0.25, "yes", 0.9), (0.5, "no", 0.7), (2.0, "no", 0.8), (2.25, "no", 0.6)]
    assert list(merged(found, 0.25, 1.0)) == [Heard(0.25, 1.25, "yes", 0.9), Heard(0.5, 1.5, "no", 0.7), Heard(2.0, 3.0, "no", 0.8)]
    assert not list(merged([], 0.25, 1.0))


def test_what_does_not_fit_is_told(packed, recording, tmp_path):
    model = f"packed:{packed}"
    for words, told in (({"hop_s": 0.0}, "0.01 to 10"), ({"threshold": 2.0}, "0 to 1"), ({"words": ["a", "b"]}, "12 classes")):
        with pytest.raises(SpecError, match=told):
            list(Listening(model, **words).hear(recording))
    with pytest.raises(SpecError, match="'image'"):
        list(Listening("small-cnn").hear(recording))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    for path in (tmp_path / "broken.wav", tmp_path / "nothing.wav"):
        with pytest.raises(DataError, match=path.name):
            list(Listening(model).hear(path))
