"""Noise of waves, resamplers and front ends: physical constants, other people's code as oracle, seeds."""

import io

import numpy as np
import pytest
import torch

from bitproof.core import SITES, Clip, DataError, ShapeError, SpecError
from bitproof.noises import NOISES, expand, noise
from bitproof.noises.sound.codecs import aligned, mu_law
from bitproof.noises.sound.features import mel_filters
from bitproof.noises.sound.recording import Recording
from bitproof.noises.sound.resample import resampled
from bitproof.noises.sound.waves import at_snr, pink, rms, room

RATE = 16_000
OWN = [name for name in NOISES._own if "keyword" in NOISES.load(name).kinds and NOISES.load(name).site != "model"]
GRADED = [name for name in OWN if hasattr(NOISES.load(name), "of") and name != "background"]  # that one reads a folder


def speech(seed=0, length=RATE):
    """Noise with a spectrum and an envelope, about as loud as speech."""
    rng = np.random.default_rng(seed)
    n = np.arange(length)
    tones = sum(np.sin(2 * np.pi * f * n / RATE + rng.uniform(0, 6)) / f for f in (180, 420, 900, 2100, 3300))
    return (30 * tones * np.hanning(length) + 0.002 * rng.standard_normal(length)).astype(np.float32).clip(-0.9, 0.9)


def disturbed(spec, seed=3, wave=None):
    built = noise(spec)
    others = [speech(i + 1) for i in range(getattr(built, "others", 0))]
    return built(speech() if wave is None else wave, RATE, seed, others)


@pytest.mark.parametrize("name", OWN)
def test_every_noise_says_where_it_stands(name):
    found = NOISES.load(name)
    assert all(found.site in SITES[kind] for kind in found.kinds) and found.family in ("natural", "system", "field")


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", GRADED)
def test_a_wave_stays_one_its_seed_decides_and_the_input_is_left_alone(name, severity):
    wave, before = speech(), speech()
    one, two = disturbed(f"{name}:{severity}", 3, wave), disturbed(f"{name}:{severity}", 3, wave)
    assert (one.dtype, one.shape) == (np.float32, wave.shape) and np.abs(one).max() <= 1
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(wave, before)
    assert not np.array_equal(one, wave) and not np.shares_memory(one, wave)


@pytest.mark.parametrize(
    ("name", "snr"), [("white_noise", (20, 15, 10, 5, 0)), ("pink_noise", (20, 15, 10, 5, 0)), ("babble", (20, 15, 10, 5, 0))]
)
def test_added_noise_has_the_ratio_it_says(name, snr):
    wave = 0.2 * speech()  # quiet enough that nothing is cut
    for severity, wanted in enumerate(snr, 1):
        added = disturbed(f"{name}:{severity}", wave=wave) - wave
        assert 20 * np.log10(rms(wave) / rms(added)) == pytest.approx(wanted, abs=0.05)


def test_silence_is_disturbed_as_if_it_were_speech():
    y = at_snr(np.zeros(1000, np.float32), np.ones(1000, np.float32), 20)
    np.testing.assert_allclose(y, 0.05 / 10, rtol=1e-6)
    assert not at_snr(np.zeros(9, np.float32), np.zeros(9, np.float32), 0).any()


def test_pink_noise_falls_by_3_db_an_octave():
    spectrum = np.mean([np.abs(np.fft.rfft(pink(np.random.default_rng(i), 1 << 14))) ** 2 for i in range(40)], axis=0)
    octaves = [spectrum[k : 2 * k].mean() for k in (64, 256, 1024, 4096)]
    np.testing.assert_allclose(10 * np.log10(np.array(octaves[:-1]) / octaves[1:]), 6.02, atol=0.4)


def test_a_room_falls_by_60_db_and_has_energy_1():
    h = room(np.random.default_rng(0), RATE, 0.5)
    assert np.square(h).sum() == pytest.approx(1, rel=1e-5)
    early, late = (np.square(h[a : a + 800]).mean() for a in (800, 6400))
    assert 10 * np.log10(early / late) == pytest.approx(60 * (6400 - 800) / (0.5 * RATE), abs=2)


def test_the_telephone_is_that_of_the_library():
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    x, file = speech(), io.BytesIO()
    soundfile.write(file, x, RATE, format="WAV", subtype="ULAW")
    file.seek(0)
    theirs = soundfile.read(file, dtype="float32")[0]
    # G.711's straight segments lie within a quantization step of the logarithm.
    assert np.abs(mu_law(x) - theirs).max() < 0.03
    assert 20 * np.log10(rms(x) / rms(mu_law(x) - x)) > 30


@pytest.mark.parametrize("spec", ["opus:24", "mp3:32"])
def test_a_codec_gives_the_wave_back_in_its_place(spec):
    x, y = speech(), disturbed(spec)
    assert len(y) == len(x) and 20 * np.log10(rms(x) / rms(y - x)) > 8


def test_a_delay_is_taken_off():
    x = speech()
    np.testing.assert_array_equal(aligned(np.pad(x, (312, 0)), x), x)


