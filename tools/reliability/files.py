"""Pictures, checkpoints, graphs and runs that somebody made to do harm."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from bitproof.bench import check
from bitproof.core import BitproofError
from bitproof.models import load
from bitproof.results import Store, compact
from bitproof.results.files import fingerprint
from tools.reliability.tally import Tally, some
from tools.reliability.toy import FAILED, REFUSED, WELL, Toy, finish, rows, told, was_run


def _png(width: int, height: int, body: bytes) -> bytes:
    parts = {b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT": body, b"IEND": b""}
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _encoded(kind: str, side: int = 40) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


#: What is wrong → the bytes of a picture file.
CONTENTS: dict[str, Callable[[], bytes]] = {
    "decompression bomb": lambda: _png(60_000, 60_000, zlib.compress(bytes(1 << 20))),
    "header of 2³¹ pixels a side": lambda: _png(2**31 - 1, 2**31 - 1, b""),
    "sides of zero": lambda: _png(0, 0, zlib.compress(b"")),
    "body that is too short": lambda: _png(64, 64, zlib.compress(bytes(100))),
    "body that is no stream": lambda: _png(64, 64, b"\xff" * 100),
    "empty file": lambda: b"",
    "zeros": lambda: bytes(5000),
    "JPEG cut in half": lambda: _encoded("JPEG")[:900],
    "JPEG cut in its header": lambda: _encoded("JPEG")[:100],
    "PNG cut in half": lambda: _encoded("PNG")[:2000],
    "WebP cut in half": lambda: _encoded("WEBP")[:300],
    "a page of HTML": lambda: b"<html><script>alert(1)</script></html>",
    "a program": lambda: b"#!/bin/sh\ntouch ran\n",
    "a pickle": lambda: pickle.dumps({"a": 1}),
    "another format (GIF)": lambda: _encoded("GIF"),
    "another format (TIFF)": lambda: _encoded("TIFF"),
    "another format (PostScript)": lambda: b"%!PS-Adobe-3.0\n(touch ran) system\nshowpage\n",
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
}


def _link(where: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "x.png").symlink_to(where)


def _named(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(_encoded("PNG"))


#: What is wrong → how it is put into a class's folder.
THINGS: dict[str, Callable[[Path], None]] = {
    "a pipe that nobody writes to": lambda folder: os.mkfifo(folder / "x.png"),
    "a link to a device without end": _link("/dev/zero"),
    "a link to a terminal": _link("/dev/tty"),
    "a link to a text outside": _link("/etc/passwd"),
    "a link to itself": _link("x.png"),
    "a folder": lambda folder: (folder / "x.png").mkdir(),
    "a name of HTML": _named("<img src=x onerror=alert(1)>.png"),
    "a name with line ends": _named("a\nb\r\x1b[31m.png"),
    "a name that climbs": _named("..%2f..%2fx.png"),
    "a name like a spec": _named('a:b=c,"d+e.png'),
    "a name in another script": _named("画像🙂\u202e.png"),
    "a name of bytes": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).write_bytes(_encoded("PNG")),
}


def pictures(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """One of the pictures does harm: a message, a failed cell, or it is a picture like others; no code, no hanging."""
    tally = Tally("hostile picture or name of one")
    harm = {what: _content(make) for what, make in CONTENTS.items()} | THINGS
    for i, (what, put) in enumerate(some(harm.items(), count, draw)):
        own = Toy(folder / f"p{i}")
        shutil.copytree(toy.folder, own.folder)
        own.grid.write_text(_of_all(toy.grid.read_text().replace(str(toy.pictures), str(own.pictures))))
        put(own.pictures / "class0")
        out = own.folder / "run"
        code = finish(own.grid, out)
        expected = (REFUSED, FAILED) if what in CONTENTS else (REFUSED, FAILED, WELL)
        fault = "its code was run" if was_run(folder) else "" if code in expected else f"exit {code}: {told(out)}"
        tally.count(fault and f"{what}: {fault}")
        shutil.rmtree(own.folder)
    return tally


def _of_all(grid: str) -> str:
    """The grid without its limits: every picture is met."""
    return "".join(line for line in grid.splitlines(keepends=True) if not line.startswith("limit"))


def _content(make: Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda folder: _written(folder / "0.png", make())


def _written(path: Path, data: bytes) -> None:
    path.write_bytes(data)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """What a pickle runs."""
        return Path.touch, (self.flag,)


def models(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Checkpoints that run code, graphs that read other people's files: one message, nothing was run and nothing read."""
    tally, flag = Tally("hostile checkpoint or ONNX file"), folder / "ran"
    folder.mkdir()
    specs = _checkpoints(folder, flag) + _graphs(folder)
    for what, spec in some(specs, count, draw):
        try:
            load(spec)
            fault = f"{what}: it was opened"
        except BitproofError:
            fault = f"{what}: its code was run" if flag.exists() else ""
        except Exception as error:
            fault = f"{what}: {type(error).__name__}: {error}"
        tally.count(fault)
    return tally


