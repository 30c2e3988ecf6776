"""Fitted defenses on disk: whole or absent, in the working and the compact form."""

import json
from base64 import b64encode

import pytest

from bitproof.core import StoreError
from bitproof.results import Store, compact, read_defense

FILES = {"0.png": b"zero", "1.png": b"one"}


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / "run")
    store.write_defense("abc", {"defense": "it", "labels": [0, 1]}, FILES)
    return store


def test_what_is_written_is_read(store):
    info, files = store.defense("abc")
    assert files == FILES
    assert info["defense"] == "it"
    assert store.defenses()["abc"]["labels"] == [0, 1]
    assert read_defense(store.path / "defenses" / "abc")[1] == FILES


def test_a_fit_that_was_killed_before_its_record_is_not_there(store):
    (store.path / "defenses" / "abc" / "defense.json").unlink()
    assert not store.has_defense("abc")
    with pytest.raises(StoreError, match="no defense 'abc'"):
        store.defense("abc")
    store.write_defense("abc", {"defense": "it"}, FILES)
    assert store.has_defense("abc")


@pytest.mark.parametrize("harm", [b"", b"other"])
def test_a_damaged_picture_is_told_with_what_to_do(store, harm):
    (store.path / "defenses" / "abc" / "1.png").write_bytes(harm)
    with pytest.raises(StoreError, match=r"1\.png.*damaged.*Delete the folder"):
        store.defense("abc")


def test_a_name_cannot_leave_its_folder(store):
    with pytest.raises(StoreError, match="cannot be the id"):
        store.write_defense("../x", {}, {})


def test_the_compact_form_tells_damage_and_forgets_what_an_earlier_one_held(store, tmp_path):
    first = compact(store.path, tmp_path / "small")
    assert first.defense("abc") == store.defense("abc") and list(first.defenses()) == ["abc"]
    file = tmp_path / "small" / "defenses.json"
    file.write_text(file.read_text().replace(b64encode(b"one").decode(), b64encode(b"two").decode()))
    with pytest.raises(StoreError, match=r"1\.png.*damaged"):
        first.defense("abc")
    assert not compact(Store.create(tmp_path / "bare").path, tmp_path / "small").has_defense("abc")


@pytest.mark.parametrize("file", ["../x.png", "/x.png", "..", ""])
def test_a_file_of_a_run_that_was_handed_in_cannot_leave_its_folder(store, file):
    with pytest.raises(StoreError, match="cannot be the id of a file"):
        store.write_defense("abc", {}, {file: b"x"})
    record = store.path / "defenses" / "abc" / "defense.json"
    record.write_text(json.dumps({"files": {file: "00000000"}}))
    with pytest.raises(StoreError, match="cannot be the id of a file"):
        store.defense("abc")