@pytest.mark.parametrize("by", ["soxr-hq", "linear", "nearest"])
def test_resamplers_keep_a_low_tone(by):
    if by.startswith("soxr"):
        pytest.importorskip("soxr", reason="soxr is not installed")
    x = np.sin(2 * np.pi * 200 * np.arange(44_100) / 44_100).astype(np.float32)
    y = resampled(x, 44_100, RATE, by)
    expected = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert len(y) == RATE and np.abs(y - expected)[200:-200].max() < 0.03


def test_a_recording_of_the_models_rate_is_left_as_it_is_and_a_short_one_filled():
    clip, wave = Clip("logmel-32"), speech(length=9000)
    y = noise("soxr-hq")(Recording(wave, RATE), clip)
    np.testing.assert_array_equal(y[:9000], wave)
    assert len(y) == RATE and not y[9000:].any()
    assert not noise("soxr-lq").changes(Recording(wave, RATE), clip) and noise("soxr-lq").changes(Recording(wave, 8000), clip)


def test_a_wrong_rate_moves_the_pitch():
    pytest.importorskip("soxr", reason="soxr is not installed")
    x = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    y = noise("mismatch:2")(Recording(x, RATE), Clip("logmel-32"))
    assert np.abs(np.fft.rfft(y)).argmax() == 500


@pytest.mark.parametrize(("scale", "norm"), [("htk", "none"), ("slaney", "none"), ("htk", "slaney"), ("slaney", "slaney")])
def test_mel_filters_are_those_of_the_library(scale, norm):
    theirs = pytest.importorskip("transformers.audio_utils", reason="transformers is not installed").mel_filter_bank
    wanted = theirs(1025, 32, 0.0, 8000.0, RATE, norm=None if norm == "none" else norm, mel_scale=scale)
    np.testing.assert_allclose(mel_filters(RATE, 2048, 32, 0, 8000, scale, norm).numpy(), wanted, atol=1e-9)


def test_log_mel_is_that_of_the_library():
    audio = pytest.importorskip("transformers.audio_utils", reason="transformers is not installed")
    x = speech().astype(np.float64)
    window = audio.window_function(2048, "hann")
    filters = audio.mel_filter_bank(1025, 32, 0.0, 8000.0, RATE, norm=None, mel_scale="htk")
    power = audio.spectrogram(x, window, 2048, 512, fft_length=2048, power=2.0, mel_filters=filters, mel_floor=0.0)
    wanted = 10 * np.log10(np.maximum(power / np.square(window).sum(), 1e-10))
    ours = noise("logmel-32")(torch.from_numpy(x)[None])[0, 0].numpy()
    assert ours.shape == (32, 32)
    np.testing.assert_allclose(ours, wanted, atol=1e-3)


def test_cepstra_are_the_cosine_transform():
    fft = pytest.importorskip("scipy.fft", reason="scipy is not installed")
    front, x = noise("mfcc-49x10"), torch.from_numpy(speech())[None].double()
    logs = front.power(x).clamp_min(1e-6).log()[0].numpy()
    np.testing.assert_allclose(front(x)[0, 0].numpy(), fft.dct(logs, type=2, norm="ortho")[:49, :10], atol=1e-6)


@pytest.mark.parametrize("name", ["logmel-32", "mfcc-49x10"])
def test_front_ends_take_batches_and_carry_gradients(name):
    front, x = noise(name), torch.stack([torch.from_numpy(speech(i)) for i in range(3)])
    with torch.inference_mode():
        alone = torch.cat([front(row[None]) for row in x])
    free = x.clone().requires_grad_()
    made = front(free)
    made.sum().backward()
    assert made.shape[1:] == front.shape and bool(free.grad.isfinite().all()) and bool(free.grad.any())
    torch.testing.assert_close(made.detach(), alone, rtol=1e-4, atol=1e-3)
    with pytest.raises(ShapeError, match="16000"):
        front(x[:, :100])


def test_words_of_families_mean_sound_for_a_keyword_task():
    assert len(expand("corruptions", kind="keyword")) == 5 * len(GRADED) and "white_noise:3" in expand(
        "corruptions:3", kind="keyword"
    )
    clean = ("decode-sndfile", "soxr-hq", "logmel-32")
    assert not set(clean) & set(expand("system", clean=clean, kind="keyword")) and "logmel-32:mel=slaney" in expand(
        "system", clean=clean, kind="keyword"
    )
    assert expand("corruptions:3") == expand("corruptions:3", kind="image")
    with pytest.raises(SpecError, match="different kinds"):
        expand("fog:3+white_noise:3")
    assert expand("pgd-snr:eps=0.1+white_noise:3") == ["white_noise:3+pgd-snr:eps=0.1"]


@pytest.mark.parametrize(
    "spec", ["white_noise:6", "through:500", "through:8000,resampler=best", "mismatch:9", "opus:1", "logmel-32:mel=bark"]
)
def test_what_is_impossible_is_refused(spec):
    with pytest.raises(SpecError, match=r"possible|range|unknown"):
        noise(spec)


def test_broken_recordings_are_told():
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    for name in ("decode-sndfile", "decode-ffmpeg-sound"):
        for data in (b"", b"RIFF and nothing", b"\0" * 100):
            with pytest.raises(DataError):
                noise(name)(data)
