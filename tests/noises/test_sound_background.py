"""Recorded backgrounds: from which file and place, how loud, and what is no background."""

import numpy as np
import pytest

from bitproof.core import DataError, SpecError
from bitproof.noises import noise
from bitproof.noises.sound.waves import rms

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
pytest.importorskip("soxr", reason="soxr is not installed")
RATE = 16_000


@pytest.fixture
def folder(tmp_path):
    ramp = np.linspace(-0.5, 0.5, 3 * RATE, dtype=np.float32)
    soundfile.write(tmp_path / "ramp.wav", ramp, RATE, subtype="FLOAT")
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(8_000 * 2) / 8_000)
    soundfile.write(tmp_path / "tone.flac", tone, 8_000)
    (tmp_path / "README.md").write_text("no recording")
    return tmp_path


def test_a_piece_of_one_recording_is_added_at_the_ratio(folder):
    x = np.full(RATE, 1e-3, np.float32)
    kinds = set()
    for drawn in range(30):
        added = noise(f"background:3,dir={folder}")(x, RATE, drawn) - x
        assert 20 * np.log10(rms(x) / rms(added)) == pytest.approx(10, abs=0.05)
        steps = np.diff(added / np.abs(added).max())
        kinds.add("ramp" if np.median(np.abs(np.diff(steps))) < 1e-4 else "tone")
    assert kinds == {"ramp", "tone"}
    again = [noise(f"background:3,dir={folder}")(x, RATE, 7) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_a_recording_of_another_rate_is_resampled(folder):
    x = np.full(RATE, 1e-3, np.float32)
    added = noise(f"background:5,dir={folder / 'tone.flac'}")(x, RATE, 0) - x
    assert np.abs(np.fft.rfft(added)).argmax() in (439, 440, 441)  # a second at 16 kHz: bin k is k Hz


def test_one_that_is_too_short_goes_round(tmp_path):
    soundfile.write(tmp_path / "click.wav", np.r_[0.5, np.zeros(99)], RATE)
    added = noise(f"background:1,dir={tmp_path}")(np.full(1000, 0.01, np.float32), RATE, 3) - 0.01
    assert (np.diff(np.flatnonzero(np.abs(added) > 1e-5)) == 100).all() and np.count_nonzero(np.abs(added) > 1e-5) == 10


def test_the_digest_is_of_names_and_contents(folder, tmp_path):
    spec = f"background:3,dir={folder}"
    before = noise(spec).data_digest
    (folder / "README.md").write_text("still none")
    assert noise(spec).data_digest == before
    soundfile.write(folder / "more.wav", np.zeros(9), RATE)
    assert noise(spec).data_digest != before


def test_what_is_no_background(tmp_path):
    wave = np.zeros(100, np.float32)
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="holds no recordings"):
            noise(f"background:3,dir={place}")(wave, RATE, 0)
    (tmp_path / "bad.wav").write_bytes(b"RIFFno")
    with pytest.raises(DataError, match=r"bad\.wav.*no readable recording"):
        noise(f"background:3,dir={tmp_path}")(wave, RATE, 0)
    with pytest.raises(SpecError, match="dir"):
        noise("background:3")
    with pytest.raises(SpecError, match="Severity 6"):
        noise(f"background:6,dir={tmp_path}")
