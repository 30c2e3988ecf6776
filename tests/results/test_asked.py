"""The record of answers: kept at once, found by what was asked, and no trap where it is damaged."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bitproof.core import Reply, StoreError
from bitproof.results import Asked


def test_answers_are_found_again_by_another_process_to_be(tmp_path):
    first = Asked(tmp_path / "asked.sqlite")
    reply = Reply("Yes 🙂\x00", 10, None, 5.5, filtered=True, server="s")
    first.put("a", reply)
    assert Asked(tmp_path / "asked.sqlite").get("a") == reply  # nobody closed the first
    assert first.get("b") is None
    first.put("a", Reply("No"))
    assert first.get("a") == Reply("No")
    first.close()


def test_threads_share_it(tmp_path):
    asked = Asked(tmp_path / "asked.sqlite")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: asked.put(str(i), Reply(str(i))), range(50)))
        assert [reply and reply.text for reply in pool.map(lambda i: asked.get(str(i)), range(50))] == [str(i) for i in range(50)]
    asked.close()


def test_a_damaged_record_is_told_with_what_to_do(tmp_path):
    (tmp_path / "asked.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="Delete the file to go on"):
        Asked(tmp_path / "asked.sqlite")
    with pytest.raises(StoreError, match="cannot be used"):
        Asked(tmp_path / "no" / "asked.sqlite")
