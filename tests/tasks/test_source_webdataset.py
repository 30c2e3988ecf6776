"""Shards are read in place: what webdataset itself reads, whatever stands beside it, in little memory, with names in messages."""

import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitproof.core import DataError, SpecError
from bitproof.tasks import load


def jpeg(seed, side=24):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


def shard(path, files):
    with tarfile.open(path, "w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def written(folder, shards=3, each=4):
    for s in range(shards):
        pairs = [((f"{s}{i:03d}.jpg", jpeg(10 * s + i)), (f"{s}{i:03d}.cls", str(i % 3).encode())) for i in range(each)]
        shard(folder / f"val-{s:03d}.tar", [file for pair in pairs for file in pair])
    return folder


def facts(data):
    return [(sample.id, sample.label, sample.read()) for sample in data.samples]


@pytest.mark.parametrize("where", ["val-{000..002}.tar", "val-*.tar", ""])
def test_it_gives_what_webdataset_gives(tmp_path, where):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    urls = [str(path) for path in sorted(written(tmp_path).glob("*.tar"))]
    theirs = [(s["__key__"], int(s["cls"]), s["jpg"]) for s in wds.WebDataset(urls, shardshuffle=False)]
    assert facts(load(f"webdataset:{tmp_path}/{where},classes=3").data) == theirs


def test_webdatasets_own_writer_is_read(tmp_path):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    with wds.TarWriter(str(tmp_path / "own.tar")) as sink:
        for i in range(5):
            sink.write({"__key__": f"part/sample{i}", "jpg": jpeg(i), "json": json.dumps({"a": {"label": i}}).encode()})
    data = load(f"webdataset:{tmp_path}/own.tar,label=json.a.label").data
    assert facts(data) == [(f"part/sample{i}", i, jpeg(i)) for i in range(5)]


def test_ids_stay_the_same_wherever_the_shards_lie(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        written(folder)
    one, other = load(f"webdataset:{here}").data, load(f"webdataset:{there}/val-*.tar").data
    assert one.digest == other.digest and facts(one) == facts(other)
    shard(there / "val-000.tar", [("0000.jpg", jpeg(99)), ("0000.cls", b"0")])
    assert load(f"webdataset:{there}").data.digest != one.digest


def test_a_key_of_several_shards_is_told_apart_and_the_rest_is_left_alone(tmp_path):
    files = [
        ("./0.jpg", jpeg(0)),
        ("./0.cls", b"1"),
        ("./0.seg.png", jpeg(5)),
        ("0.txt", b"words"),
        ("./._0.jpg", b""),
        ("README", b"hi"),
    ]
    for name in ("a.tar", "b.tar"):
        shard(tmp_path / name, files)
    assert [(s.id, s.label) for s in load(f"webdataset:{tmp_path}").data.samples] == [("a.tar/0", 1), ("b.tar/0", 1)]


def test_nothing_leaves_the_shard(tmp_path):
    data = load(f"webdataset:{shard(tmp_path / 'up.tar', [('../../etc/passwd.jpg', jpeg(1)), ('/root/x.jpg', jpeg(2))])}").data
    assert [sample.id for sample in data.samples] == ["etc/passwd", "root/x"]
    assert not data.labelled and data.samples[1].read() == jpeg(2)
    assert [path.name for path in tmp_path.iterdir()] == ["up.tar"]


def test_what_does_not_fit_is_named(tmp_path):
    good = [("0.jpg", jpeg(0)), ("0.cls", b"1")]
    refused = {
        "half": (good, "", "damaged"),
        "twice": ([*good, ("0.jpg", jpeg(1))], "", "0.jpg twice"),
        "word": ([good[0], ("0.cls", b"cat")], "", r"0\.cls holds no label"),
        "minus": ([good[0], ("0.cls", b"-2")], "", r"0\.cls holds no label"),
        "json": ([good[0], ("0.json", b'{"label": "x"}')], ",label=json.label", "json.label"),
        "deep": ([good[0], ("0.json", b"[" * 200_000)], ",label=json.label", "json.label"),
        "none": ([("0.txt", b"")], "", "holds no pictures"),
    }
    for name, (files, setting, message) in refused.items():
        path = shard(tmp_path / f"{name}.tar", files)
        if name == "half":
            path.write_bytes(path.read_bytes()[:700])
        with pytest.raises(DataError, match=message):
            load(f"webdataset:{path}{setting}")
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        link = tarfile.TarInfo("0.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "none.tar")
    for where, message in {
        "link.tar": "no plain file",
        "packed.tar.gz": "compressed",
        "gone-{0..1}.tar": "gone-0",
        "no-*.tar": "names no shard",
    }.items():
        with pytest.raises(DataError, match=message):
            load(f"webdataset:{tmp_path}/{where}")
    with pytest.raises(DataError, match="not on a disk"):
        load('webdataset:"pipe:cat x.tar"')
    with pytest.raises(SpecError, match="label="):
        load(f"webdataset:{tmp_path},label=a/b")


def test_a_changed_shard_is_noticed(tmp_path):
    data = load(f"webdataset:{written(tmp_path)}").data
    shard(tmp_path / "val-000.tar", [("0.jpg", jpeg(0))])
    with pytest.raises(DataError, match=r"val-000\.tar.*changed"):
        data.samples[0].read()
    Path(tmp_path / "val-001.tar").unlink()
    with pytest.raises(DataError, match=r"val-001\.tar"):
        data.samples[-5].read()


def test_memory_stays_flat_over_a_long_source(tmp_path):
    """2,000 pictures of 20 kB, 40 MB in all: what is held is their list, and while they are read one picture."""
    content = bytes(20_000)
    for s in range(2):
        pairs = [((f"{s}{i:05d}.jpg", content), (f"{s}{i:05d}.cls", b"1")) for i in range(1000)]
        shard(tmp_path / f"{s}.tar", [file for pair in pairs for file in pair])
    tracemalloc.start()
    data = load(f"webdataset:{tmp_path}").data
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for sample in data.samples:
        sample.read()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000 * 1_500
    assert after - held < 10_000 and peak - held < 10 * len(content)
