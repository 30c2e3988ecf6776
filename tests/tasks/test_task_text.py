"""The task of texts: GLUE's files as they are, labels and numbers, scores of both."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from bitproof.core import DataError, ModelError, SpecError, UnknownName
from bitproof.tasks import load_any, load_kind, sentences

HERE = os.environ.get("BITPROOF_DATA", "")
needs_data = pytest.mark.skipif(not Path(HERE, "glue").is_dir(), reason="the folder glue of $BITPROOF_DATA is not here")

#: What official files look like: header or none, words or numbers as labels, quotes that are letters.
FILES = {
    "cola": 'gj04\t1\t\tThe sailors rode the breeze clear of the rocks.\ngj04\t0\t*\tThe car "honked" down the road.\n',
    "sst2": "sentence\tlabel\na smile on your face \t1\nclumsy \t0\n",
    "mrpc": '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tHe said "yes.\tHe agreed.\n0\t3\t4\tA\tB\n',
    "qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWhy?\tHow come?\t1\n1\t3\t4\tWho?\tWhat?\t0\n",
    "stsb": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
    "0\ta\tb\tc\td\te\tf\tA plane.\tA jet.\t4.400\n1\ta\tb\tc\td\te\tf\tA man.\tA cat.\t0.000\n",
    "mnli": "index\tsentence1\tsentence2\tgold_label\n0\tA\tB\tneutral\n1\tC\tD\tcontradiction\n",
    "qnli": "index\tquestion\tsentence\tlabel\n0\tWhat?\tThat.\tnot_entailment\n1\tWho?\tMe.\tentailment\n",
    "rte": "index\tsentence1\tsentence2\tlabel\n0\tA\tB\tnot_entailment\n1\tC\tD\tentailment\n",
    "wnli": "index\tsentence1\tsentence2\tlabel\n0\tA\tB\t1\n1\tC\tD\t0\n",
}
LABELS = {"stsb": [4.4, 0.0], "mnli": [1, 2], "qnli": [1, 0], "rte": [1, 0]}


@pytest.mark.parametrize("name", FILES)
def test_all_nine_tasks_are_read_from_their_files(name, tmp_path):
    file = tmp_path / "dev.tsv"
    file.write_text(FILES[name], encoding="utf-8")
    task = load_any(f"text/glue:{name},{file}")
    assert [sample.truth for sample in task.data.samples] == LABELS.get(name, [1, 0])
    texts = [sentences(sample.read()) for sample in task.data.samples]
    assert {len(pair) for pair in texts} == {1 if name in ("cola", "sst2") else 2}
    assert all(text and text == text.strip() for pair in texts for text in pair)
    if name in ("cola", "mrpc"):
        assert '"' in "".join(texts[0] + texts[1])


@needs_data
@pytest.mark.parametrize(
    ("name", "file", "n"),
    [("cola", "cola-dev", 516), ("sst2", "sst2-dev", 6735), ("mrpc", "mrpc-train", 4076), ("stsb", "stsb-dev", 1500)],
)
def test_real_files(name, file, n):
    task = load_kind(f"glue:{name},$BITPROOF_DATA/glue/{file}.tsv", "text")
    assert len(task.data) == n
    assert len({sample.id for sample in task.data.samples}) == n
    if name == "stsb":
        assert min(s.truth for s in task.data.samples) == 0 and max(s.truth for s in task.data.samples) == 5


def written(tmp_path, text):
    file = tmp_path / "file.tsv"
    file.write_text(text, encoding="utf-8")
    return file


def test_two_parts_of_a_file_share_nothing(tmp_path):
    file = written(tmp_path, "sentence\tlabel\n" + "".join(f"text {i}\t{i % 2}\n" for i in range(40)))
    one, other = (load_any(f"glue:sst2,{file},{part}").data for part in ("first=10", "skip=10"))
    assert len(one) == 10 and len(other) == 30
    assert not {s.id for s in one.samples} & {s.id for s in other.samples}
    assert sum(s.label for s in one.samples) == 5 and one.digest != other.digest


@pytest.mark.parametrize(
    ("spec", "text", "error", "says"),
    [
        ("sst3", "sentence\tlabel\n", UnknownName, "Did you mean 'sst2'"),
        ("sst2", "", DataError, "is empty"),
        ("sst2", "text\tclass\na\t1\n", DataError, r"needed is a header with 'sentence', 'label'"),
        ("cola", "a\tb\tc\n", DataError, "2 or 4 columns without one"),
        ("sst2", "sentence\tlabel\nfine\n", DataError, "line 2 has 1 columns"),
        ("sst2", "sentence\tlabel\nfine\tgood\n", DataError, "line2: the label 'good' is not a number"),
        ("rte", "sentence1\tsentence2\tlabel\na\tb\tmaybe\n", DataError, "one of entailment, not_entailment"),
        ("sst2", "sentence\tlabel\n \t1\n", DataError, "a sentence is empty"),
        ("sst2,first=9", "sentence\tlabel\na\t1\n", SpecError, "leave nothing, or more"),
        ("stsb", "sentence1\tsentence2\tscore\na\tb\tmuch\n", DataError, "is not a number"),
    ],
)
def test_bad_files_are_named(spec, text, error, says, tmp_path):
    name, _, more = spec.partition(",")
    with pytest.raises(error, match=says):
        load_any(f"glue:{name},{written(tmp_path, text)}{',' * bool(more)}{more}")


def test_a_missing_file_and_a_wrong_encoding(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_any(f"glue:sst2,{tmp_path / 'none.tsv'}")
    file = tmp_path / "latin.tsv"
    file.write_bytes("sentence\tlabel\ncafé\t1\n".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        load_any(f"glue:sst2,{file}")


def test_a_number_is_right_within_half_a_unit(tmp_path):
    file = written(tmp_path, FILES["stsb"])
    task = load_any(f"glue:stsb,{file}")
    first, second = task.score_batch(np.array([[4.0], [0.75]]), [4.4, 0.0])
    assert first["correct"] and first["margin"] == pytest.approx(0.1) and first["loss"] == pytest.approx(0.16)
    assert (first["prediction"], first["value"], first["target"]) == (4, 4.0, 4.4) and math.isnan(first["confidence"])
    assert not second["correct"] and second["margin"] < 0
    with pytest.raises(ModelError, match="classes=1"):
        task.score_batch(np.zeros((2, 3)), [4.4, 0.0])
    task.data.check_classes(1)
    with pytest.raises(DataError, match="asks for a number"):
        task.data.check_classes(2)


def test_a_sentence_may_hold_other_line_breaks(tmp_path):
    file = tmp_path / "dev.tsv"
    file.write_text("sentence\tlabel\none\u2028two\x0bthree\x85\t1\r\nfour\t0\r\n", encoding="utf-8")
    first, second = load_any(f"text/glue:sst2,{file}").data.samples
    assert sentences(first.read())[0].startswith("one\u2028two") and sentences(second.read()) == ("four",)
