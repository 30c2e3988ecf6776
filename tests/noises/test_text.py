"""Corruptions of texts and tokenizers: seeded by the sample, meaning kept, none without effect."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.core import DataError, ShapeError, SpecError, Words
from bitproof.noises import NOISES, expand, noise
from bitproof.noises.system.tokens import IDS, MASK, NOTHING, TYPES
from bitproof.noises.text.families import CORRUPTIONS
from bitproof.noises.text.reading import FUNCTION_WORDS, HOMOPHONES, LOOK_ALIKES
from bitproof.noises.text.typing import NEIGHBOURS

TEXT = (
    'The quick brown fox, which nobody knew, jumped over their lazy dog; it is not for me to say "where". '
    "You would see that the whole plain was made for one week, and the right way through it is rather long."
)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_a_seed_decides_and_nothing_else(name, severity):
    built = noise(f"{name}:{severity}")
    assert built(TEXT, 7) == built(TEXT, 7)
    if (name, severity) not in {("asr", 1), ("word_dropout", 5), ("casing", 1)}:
        assert len({built(TEXT, seed) for seed in range(20)}) > 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_harder_is_further_away(name):
    """The mean number of changed positions of 30 draws grows with the severity."""
    distance = [sum(edits(TEXT, noise(f"{name}:{s}")(TEXT, seed)) for seed in range(30)) / 30 for s in range(1, 6)]
    assert distance == sorted(distance) and distance[0] > 0


def edits(a, b):
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(st.text(max_size=60), st.sampled_from(CORRUPTIONS), st.integers(1, 5), st.integers(0, 2**62))
def test_any_text_gives_a_text(text, name, severity, seed):
    found = noise(f"{name}:{severity}")(text, seed)
    assert isinstance(found, str) and (found != "" or text == "")


def words(text):
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("seed", range(5))
def test_meaning_is_kept_where_it_can_be_told(seed):
    assert words(noise("casing:5")(TEXT, seed)) == words(TEXT)
    assert words(noise("punctuation:5")(TEXT, seed)) == words(TEXT)
    left = words(noise("word_dropout:5")(TEXT, seed))
    assert left == [word for word in words(TEXT) if word not in FUNCTION_WORDS] and "not" in left
    back = str.maketrans({alike: latin for latin, alike in LOOK_ALIKES.items()})
    assert noise("lookalikes:5")(TEXT, seed).translate(back) == TEXT
    assert re.sub(r"\s|\u200b", "", noise("whitespace:5")(TEXT, seed)) == re.sub(r"\s", "", TEXT)
    assert all(word[0] == typed[0] for word, typed in zip(words(TEXT), words(noise("typos:5")(TEXT, seed)), strict=True))


def test_tables_are_sound():
    assert all(near in NEIGHBOURS and key in NEIGHBOURS[near] for key, nears in NEIGHBOURS.items() for near in nears)
    assert set(NEIGHBOURS["g"]) == set("ftyhbv")
    assert all(ord(alike) > 0x370 and len(alike) == 1 for alike in LOOK_ALIKES.values())
    everything = [word for group in HOMOPHONES for word in group]
    assert all(word == word.lower() for word in everything)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_cannot_be_is_refused(name):
    with pytest.raises(SpecError, match="Severity 6"):
        noise(f"{name}:6")
    with pytest.raises(ShapeError, match="takes a text"):
        noise(f"{name}:1")(b"bytes", 0)
    assert NOISES.load(name).kinds == ("text",)


def test_families_of_texts():
    assert len(expand("corruptions", kind="text")) == 40 and expand("corruptions:3", kind="text")[0] == "typos:3"
    assert "fp16" in expand("system", kind="text") and "cv-area" not in expand("system", kind="text")
    assert expand("typos:2+tokens:lower=false") == ["typos:2+tokens:lower=false"]
    with pytest.raises(SpecError, match="different kinds"):
        expand("typos:2+cv-area")


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    tokenizers = pytest.importorskip("tokenizers", reason="the extra text")
    from tokenizers.processors import TemplateProcessing

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cafe", "café", "Cafe", "Café", "a", "b", "c", "d", "e", "."]
    built = tokenizers.Tokenizer(tokenizers.models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    built.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    built.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    built.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    path = Path(tmp_path_factory.mktemp("tokenizer")) / "tokenizer.json"
    built.save(str(path))
    return Words(8, "digest", tokenizer=str(path))


def ids(spec, sentences, form):
    planes = noise(spec)(sentences, form)
    return planes[IDS][planes[MASK] == 1].tolist()


def test_planes_of_a_pair(form):
    planes = noise("tokens")(("a b", "c"), form)
    assert planes.tolist() == [[2, 8, 9, 3, 10, 3, 0, 0], [1] * 6 + [0] * 2, [0, 0, 0, 0, 1, 1, NOTHING, NOTHING]]
    assert noise("tokens:pad=max")(("a b", "c"), form)[TYPES].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]


def test_each_switch_does_what_it_says(form):
    assert ids("tokens", ("Café",), form) == [2, 4, 3]
    assert ids("tokens:lower=false", ("Café",), form) == [2, 6, 3]
    assert ids("tokens:accents=true", ("Café",), form) == [2, 5, 3]
    assert ids("tokens:lower=false,accents=true", ("Café",), form) == [2, 7, 3]
    long = ("a b c d e a b c",)
    assert ids("tokens", long, form) == [2, 8, 9, 10, 11, 12, 8, 3]
    assert ids("tokens:truncate=left", long, form) == [2, 10, 11, 12, 8, 9, 10, 3]
    assert ids("tokens:length=4", long, form) == [2, 8, 9, 3]
    assert [noise(f"tokens:{word}").differs(form) for word in ("lower=true", "truncate=right", "length=8")] == [False] * 3
    assert noise("tokens:truncate=left").differs(form)


def test_tokenizers_without_a_switch_are_named(form, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    other = tokenizers.Tokenizer.from_file(form.tokenizer)
    other.normalizer = tokenizers.normalizers.NFC()
    other.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(SpecError, match="no switch for case and accents: its normalizer is NFC"):
        noise("tokens:lower=false")(("a",), Words(8, "d", tokenizer=str(tmp_path / "tokenizer.json")))
    with pytest.raises(DataError, match="cannot be read"):
        noise("tokens")(("a",), Words(8, "d", tokenizer=str(tmp_path / "gone.json")))
    for bad, says in (("truncate=middle", "left or right"), ("length=2", "at least 3"), ("pad=never", "batch or max")):
        with pytest.raises(SpecError, match=says):
            noise(f"tokens:{bad}")
    with pytest.raises(SpecError, match="at least 3 tokens"):
        Words(2, "d")
