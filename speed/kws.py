"""A keyword network at each depth, one clip, one thread: packed 1-bit against torch and onnxruntime, with and without front end.

Ours is the thinnable `bifsmn` under `bifsmn:w1a1`, as `deploy(model, sample)` packs it at each depth; first and last layer are
float32. Peers are the float network D-FSMN of 8 blocks (600,252 parameters): eager torch, torch compiled, onnxruntime float32, and
onnxruntime's own static int8 per channel. Targets, network alone: at 8 blocks 8 × eager, and 2 × the better of compiled torch and
onnxruntime float32; 20 × eager at one block, the depth that the papers' ratios need; on disk 15 × at 4 blocks against the float
network of 8. The front end, one batched real FFT between two native loops, is compared with a plain `torch.stft` pipeline: 2 ×. The
papers' ratios stand beside ours with what each includes. All calls run in turns in one process; the shortest processor time counts.

--quick repeats less and compiles nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from corruptions import cpu
from packed import in_onnxruntime, shortest_ms

import bitproof
from bitproof import kernels
from bitproof.bench import keep_freed_memory
from bitproof.convert import fused
from bitproof.export import front_end, save_packed
from bitproof.noises.sound.features import mel_filters

DEPTHS = (8, 4, 2, 1)
EAGER, BETTER, SHALLOW, STORAGE, FRONT = 8.0, 2.0, 20.0, 15.0, 2.0

#: What the papers say, on ARMv8 (bifsmn_claims.csv); neither tells its float baseline, its depth or whether the front end is in it.
PUBLISHED = {"BiFSMN": ("22.3 × faster", "15.5 × smaller"), "BiFSMNv2": ("25.1 × faster", "20.2 × smaller")}


def plain_front(x: torch.Tensor) -> torch.Tensor:
    """Return log-mel 32×32 as it is usually written: torch.stft, magnitudes squared, a product, a logarithm."""
    spectrum = torch.stft(x, 2048, 512, window=WINDOW, center=True, return_complex=True)
    power = spectrum.abs().square() / WINDOW.square().sum()
    return (10 * (power.transpose(1, 2) @ FILTERS).clamp(min=1e-10).log10()).transpose(1, 2)[:, None]


def compiled(net: torch.nn.Module, x: torch.Tensor) -> Callable[[], Any] | None:
    """Return torch's compiled network with its weights frozen, None where it cannot be compiled here."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    try:
        fast = torch.compile(net)
        fast(x)
    except Exception as error:  # no compiler, or one that fails
        print(f"torch.compile: {type(error).__name__}: {str(error).splitlines()[0]}")
        return None
    return lambda: fast(x)


def file_bytes(program: Any) -> int:
    """Return what a packed network takes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return save_packed(program, Path(folder) / "packed.safetensors")


def main() -> None:
    """Measure, print a table, end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 turns instead of 200, no compiled torch")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    front = front_end("logmel-32")
    wave, pair = 0.1 * torch.randn(1, 16_000), front(0.1 * torch.randn(2, 16_000))
    x = front(wave)
    floats = bitproof.model("d-fsmn").module
    binary = bitproof.quantize(bitproof.model("bifsmn").module, "bifsmn:w1a1", [pair]).model
    packed = {}
    for depth in DEPTHS:
        binary.net.set_depth(depth)
        packed[depth] = bitproof.deploy(binary, pair).model
    folded = fused(floats, pair)
    calls: dict[str, Callable[[], Any]] = {
        **{f"packed 1-bit, {depth} blocks": (lambda net=net: net(x)) for depth, net in packed.items()},
        "packed step by step, 8 blocks": lambda: packed[8].stepwise(x),
        "torch eager": lambda: floats(x),
        "torch eager, norms folded": lambda: folded(x),
        **{name: call for name, call in in_onnxruntime(floats, x).items()},
        "front end, ours": lambda: front(wave),
        "front end, torch.stft": lambda: plain_front(wave),
        "torch eager with torch.stft": lambda: floats(plain_front(wave)),
        **{f"packed with front end, {depth} blocks": (lambda net=net: net(front(wave))) for depth, net in packed.items()},
    }
    with torch.inference_mode():
        fast = None if quick else compiled(folded, x)
        if fast is not None:
            calls["torch compiled"] = fast
        best = shortest_ms(calls, 20 if quick else 200)
    print(f"1-bit kernels: {kernels.status()}")
    for name, taken in best.items():
        print(f"{name:34s} {1e3 * taken:8.1f} µs")
    deep = packed[8]
    print(f"of 8 blocks, {deep.native} of {len(deep.steps)} steps are native, {len(deep.products)} of them packed products")
    report(best, {depth: file_bytes(net) for depth, net in packed.items()}, floats)


def report(best: dict[str, float], sizes: dict[int, int], floats: torch.nn.Module) -> None:
    """Print ratios and the line of JSON."""
    whole = 4 * sum(p.numel() for p in floats.parameters())
    better = min(taken for name, taken in best.items() if name in ("torch compiled", "onnxruntime float32"))
    eager, deep, thin = best["torch eager"], best["packed 1-bit, 8 blocks"], best["packed 1-bit, 1 blocks"]
    cases = {
        "8 blocks, torch eager, µs": case(deep, eager, EAGER, 1e3),
        "8 blocks, better of compiled torch and onnxruntime, µs": case(deep, better, BETTER, 1e3),
        "1 block, torch eager of 8, µs": case(thin, eager, SHALLOW, 1e3),
        "4 blocks on disk, float of 8, bytes": case(sizes[4], whole, STORAGE, 1),
        "front end, torch.stft, µs": case(best["front end, ours"], best["front end, torch.stft"], FRONT, 1e3),
    }
    ends = {depth: best["torch eager with torch.stft"] / best[f"packed with front end, {depth} blocks"] for depth in DEPTHS}
    print("end to end, front ends included, against torch eager: " + ", ".join(f"{d} blocks {r:.1f} ×" for d, r in ends.items()))
    print("on disk: " + ", ".join(f"{depth} blocks {size:,} bytes, {whole / size:.1f} ×" for depth, size in sizes.items()))
    for name, claims in PUBLISHED.items():
        print(f"{name}: {' and '.join(claims)} (ARMv8; float baseline, depth and front end not told)")
    line = {
        "name": "kws",
        "ratio": round(min(each["ratio"] / each["target"] for each in cases.values()), 3),
        "peer": ", ".join(f"{name}=={version(name)}" for name in ("torch", "onnxruntime")),
        "cpu": cpu(),
        "set": kernels.chosen(),
        "times_us": {name: round(1e3 * taken, 1) for name, taken in best.items()},
        "end_to_end": {str(depth): round(ratio, 2) for depth, ratio in ends.items()},
        "details": cases,
    }
    print(json.dumps(line, ensure_ascii=False))


def case(ours: float, peer: float, target: float, unit: float) -> dict[str, float]:
    """Return one case of the line."""
    return {"ours": round(unit * ours, 1), "peer": round(unit * peer, 1), "ratio": round(peer / ours, 2), "target": target}


WINDOW = torch.hann_window(2048)
FILTERS = mel_filters(16_000, 2048, 32, 0, 8000, "htk", "none").float()

if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="onnxruntime")
    main()
