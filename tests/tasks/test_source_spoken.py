"""Words from a synthesizer: the clips are as described, alike each time, and a synthesizer that fails is told of."""

import io
import subprocess
import wave

import numpy as np
import pytest

from bitproof.core import DataError, MissingExtra
from bitproof.tasks import load_any
from bitproof.tasks.sources import spoken
from bitproof.tasks.sources.clips import NAMES, WORDS
from bitproof.tasks.sources.spoken import FLOOR, OTHERS, PEAK, SPEEDS, VOICES, second, wav


def test_a_word_lies_in_the_middle_of_a_second_at_its_peak_over_quiet_noise():
    rate = 2000
    word = np.zeros(900)
    word[300:500] = 0.01 * np.sin(np.arange(200) * 0.7) + 0.02
    y = second(word, rate, drawn=3) / 32767
    assert len(y) == rate and abs(np.abs(y).max() - PEAK) < 5 * FLOOR
    assert np.abs(y[:895]).max() < 6 * FLOOR and np.abs(y[1105:]).max() < 6 * FLOOR
    assert 0.8 * FLOOR < y[:895].std() < 1.2 * FLOOR
    np.testing.assert_array_equal(second(word, rate, 3), second(word, rate, 3))
    assert (second(word, rate, 3) != second(word, rate, 4)).any()


@pytest.mark.parametrize("nothing", [np.zeros(0), np.zeros(50)])
def test_nothing_said_is_the_noise_alone(nothing):
    y = second(nothing, 1000, 0) / 32767
    assert len(y) == 1000 and 0.8 * FLOOR < y.std() < 1.2 * FLOOR


def test_a_long_word_is_cut():
    assert len(second(np.ones(5000), 1000, 0)) == 1000


def test_a_wav_file_gives_its_samples_back():
    x = np.array([0, 1, -32768, 32767], np.int16)
    with wave.open(io.BytesIO(wav(x, 22_050))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        np.testing.assert_array_equal(np.frombuffer(file.readframes(9), "<i2"), x)


def test_each_voice_says_every_class_once():
    said = spoken.script()
    assert len(said) == len(VOICES) * len(NAMES) == 156
    assert {speed for _, (_, _, speed) in said} == set(SPEEDS)
    for voice in VOICES:
        own = [(name, text) for name, (text, who, _) in said if who == voice]
        assert [name for name, _ in own] == list(NAMES) and own[0][1] == "" and own[1][1] in OTHERS
        assert [text for _, text in own[2:]] == list(WORDS)


def test_without_the_synthesizer_the_package_is_named(monkeypatch):
    monkeypatch.setattr(spoken.importlib.util, "find_spec", lambda name: None)
    spoken._files.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'bitproof\[speech\]'"):
        load_any("spoken")


@pytest.mark.parametrize("failing", ["nothing", "late", "mute"])
def test_a_synthesizer_that_fails_is_told_of(failing, monkeypatch, tmp_path):
    def run(command, **more):
        if failing == "late":
            raise subprocess.TimeoutExpired(command, 1)
        if failing == "mute":
            raise subprocess.CalledProcessError(1, command, stderr=b"Traceback\nRuntimeError: eSpeak NG has no voice")
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(spoken, "_engine", lambda: ("library", "data"))
    monkeypatch.setattr(spoken.subprocess, "run", run)
    spoken._files.cache_clear()
    with pytest.raises(DataError, match=r"cannot speak here.*recordings of your own"):
        load_any("spoken")


def test_a_package_without_a_library_is_told_of(monkeypatch, tmp_path):
    from importlib.machinery import ModuleSpec

    empty = ModuleSpec("espeakng_loader", None, is_package=True)
    empty.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(spoken.importlib.util, "find_spec", lambda name: empty)
    spoken._files.cache_clear()
    with pytest.raises(DataError, match="no library of eSpeak NG"):
        load_any("spoken")


def test_the_synthesizer_says_the_same_each_time():
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is not installed")
    spoken._files.cache_clear()
    first = load_any("spoken").data
    spoken._files.cache_clear()
    again = load_any("spoken").data
    assert first.digest == again.digest and first.classes == 12 and first.note
    assert np.bincount([sample.label for sample in first.samples]).tolist() == [len(VOICES)] * 12
    assert len({sample.read() for sample in first.samples}) == 156
    for sample in first.samples:
        with wave.open(io.BytesIO(sample.read())) as file:
            x = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        assert len(x) == file.getframerate()
        assert np.abs(x).max() < 0.01 if sample.label == 0 else 0.3 < np.abs(x).max() < 0.4
