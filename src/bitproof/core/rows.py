"""The rows that leave a cell: one a sample, and one a variant. Everything that is reported is made from them."""

from __future__ import annotations

from dataclasses import dataclass

#: Raised when a column changes its meaning; written into every file of a store.
SCHEMA = 1


@dataclass(frozen=True)
class SampleRow:
    """One sample met one cell's noise.

    ``noise`` is the cell's canonical spec (``clean``, ``fog:3``, ``decode-ffmpeg+cv-area``), ``name`` its first noise without
    settings, ``family`` clean, natural, system, adversarial or mixed. ``margin`` is the true class's logit minus the best other
    (negative where the prediction is wrong), ``loss`` the cross-entropy in nats, ``confidence`` the predicted class's probability.
    ``success``, ``queries`` and ``gradients`` belong to attacks and are null elsewhere.
    """

    cell: str
    variant: str
    task: str
    model: str
    recipe: str
    noise: str
    name: str
    family: str
    severity: int | None
    gradient: str | None
    defense: str
    seed: int
    sample: str
    label: int
    prediction: int
    correct: bool
    margin: float
    loss: float
    confidence: float
    success: bool | None
    queries: int | None
    gradients: int | None


@dataclass(frozen=True)
class VariantRow:
    """One network: what it is, what it weighs, what it cost.

    ``size_bytes`` counts parameters at their bit-width, ``latency_ms`` is the simulated network's median at batch 1 on
    ``threads`` threads (fake quantization costs time: it is not the deployed latency), ``time_s`` training or calibration.
    """

    variant: str
    task: str
    model: str
    recipe: str
    seed: int
    settings: str
    size_bytes: int
    float_bytes: int
    latency_ms: float
    threads: int
    time_s: float
    layers_low_bit: int
    layers_float: int
    differentiable: bool
