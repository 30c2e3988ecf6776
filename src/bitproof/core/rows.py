"""The rows that leave a cell: one a sample, and one a variant. Everything that is reported is made from them."""

from __future__ import annotations

from dataclasses import dataclass

#: Raised when a column comes or changes its meaning; written into every store. Columns that an older store lacks are read as null.
SCHEMA = 5


@dataclass(frozen=True)
class SampleRow:
    """One sample met one cell's noise.

    ``noise`` is the cell's canonical spec (``clean``, ``fog:3``, ``decode-ffmpeg+cv-area``), ``name`` its first noise without
    settings, ``family`` clean, natural, perturbation, system, field (a bug in front of the network), adversarial, mixed or
    evidence. ``margin`` is the true class's logit minus the best other
    (negative where the prediction is wrong), ``loss`` the cross-entropy in nats, ``confidence`` the predicted class's probability;
    all three are NaN where a network tells labels alone.
    ``success``, ``queries`` and ``gradients`` belong to attacks and are null elsewhere. ``zero_exact`` and ``zero_ste`` (is the
    input gradient zero, by gradient mode), ``logit_norm`` (ℓ2) and ``cosine`` (of the input gradient with the control's) belong to
    cells of the family ``evidence``, whose samples are clean. ``distance`` is that of the nearest input that a minimum-norm attack
    found to fool, in its own norm; null where it found none, and for other noises. ``shown`` is the class whose patch was on the
    picture; null where the defense is told no class. Controls of a defense are of the family ``evidence`` too, under its noise.
    ``value`` and ``target`` belong to tasks whose answer is a number and are null elsewhere: what was answered and what is right.
    There ``label`` and ``prediction`` are those rounded, ``correct`` says that they differ by at most half a unit, ``margin`` is
    what is left of that half, ``loss`` the squared difference, and ``confidence`` NaN.
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
    zero_exact: bool | None = None
    zero_ste: bool | None = None
    logit_norm: float | None = None
    cosine: float | None = None
    distance: float | None = None
    trial: int | None = None
    shown: int | None = None
    value: float | None = None
    target: float | None = None


@dataclass(frozen=True)
class ReplyRow:
    """What a chat model said to one asking of one item; beside the row of the same cell, sample and trial.

    ``group``: items about one picture. ``negative``: the matched negative of a question of presence. ``answer``: the right one;
    ``options`` as they were shown, joined by ``|``, and ``position``, the place of the chosen one. ``status``: right, wrong,
    unparsable or refusal. ``value``: the answer that was read; ``score``: 0 to 1, with part of the credit. ``reply``: its text,
    capped. ``cost``: by the prices that were given. ``server``: what the server says it is.
    """

    cell: str
    task: str
    model: str
    recipe: str
    noise: str
    defense: str
    seed: int
    sample: str
    trial: int
    scenario: str
    group: str
    phrasing: int
    repeat: int
    negative: bool
    answer_type: str
    question: str
    answer: str
    options: str
    status: str
    value: str
    score: float
    position: int | None
    reply: str
    tokens_in: int | None
    tokens_out: int | None
    latency_ms: float
    cost: float
    server: str


@dataclass(frozen=True)
class VariantRow:
    """One network: what it is, what it weighs, what it cost.

    ``size_bytes`` counts parameters at their bit-width, ``latency_ms`` is the simulated network's median at batch 1 on
    ``threads`` threads (fake quantization costs time: it is not the deployed latency), ``time_s`` training or calibration.
    ``training``: the settings of its training, null where there was none. ``weights``: numbers in the float network;
    ``macs``: multiply-adds of one sample in layers with weights; ``weights_binary`` and ``macs_binary``: those of layers whose
    weights and inputs have one bit. ``packed_bytes`` on disk, ``packed_ms`` at batch 1 on the packed kernels, and beside it
    ``float_ms`` of the float network, measured by turns; null where nothing
    could be packed, times also where no kernels are built. All are null in rows from before.
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
    training: str | None = None
    weights: int | None = None
    weights_binary: int | None = None
    macs: int | None = None
    macs_binary: int | None = None
    packed_bytes: int | None = None
    packed_ms: float | None = None
    float_ms: float | None = None