def _checkpoints(folder: Path, flag: Path) -> list[tuple[str, str]]:
    found = []
    for suffix in ("pt", "pth", "bin", "ckpt", "safetensors"):
        for what, data in (("pickle", pickle.dumps(Bomb(flag), protocol=2)), ("zip", _zipped(Bomb(flag)))):
            path = folder / f"{what}.{suffix}"
            path.write_bytes(data)
            found.append((f"code in a {what} named .{suffix}", f"resnet20:weights={path}"))
    header = json.dumps({"conv1.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "huge.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "long.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    return [*found, *((f"{name} of safetensors", f"resnet20:weights={folder / name}.safetensors") for name in ("huge", "long"))]


def _zipped(value: object) -> bytes:
    file = io.BytesIO()
    torch.save({"a": torch.zeros(1), "b": value}, file)
    return file.getvalue()


def _graphs(folder: Path) -> list[tuple[str, str]]:
    try:
        import onnx
    except ImportError:
        return []
    secret = folder / "secret"
    secret.write_bytes(np.ones(3 * 16 * 16 * 4, np.float32).tobytes())
    inside = folder / "graphs"
    inside.mkdir()
    places = {"climbing": "../secret", "absolute": str(secret), "device": "/dev/zero", "missing": "nothing"}
    found = []
    for what, place in places.items():
        (inside / f"{what}.onnx").write_bytes(_graph(onnx, place))
        found.append((f"ONNX with {what} external data", f"onnx:{inside / what}.onnx,size=16"))
    for what, data in {"empty": b"", "zeros": bytes(100), "cut": _graph(onnx, "nothing")[:80], "text": b"<html>"}.items():
        (inside / f"{what}.onnx").write_bytes(data)
        found.append((f"{what} ONNX file", f"onnx:{inside / what}.onnx,size=16"))
    return found


def _graph(onnx: object, place: str) -> bytes:
    """A linear network whose weights lie in the file ``place``."""
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[768, 4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=place)
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(*each) for each in (("x", 1, ["n", 3, 16, 16]), ("y", 1, ["n", 4]))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


#: Names of a run's files that lead out of their folder, that hide, or that are none; {folder} is where all is done.
NAMES = ("../../../ran", "{folder}/ran", "..", "a/../../../../ran", ".hidden", "")


def runs(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """A run that was handed in names files outside of it: nothing is written or read there."""
    tally, out = Tally("hostile results directory"), folder / "run"
    finish(toy.grid, out)
    for i, name in enumerate(some((each.format(folder=folder) for each in NAMES), count, draw)):
        handed = folder / f"handed{i}"
        compact(out, handed)
        data = {"d": {"info": {"files": {name: fingerprint(b"ran")}}, "files": {name: base64.b64encode(b"ran").decode()}}}
        (handed / "defenses.json").write_text(json.dumps(data))
        store = Store.create(folder / "over" / "there" / f"taken{i}")
        try:
            store.write_defense("d", *Store.open(handed).defense("d"))
            fault = f"{name!r} was taken over"
        except BitproofError:
            fault = ""
        fault = f"{name!r}: a file lies outside" if was_run(folder) else fault
        well = "failed" not in {each.state for each in check(handed, 0)} and not rows(handed).is_empty()
        tally.count(fault or ("" if well else f"{name!r}: the rest of the run cannot be read"))
    return tally
