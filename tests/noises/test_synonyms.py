"""Synonyms out of a user's thesaurus: the part of speech, the case and the article stay, and the file is part of what a cell is."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.bench.specs import own_facts
from bitproof.core import DataError, ShapeError, SpecError
from bitproof.noises import expand, noise
from bitproof.noises.text.meaning import common, like, read_mythes, read_table, synonyms

#: In the manner of MyThes: remarks in brackets are wider, narrower or the opposite.
MYTHES = """UTF-8
movie|1
(noun)|film|motion picture|moviefilm|show (generic term)
moviefilm|1
(noun)|movie|flick
film|2
(noun)|movie|moviefilm
(verb)|shoot
amusing|1
(adj)|amusive|comical|diverting|entertaining (similar term)
amusive|1
(adj)|amusing|diverting
comical|2
(adj)|humorous
(adj)|amusing
diverting|1
(adj)|amusing|amusive
never|1
(adv)|not ever|neverly
neverly|1
(adv)|never
minute|1
(noun)|moment
minutes|1
(noun)|proceedings
proceedings|1
(noun)|minutes
selling|1
(noun)|merchandising
merchandising|1
(noun)|selling
sell|1
(verb)|trade
"""
KNOWN = {"movie": ("moviefilm",), "moviefilm": ("movie",), "amusing": ("amusive",), "amusive": ("amusing",)}


@pytest.fixture
def mythes(tmp_path):
    (tmp_path / "th.dat").write_text(MYTHES, encoding="utf-8")
    return tmp_path / "th.dat"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "own.tsv").write_text("# my own\nMovie\tfilm, picture\n\nfilm\tmovie\nmovie\tflick\n", encoding="utf-8")
    return tmp_path / "own.tsv"


def test_what_may_stand_for_another_word():
    """One part of speech, each in the other's commonest meaning, one word, the same article; no form of another word, no never."""
    meanings = read_mythes(MYTHES)
    assert meanings["amusing"] == [("(adj)", ("amusive", "comical", "diverting"))]  # what is only similar is no synonym
    assert common(meanings) == KNOWN


def test_a_table_is_taken_as_it_stands(table):
    assert read_table(table.read_text()) == {"movie": ("film", "picture", "flick"), "film": ("movie",)}
    assert noise(f"synonyms:5,file={table}")("The film.", 3) == "The movie."


@pytest.mark.parametrize(
    ("word", "other", "found"),
    [("movie", "film", "film"), ("Movie", "film", "Film"), ("MOVIE", "film", "FILM"), ("A", "one", "One"), ("x", "NASA", "NASA")],
)
def test_the_case_is_kept(word, other, found):
    assert like(word, other) == found


WORDS = st.lists(st.sampled_from(["movie", "Movie", "AMUSING", "the", "dog", "amusive", ",", "!"]), max_size=12)


@given(WORDS, st.floats(0, 1), st.integers(0, 2**62))
def test_only_words_with_a_synonym_change_and_only_into_that(words, share, seed):
    text = " ".join(words)
    found = synonyms(KNOWN, text, random.Random(seed).random, share).split(" ")
    assert len(found) == len(text.split(" "))
    for was, now in zip(text.split(" "), found, strict=True):
        assert now == was or (now.lower() in KNOWN.get(was.lower(), ()) and now.isupper() == was.isupper())


def test_severities_replace_a_rising_share_of_what_can_be(mythes):
    text = " ".join(["movie", "dog"] * 200)
    shares = []
    for severity in range(1, 6):
        built = noise(f"synonyms:{severity},file={mythes}")
        assert built(text, 1) == built(text, 1)
        shares.append(built(text, 1).split().count("moviefilm") / 200)
        assert built(text, 1).split()[1::2] == ["dog"] * 200
    assert shares == pytest.approx([0.1, 0.25, 0.5, 0.75, 1.0], abs=0.08) and shares == sorted(shares)


def test_it_is_no_member_of_the_family_but_joins_others(mythes):
    assert not any("synonyms" in spec for spec in expand("corruptions", kind="text"))
    assert expand(f"synonyms:severity=2,file={mythes}+tokens:lower=false") == [f"synonyms:2,file={mythes}+tokens:lower=false"]


def test_the_file_is_part_of_a_cells_id(mythes):
    spec = f"synonyms:2,file={mythes}"
    first = list(own_facts(spec))
    assert first[0] == f"{spec} 1" and re.fullmatch(r"data [0-9a-f]{12}", first[1])
    (mythes.parent / "other.dat").write_text(MYTHES.replace("amusive", "witty"), encoding="utf-8")
    assert list(own_facts(f"synonyms:2,file={mythes.parent / 'other.dat'}"))[1] != first[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no word"),
        (b"UTF-8\n", "no word"),
        (b"UTF-8\nmovie|2\n(noun)|film\n", "line 2 is no entry"),
        (b"UTF-8\nmovie|-1\n", "line 2 is no entry"),
        (b"UTF-8\nmovie|1\n(noun)|film\n\n", "line 4 is no entry"),
        (b"UTF-8\nmovie|many\n(noun)|film\n", "line 2 is no entry"),
        (b"movie film\n", "line 1 is no 'word<TAB>synonym"),
        (b"movie\t ,\n", "line 1 is no"),
        (b"\xff\xfe\tx\n", "decode"),
    ],
)
def test_a_file_that_is_no_thesaurus_is_told(tmp_path, content, says):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match=says):
        noise(f"synonyms:1,file={tmp_path / 'bad'}")("movie", 0)


def test_what_cannot_be_is_refused(tmp_path, mythes):
    with pytest.raises(DataError, match="mythes-en-us"):
        list(own_facts(f"synonyms:3,file={tmp_path / 'none.dat'}"))
    with pytest.raises(SpecError, match="file"):
        noise("synonyms:3")
    with pytest.raises(SpecError, match="Severity 6"):
        noise(f"synonyms:6,file={mythes}")
    with pytest.raises(ShapeError, match="takes a text"):
        noise(f"synonyms:1,file={mythes}")(b"bytes", 0)
