"""One file of a packed network: safetensors with its steps as JSON in the header. Reading it runs nothing that it holds."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bitproof.core import BitproofError, ModelError, StoreError
from bitproof.export.depths import PackedDepths
from bitproof.export.packed_texts import PackedTexts
from bitproof.export.product import Product
from bitproof.export.program import Program, array
from bitproof.export.signs import Signs, Window
from bitproof.export.steps import Named, Ref, Step, mapped
from bitproof.export.tables import signs_of, table_of
from bitproof.kernels import Cut, pack, pack_weight, unpack

#: The key of the header, and the versions of what stands there: one program, or several of which equal arrays are kept once, or
#: either with what came later: tables of signs, long texts, networks of texts.
KEY, ONE, SEVERAL, MORE = "bitproof.packed", 1, 2, 3

#: Texts about a network that are longer, such as a tokenizer, are kept deflated; and no text is longer than that, in bytes.
SHORT, LONGEST = 4096, 2**26

Arrays = dict[str, NDArray[Any]]
Packed = Program | PackedDepths | PackedTexts


def save_packed(model: Packed, path: str | Path, about: Mapping[str, Any] | None = None) -> int:
    """Write ``model``, as ``deploy`` returns it, to ``path`` and return the bytes on disk.

    Signs are stored eight to a byte in the order of the weight ``[o, c / groups, kh, kw]``, first in the lowest bit, 1 for −1; a
    product with a cut keeps its thresholds and no scale; a table whose rows have one magnitude, such as a binarized embedding, its
    signs and those. What several depths share is stored once. ``about``: plain values that are kept with it. Raises StoreError
    where ``path`` cannot be written.
    """
    header, arrays = _whole(model)
    header["about"] = {key: value for key, value in (about or {}).items() if not _is_long(value)}
    long = {f"about.{key}": _deflated(value) for key, value in (about or {}).items() if _is_long(value)}
    if long or header.get("texts") or any("tables" in told for told in [header, *header.get("programs", {}).values()]):
        header["version"] = MORE
    try:
        save_file({**arrays, **long}, path, {KEY: json.dumps(header)})
        return Path(path).stat().st_size
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{str(path)!r} cannot be written: {error}.") from None


def _whole(model: Packed) -> tuple[dict[str, Any], Arrays]:
    if isinstance(model, PackedDepths):
        return _several(model)
    told, arrays = _program_of(model.program if isinstance(model, PackedTexts) else model)
    texts = {"texts": True} if isinstance(model, PackedTexts) else {}
    return {"version": ONE, **texts, **told}, arrays


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > SHORT


def _deflated(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.compress(text.encode(), 9), np.uint8)


def _inflated(value: NDArray[np.uint8]) -> str:
    stream = zlib.decompressobj()
    text = stream.decompress(value.tobytes(), LONGEST)
    if not stream.eof:
        raise ValueError(f"a text is cut off, or longer than {LONGEST:,} bytes")
    return text.decode()


def _program_of(program: Program) -> tuple[dict[str, Any], Arrays]:
    """Return a program as plain values, and its arrays."""
    arrays: Arrays = {}
    tables, products = {}, {}
    for name, value in program.tensors.items():
        plain = np.ascontiguousarray(array(value))
        signs = signs_of(plain)
        if signs is not None:
            tables[name] = plain.shape
        arrays |= {f"tensor.{name}": plain} if signs is None else {f"table.{name}.{key}": part for key, part in signs.items()}
    for name, product in program.products.items():
        arrays |= {f"product.{name}.{key}": value for key, value in _arrays(product).items()}
        weight, window = product.signs.weight, product.signs.window
        products[name] = {"shape": weight.shape, "groups": weight.groups, **dataclasses.asdict(window)}
    steps = [[step.id, step.op, _plain(list(step.args)), {k: _plain(v) for k, v in step.kwargs.items()}] for step in program.steps]
    more = {"tables": tables} if tables else {}
    return {"output": program.output, "products": products, "steps": steps, **more}, arrays


def _several(net: PackedDepths) -> tuple[dict[str, Any], Arrays]:
    kept: Arrays = {}
    programs: dict[str, Any] = {}
    names: dict[Any, str] = {}  # what an array holds → where that is kept
    for depth in net.depths:
        told, arrays = _program_of(net.at(depth))
        where = {}
        for key, value in arrays.items():
            same = (value.dtype.str, value.shape, value.tobytes())
            where[key] = names.setdefault(same, f"{depth}.{key}")
            kept.setdefault(where[key], value)
        programs[str(depth)] = {**told, "arrays": where}
    return {"version": SEVERAL, "depth": net.depth, "programs": programs}, kept


def load_packed(path: str | Path) -> Packed:
    """Read a network that ``save_packed`` or ``bitproof export --packed`` wrote. Raises ModelError where it is none, or damaged."""
    return read_packed(path)[0]


def read_packed(path: str | Path) -> tuple[Packed, dict[str, Any]]:
    """Return the network and what was kept about it. Raises ModelError where the file is none, or damaged."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"The packed network {str(path)!r} does not exist.")
    try:
        with safe_open(path, framework="np") as file:
            header, arrays = (file.metadata() or {}).get(KEY), {key: file.get_tensor(key) for key in file.keys()}
    except Exception as error:  # the library raises its own types for every way in which a file can be broken
        raise ModelError(f"{str(path)!r} is no packed network: {error}.") from None
    if header is None:
        raise ModelError(f"{str(path)!r} is no packed network; 'bitproof export … --packed' writes one.")
    try:
        return _read(json.loads(header), arrays)
    except (
        BitproofError,
        zlib.error,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ModelError(f"The packed network {str(path)!r} is damaged: {type(error).__name__}: {error}.") from None


def _read(header: Any, arrays: Arrays) -> tuple[Packed, dict[str, Any]]:
    version = header["version"]
    if version not in (ONE, SEVERAL, MORE):
        raise ValueError(f"it is of version {version!r}, this bitproof reads {ONE} to {MORE}")
    long = {key.removeprefix("about."): _inflated(value) for key, value in arrays.items() if key.startswith("about.")}
    return _model(version, header, arrays), {**header["about"], **long}


def _model(version: int, header: Any, arrays: Arrays) -> Packed:
    if version == ONE or (version == MORE and "programs" not in header):
        program = _program(header, arrays)
        return PackedTexts(program).eval() if header.get("texts") else program
    programs = {
        int(depth): _program(told, {str(key): arrays[name] for key, name in told["arrays"].items()})
        for depth, told in header["programs"].items()
    }
    return PackedDepths(programs, int(header["depth"])).eval()


def _program(told: Any, arrays: Arrays) -> Program:
    tensors = {key.removeprefix("tensor."): torch.from_numpy(value) for key, value in arrays.items() if key.startswith("tensor.")}
    for name, (rows, columns) in told.get("tables", {}).items():
        kept = {key: arrays[f"table.{name}.{key}"] for key in ("signs", "scale")}
        tensors[name] = torch.from_numpy(table_of(kept, int(rows), int(columns)))
    products = {name: _product(name, about, arrays) for name, about in told["products"].items()}
    steps = [
        Step(int(number), str(op), tuple(_value(args)), {str(key): _value(value) for key, value in kwargs.items()})
        for number, op, args, kwargs in told["steps"]
    ]
    return Program(steps, tensors, products, int(told["output"])).eval()


# A product as arrays.


def _arrays(product: Product) -> Arrays:
    found, cut = product.signs, product.cut
    negative = found.weight.unpack().reshape(-1) < 0
    after: Arrays = {"scale": found.scale, "bias": found.bias} if cut is None else {"at": cut.at, "flip": cut.flip}
    return {"signs": np.packbits(negative, bitorder="little"), "threshold": found.threshold, **after}


def _product(name: str, about: Mapping[str, Any], arrays: Arrays) -> Product:
    def given(key: str, kind: Any, *sizes: int) -> NDArray[Any]:
        value = arrays[f"product.{name}.{key}"]
        if value.dtype != kind or value.ndim != 1 or value.size not in sizes:
            raise ValueError(f"{key} of {name} is {value.dtype} {value.shape}; {np.dtype(kind)} {sizes} is needed")
        return value

    out, channels, kh, kw = shape = tuple(map(int, about["shape"]))
    groups, count = int(about["groups"]), out * channels * kh * kw
    if min(*shape, groups) < 1:
        raise ValueError(f"{name} has the shape {shape}, groups {groups}")
    octets = given("signs", np.uint8, -(-count // 8))
    weight = pack_weight(1 - 2 * np.unpackbits(octets, count=count, bitorder="little").astype(np.int8).reshape(shape), groups)
    window = Window(_pair(about["stride"]), _pair(about["padding"]), _pair(about["dilation"]), int(about["pad"]))
    threshold = given("threshold", np.float32, 1, channels * groups)
    if f"product.{name}.at" not in arrays:
        return Product(Signs(weight, given("scale", np.float32, out), given("bias", np.float32, out), threshold, window))
    flip = pack(unpack(given("flip", np.uint64, -(-out // 64)), out))  # bits beyond the outputs are dropped
    nothing = np.zeros(0, np.float32)
    return Product(Signs(weight, nothing, nothing, threshold, window), Cut(given("at", np.int32, out), flip))


def _pair(value: Any) -> tuple[int, int]:
    first, second = map(int, value)
    return first, second


# Arguments as JSON.


def _plain(value: Any) -> Any:
    def leaf(found: Any) -> Any:
        if isinstance(found, Ref):
            return {"step": found.id}
        if isinstance(found, Named):
            return {"tensor": found.name}
        return {"dtype": str(found).removeprefix("torch.")} if isinstance(found, torch.dtype) else found

    return mapped(value, leaf)


def _value(value: Any) -> Any:
    def leaf(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        ((kind, what),) = found.items()
        if kind == "dtype":
            dtype = getattr(torch, what)
            if not isinstance(dtype, torch.dtype):
                raise ValueError(f"{what!r} is no type of numbers")
            return dtype
        return {"step": Ref, "tensor": Named}[kind](what)

    return mapped(value, leaf)
