"""Packs: what is read, what is refused, and what the messages name."""

import base64
import io
import json

import polars as pl
import pytest
from PIL import Image

from bitproof.core import DataError
from bitproof.tasks.vqa import SCENARIOS, Item
from bitproof.tasks.vqa.pack import Pack


def png(color="red", size=(8, 6)):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def record(**changes):
    return {
        "item": "a/1",
        "image": png(),
        "scenario": "presence",
        "questions": ["Is there a dog?", "Can a dog be seen?"],
        "answer_type": "yes-no",
        "answer": "yes",
        "aliases": [],
        "rejected": [],
        "options": [],
        "tolerance": None,
        "negative": False,
        "group": "a",
        "licence": "CC0-1.0",
        "source": "test",
    } | changes


def written(path, *records):
    if path.suffix == ".parquet":
        schema = {"tolerance": pl.Float64, **{name: pl.List(pl.String) for name in ("aliases", "rejected", "options")}}
        pl.DataFrame(list(records), schema_overrides=schema).write_parquet(path)
    else:
        path.write_text(json.dumps([r | {"image": base64.b64encode(r["image"]).decode()} for r in records]))
    return Pack(str(path)).load()


@pytest.mark.parametrize("name", ["pack.parquet", "pack.json"])
def test_both_formats_give_the_same_items_and_pictures(tmp_path, name):
    second = record(item="a/2", scenario="counting", answer_type="number", answer="12", tolerance=0.1, image=png("blue"))
    data = written(tmp_path / name, record(), second)
    first, then = data.samples
    assert (first.id, first.label, first.read()) == ("a/1", list(SCENARIOS).index("presence"), png())
    assert first.item.questions == ("Is there a dog?", "Can a dog be seen?")
    assert (then.item.answer, then.item.tolerance, then.label) == ("12", 0.1, 10)


def test_the_formats_agree_in_the_digest_and_pictures_and_answers_change_it(tmp_path):
    one = written(tmp_path / "a.parquet", record()).digest
    assert written(tmp_path / "b.json", record()).digest == one
    assert written(tmp_path / "c.json", record(answer="no")).digest != one
    assert written(tmp_path / "d.json", record(image=png("blue"))).digest != one


def test_json_names_picture_files_from_its_own_folder(tmp_path):
    (tmp_path / "dog.png").write_bytes(png("green"))
    (tmp_path / "pack.json").write_text(json.dumps([record() | {"image": "dog.png"}]))
    assert Pack(str(tmp_path / "pack.json")).load().samples[0].read() == png("green")


@pytest.mark.parametrize("outside", ["../private.png", "{folder}/private.png"])
def test_no_picture_outside_its_folder_is_read(tmp_path, outside):
    (tmp_path / "private.png").write_bytes(png("green"))
    (tmp_path / "packs").mkdir()
    named = record() | {"image": outside.format(folder=tmp_path)}
    (tmp_path / "packs" / "pack.json").write_text(json.dumps([named]))
    with pytest.raises(DataError, match="no PNG or JPEG file, nor the path of one"):
        Pack(str(tmp_path / "packs" / "pack.json")).load()


def test_a_picture_whose_base64_reads_like_a_long_path_is_a_picture(tmp_path):
    data = png() + bytes(300) + b"\xff" * 30  # no '/' within 255 characters, and some later
    assert "/" not in base64.b64encode(data).decode()[:256] and "/" in base64.b64encode(data).decode()
    assert written(tmp_path / "pack.json", record(image=data)).samples[0].read() == data


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scenario": "presense"}, "Did you mean 'presence'"),
        ({"questions": []}, "one question or more"),
        ({"questions": ["Same?", "Same?"]}, "none of them empty or twice"),
        ({"answer_type": "essay"}, "Allowed: yes-no"),
        ({"answer": "maybe"}, "yes or no"),
        ({"answer_type": "number", "answer": "twelve"}, "in digits"),
        ({"answer_type": "number", "answer": "nan"}, "in digits"),
        ({"answer_type": "number", "answer": "1", "tolerance": 1.5}, "relative"),
        ({"answer_type": "choice", "answer": "a", "options": ["a"]}, "2 to 26"),
        ({"answer_type": "choice", "answer": "c", "options": ["a", "b"]}, "none of its options"),
        ({"options": ["a", "b"]}, "belong to the answer type choice"),
        ({"rejected": ["a"]}, "belong to the answer type contains"),
        ({"answer_type": "list", "answer": "Airbus"}, "two entries"),
        ({"answer_type": "exact", "answer": " "}, "empty answer"),
        ({"negative": True}, "its answer must be no"),
        ({"image": b"GIF89a"}, "no PNG or JPEG"),
        ({"item": ""}, "no name"),
        ({"questions": ["x" * 601]}, "longer than 600"),
        ({"wrong": 1}, "unknown field 'wrong'"),
        ({"answer": None}, "lacks answer"),
        ({"questions": "Is there a dog?"}, "list of texts"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, changes, told):
    with pytest.raises(DataError, match=r"pack\.json") as error:
        written(tmp_path / "pack.json", record(**changes))
    assert told in str(error.value)


def test_an_id_that_comes_twice_and_an_empty_pack_are_refused(tmp_path):
    with pytest.raises(DataError, match="comes 2 times"):
        written(tmp_path / "pack.json", record(), record())
    with pytest.raises(DataError, match="no pictures"):
        written(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", "[" * 100000])
def test_files_that_are_no_pack_are_refused(tmp_path, text):
    (tmp_path / "pack.json").write_text(text)
    with pytest.raises(DataError, match=r"pack\.json"):
        Pack(str(tmp_path / "pack.json")).load()


def test_a_file_that_is_not_there_and_one_that_is_no_parquet(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Pack(str(tmp_path / "none.parquet")).load()
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="no readable Parquet"):
        Pack(str(tmp_path / "bad.parquet")).load()


def test_an_item_can_be_made_without_a_pack():
    item = Item("x", "text", ("What does the sign say?",), "contains", "stop", aliases=("halt",))
    assert item.rejected == ()
