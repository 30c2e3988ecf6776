"""Recordings from folders, Parquet files and the folders of Speech Commands."""

import io
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bitproof.core import DataError, SpecError
from bitproof.noises import noise
from bitproof.tasks import SOURCES, load_any, load_kind
from bitproof.tasks.sources.clips import WORDS, official_part, own_part

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")


def wav(seed=0, rate=16_000, time_s=1.0, form="WAV"):
    x, file = np.random.default_rng(seed).uniform(-0.1, 0.1, round(rate * time_s)), io.BytesIO()
    soundfile.write(file, x, rate, format=form)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    for i in range(30):
        path = tmp_path / "words" / ("no", "yes")[i % 2] / f"{i:08x}_nohash_0.{('wav', 'flac')[i % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(i, form="FLAC" if i % 3 == 0 else "WAV"))
    return tmp_path / "words"


@pytest.fixture
def commands(tmp_path):
    root = tmp_path / "speech_commands"
    for word in (*WORDS, "bed", "cat", "zero"):
        for i in range(40):
            path = root / word / f"{i * 7919:08x}_nohash_0.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wav(time_s=0.01))
    (root / "_background_noise_").mkdir()
    (root / "_background_noise_" / "pink.wav").write_bytes(wav(1, time_s=9))
    (root / "README.md").write_text("about")
    return root


def test_a_folder_is_one_class_each(folder):
    data = load_any(f"audiofolder:{folder}").data
    assert (len(data), data.names, data.things) == (30, ("no", "yes"), "recordings")
    assert len(noise("decode-sndfile")(data.samples[0].read()).wave) == 16_000


def test_a_folder_of_some_words_has_the_labels_of_the_twelve(folder):
    (folder / "Yes").mkdir()
    (folder / "Yes" / "a.wav").write_bytes(wav(99))
    (folder / "house").mkdir()
    (folder / "house" / "a.wav").write_bytes(wav(98))
    data = load_any(f"audiofolder:{folder},classes=12").data
    assert (data.classes, data.names[:3]) == (12, ("silence", "unknown", "yes"))
    assert {sample.id.partition("/")[0]: sample.label for sample in data.samples} == {"Yes": 2, "yes": 2, "no": 3, "house": 1}
    assert data.digest != load_any(f"audiofolder:{folder}").data.digest
    data.check_classes(12)


def test_what_is_no_folder_of_the_twelve_is_told(folder):
    with pytest.raises(SpecError, match="classes=35"):
        load_any(f"audiofolder:{folder},classes=35")
    (folder / "_background_noise_").mkdir()
    (folder / "_background_noise_" / "a.wav").write_bytes(wav(99))
    with pytest.raises(DataError, match="speech-commands:"):
        load_any(f"audiofolder:{folder},classes=12")
    for name in ("yes", "no", "_background_noise_"):
        (folder / name).rename(folder / f"word-{name}")
    with pytest.raises(DataError, match=r"silence, unknown, yes.*Found: word-_background_noise_, word-no, word-yes"):
        load_any(f"audiofolder:{folder},classes=12")


def test_parts_are_apart_and_share_no_speaker(folder):
    parts = {
        part: {s.id for s in load_any(f"audiofolder:{folder},part={part}").data.samples} for part in ("train", "test", "validation")
    }
    assert sum(map(len, parts.values())) == 30 and len(set.union(*parts.values())) == 30
    assert own_part("yes/0ab3b47d_nohash_0.wav") == own_part("_unknown_/bed_0ab3b47d_nohash_4.wav.wav")
    assert len({load_any(f"audiofolder:{folder},part={part}").data.digest for part in (*parts, "all")}) == 4


