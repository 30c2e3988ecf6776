"""Results directories made by hand: no model runs here."""

from __future__ import annotations

import struct
import zlib
from random import Random

from bitproof.core import SampleRow, Spec, VariantRow, digest
from bitproof.results import Store

#: A name that is a program where it is not escaped, in HTML, in a script, and in plotly's labels.
EVIL = "</script><script>window.broken=1</script><img src=x onerror=window.broken=1>\u2028%{x}"

FAMILY = {"clean": "clean", "decode-cv": "system", "cv-area": "system", "pil-nearest": "system", "pgd-linf": "adversarial"}
HARM = {"clean": 0.0, "system": 0.02, "natural": 0.12, "perturbation": 0.05, "adversarial": 0.45, "mixed": 0.15}
NOISES = (
    *("clean", "fog:3", "fog:5", "gaussian_noise:3", "gaussian_noise:5", "pixelate:3", "pixelate:5"),
    *("decode-cv", "cv-area", "pil-nearest", "decode-cv+fog:3", "pgd-linf:eps=1/255", "pgd-linf:eps=2/255"),
)
RECIPES = {"fp32": 0.0, "mse:w8a8": 0.004, "minmax:w8a8": 0.02, "mse:w4a8": 0.08, "mse:w4a4": 0.3}


def png(red: int, green: int, blue: int, side: int = 48) -> bytes:
    """A picture of one colour."""
    line = b"\0" + bytes((red, green, blue)) * side
    parts = {b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), b"IDAT": zlib.compress(line * side), b"IEND": b""}
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def family(noise: str) -> str:
    name = Spec.parse(noise.partition("+")[0]).name
    return "mixed" if "+" in noise else "perturbation" if name.endswith("_p") else FAMILY.get(name, "natural")


def rows(task: str, model: str, recipe: str, noise: str, samples: int) -> list[SampleRow]:
    """Rows whose share of correct predictions falls with the noise and with the recipe's harm."""
    spec, kind = Spec.parse(noise.partition("+")[0]), family(noise)
    severity = int(spec.values[0]) if spec.values and kind != "perturbation" else None
    harm = RECIPES.get(recipe, 0.1) * (1.0 if kind == "clean" else 1.6) + HARM[kind] * (severity or 3) / 3
    drawn = Random(f"{model}{noise}")
    attacked = kind == "adversarial"
    made = []
    for i in range(samples):
        correct = drawn.random() > 0.15 + harm
        made.append(
            SampleRow(
                cell=digest(task, model, recipe, noise),
                variant=digest(task, model, recipe),
                task=task,
                model=model,
                recipe=recipe,
                noise=noise,
                name=spec.name,
                family=kind,
                severity=severity,
                gradient="ste" if attacked else None,
                defense="none",
                seed=0,
                sample=f"{i:05d}.jpeg",
                label=i % 10,
                prediction=i % 10 if correct else (i + 1) % 10,
                correct=correct,
                margin=1.0 if correct else -1.0,
                loss=0.3 if correct else 2.5,
                confidence=min(1.0, 0.55 + 0.3 * drawn.random() + 0.1 * correct),
                success=not correct if attacked else None,
                queries=20 if attacked else None,
                gradients=20 if attacked else None,
            )
        )
    return made


def variant(task: str, model: str, recipe: str) -> VariantRow:
    """What one network weighs."""
    low = recipe not in ("fp32", "float")
    return VariantRow(
        variant=digest(task, model, recipe),
        task=task,
        model=model,
        recipe=recipe,
        seed=0,
        settings="",
        size_bytes=4_700_000 if low else 18_600_000,
        float_bytes=18_600_000,
        latency_ms=31.4,
        threads=2,
        time_s=75.0,
        layers_low_bit=1 if low else 0,
        layers_float=1,
        differentiable=True,
    )


def report(recipe: str) -> dict[str, object]:
    """What happened to its layers."""
    low = recipe not in ("fp32", "float")
    sizes = {"size_bytes": 4_650_000 if low else 18_550_000, "float_bytes": 18_550_000}
    changed = {"name": "conv1", "type": "Conv2d", "changed": low, "reason": "", **sizes}
    settings = {"method": "mse", "w_bits": 8, "a_bits": 8, "granularity": "channel", "symmetric": False} if low else {}
    kept = {"name": "bn1", "type": "BatchNorm2d", "changed": False, "reason": f"{EVIL} not a conv", "size_bytes": 512}
    plain = {"method": "", "w_bits": None, "a_bits": None, "granularity": "", "symmetric": None}
    layers = [{**plain, **changed, **settings}, {**plain, **kept, "float_bytes": 512}]
    return {
        "name": recipe,
        "recipe": recipe,
        "layers": layers,
        "defaults": "per channel, first and last layer at 8 bits",
        "folded": [],
    }


def fill(store: Store, task: str, model: str, *, recipes: tuple[str, ...], noises: tuple[str, ...], samples: int) -> None:
    """Write every cell of recipes × noises."""
    for recipe in recipes:
        store.write_variant(variant(task, model, recipe), report(recipe))
        for noise in noises:
            store.write_cell(digest(task, model, recipe, noise), rows(task, model, recipe, noise, samples))
