import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bitproof.core import StoreError
from bitproof.results import Pieces, Store

FRAME = pl.DataFrame({"a": [1, 2], "b": [[0.5], None]})


def test_a_piece_is_there_for_the_next_one_to_come(tmp_path):
    Pieces(tmp_path / "new").keep("one", FRAME)
    assert_frame_equal(Pieces(tmp_path / "new").read("one"), FRAME)
    assert Pieces(tmp_path / "new").read("two") is None


def test_a_damaged_piece_counts_as_missing_and_is_replaced(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.keep("one", FRAME)
    (file,) = (tmp_path / "pieces").glob("one-*")
    file.write_bytes(file.read_bytes()[:-9])
    assert pieces.read("one") is None
    pieces.keep("one", FRAME)
    assert_frame_equal(pieces.read("one"), FRAME)


def test_what_holds_something_else_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(StoreError, match=r"holiday\.jpg"):
        Pieces(tmp_path)
    Store.create(tmp_path / "run")
    with pytest.raises(StoreError, match="bitproof run"):
        Pieces(tmp_path / "run")
    with pytest.raises(StoreError, match="is a file"):
        Pieces(tmp_path / "holiday.jpg")


def test_one_writer_at_a_time(tmp_path):
    with Pieces(tmp_path).lock(), pytest.raises(StoreError, match="in use"), Pieces(tmp_path).lock():
        pass