def test_a_parquet_file_holds_the_same(folder, tmp_path):
    files = sorted(folder.rglob("*.*"))
    rows = {
        "audio": [f.read_bytes() for f in files],
        "label": [int(f.parent.name == "yes") for f in files],
        "file": [f.name for f in files],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "clips.parquet")
    task = load_any(f"keyword/parquet:{tmp_path / 'clips.parquet'},classes=2")
    assert task.kind == "keyword" and task.data.samples[3].read() == files[3].read_bytes()
    with pytest.raises(DataError, match="needed are audio"):
        pl.DataFrame({"image": [b""], "label": [0]}).write_parquet(tmp_path / "p.parquet")
        load_any(f"keyword/parquet:{tmp_path / 'p.parquet'}")


def test_the_official_split_is_that_of_the_archive():
    # Files that the archive's own lists name: v0.02, testing_list.txt and validation_list.txt.
    assert official_part("bed/0c40e715_nohash_0.wav") == "test"
    assert official_part("bed/026290a7_nohash_0.wav") == "validation"
    assert official_part("right/988e2f9a_nohash_0.wav") == official_part("left/988e2f9a_nohash_3.wav")


def test_a_part_of_the_official_test_set_is_found_to_be_that():
    file = Path(os.environ.get("BITPROOF_DATA", "")) / "speech-commands-3600.parquet"
    if not file.exists():
        pytest.skip("$BITPROOF_DATA holds no speech-commands-3600.parquet")
    names = [name for name in pl.read_parquet(file, columns=["file"])["file"] if not name.startswith("_silence_")]
    words = [name.removeprefix("_unknown_/").partition("_")[2] if name.startswith("_unknown_") else name for name in names]
    assert len(words) > 3000 and {official_part(word) for word in words} == {"test"}


def test_another_background_or_a_clip_of_another_size_is_other_data(commands, monkeypatch):
    monkeypatch.setattr("bitproof.tasks.sources.files.WHOLE_BYTES", 0)  # as where the files are too many to be read
    spec = f"speech-commands:{commands},part=train"
    before = load_any(spec).data
    (commands / "_background_noise_" / "pink.wav").write_bytes(wav(1, time_s=8))
    between = load_any(spec).data
    word = commands / next(sample.id for sample in between.samples if sample.label == 2)
    word.write_bytes(wav(time_s=0.02))
    assert len({before.digest, between.digest, load_any(spec).data.digest}) == 3


def test_twelve_classes_are_balanced(commands):
    parts = {part: load_any(f"speech-commands:{commands},part={part}").data for part in ("train", "validation", "test")}
    for data in parts.values():
        counts = np.bincount([sample.label for sample in data.samples], minlength=12)
        assert data.names[:3] == ("silence", "unknown", "yes") and len(set(counts[1:])) == 1 and counts[0] == counts[1:].sum() // 11
    words = load_any(f"speech-commands:{commands},part=train,classes=13").data
    assert words.names[:2] == ("bed", "cat") and len(words) == 13 * (np.bincount([s.label for s in words.samples])[0])
    silence = next(s for s in parts["train"].samples if s.label == 0)
    assert len(noise("decode-sndfile")(silence.read()).wave) == 16_000 and silence.read() == silence.read()


@pytest.mark.parametrize(
    ("spec", "error", "told"),
    [
        ("speech-commands:{commands},classes=20", SpecError, "12, or all 13"),
        ("speech-commands:{commands},part=dev", SpecError, "train, validation, test"),
        ("speech-commands:{folder}", DataError, "lacks the word"),
        ("audiofolder:{commands}", DataError, "README.md"),
        ("image/audiofolder:{folder}", SpecError, "keyword"),
    ],
)
def test_what_does_not_fit_is_told(spec, error, told, folder, commands):
    with pytest.raises(error, match=told):
        load_any(spec.format(folder=folder, commands=commands))


def test_a_task_of_another_kind_is_refused(folder):
    with pytest.raises(SpecError, match="'image'"):
        load_kind(f"audiofolder:{folder}", "image")
    assert {name for name in SOURCES._own if SOURCES.load(name).task == "keyword"} == {
        "speech-commands",
        "keyword/parquet",
        "audiofolder",
        "spoken",
    }
