"""One cell of questions: pictures under a noise are shown to a chat model, its replies judged, one row an asking."""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from bitproof.bench.ahead import Times
from bitproof.bench.ids import Cell
from bitproof.bench.pictures import Picture, Pipeline
from bitproof.bench.specs import parts
from bitproof.core import Reply, ReplyRow, SampleRow, digest
from bitproof.models import Endpoint
from bitproof.noises import noise
from bitproof.results import Asked
from bitproof.tasks import Sample, Trial, Verdict, VqaTask


@dataclass(frozen=True)
class Answered:
    """One asking and what became of it."""

    sample: Sample
    trial: Trial
    reply: Reply
    verdict: Verdict


class Asker:
    """Asks an endpoint what was not asked before."""

    def __init__(self, endpoint: Endpoint, asked: Asked) -> None:
        self.endpoint, self.asked = endpoint, asked

    def replies(self, picture: Picture, trials: Sequence[Trial]) -> Iterator[tuple[Trial, Reply, bool]]:
        """Yield each trial with its reply, and whether it was asked now. Raises ModelError where there is none to be had."""
        pixels = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()
        for trial in trials:
            key = digest(self.endpoint.digest, pixels, trial.prompt.text, trial.repeat, length=64)
            known = self.asked.get(key)
            yield (trial, known, False) if known else (trial, self._ask(key, picture, trial), True)

    def _ask(self, key: str, picture: Picture, trial: Trial) -> Reply:
        reply = self.endpoint.chat.ask(png(picture), trial.prompt.text, trial.repeat)
        self.asked.put(key, reply)
        return reply


def ask_all(
    cell: Cell,
    task: VqaTask,
    samples: Sequence[Sample],
    pipeline: Pipeline,
    asker: Asker,
    times: Times,
    advance: Callable[[int], None],
) -> list[Answered]:
    """Ask everything of ``cell``, several samples at once, and return the answers in the order of the samples.

    The first that fails ends the cell; what was answered by then is kept.
    """

    def one(sample: Sample) -> tuple[list[Answered], float, float]:
        item, start = task.item(sample), time.perf_counter()
        picture = pipeline.made(sample)
        pictured = time.perf_counter()
        found = list(asker.replies(picture, list(task.trials(item, cell.variant.seed))))
        asked_s = sum(reply.latency_ms for _, reply, new in found if new) / 1e3
        return [Answered(sample, t, r, task.judge(item, t, r.text, r.filtered)) for t, r, _ in found], pictured - start, asked_s

    answered: list[Answered] = []
    pool = ThreadPoolExecutor(max_workers=asker.endpoint.concurrency)
    try:
        for future in [pool.submit(one, sample) for sample in samples]:
            found, pictures_s, asked_s = future.result()
            answered += found
            times.samples, times.pictures_s, times.network_s = (
                times.samples + 1,
                times.pictures_s + pictures_s,
                times.network_s + asked_s,
            )
            advance(1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return answered


def png(picture: Picture) -> bytes:
    """uint8 H×W×3 → the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def sample_row(cell: Cell, task: VqaTask, model: str, recipe: str, answered: Answered) -> SampleRow:
    """The row of one asking; ``model`` and ``recipe`` are what the records call the endpoint."""
    severities = [noise(spec).severity for spec in parts(cell.noise) if hasattr(noise(spec), "severity")]
    item, verdict = task.item(answered.sample), answered.verdict
    return SampleRow(
        cell=cell.id,
        variant=cell.variant.id,
        task=cell.variant.task,
        model=model,
        recipe=recipe,
        noise=cell.noise,
        name=cell.name,
        family=cell.family,
        severity=severities[0] if severities else None,
        gradient=None,
        defense=cell.defense,
        seed=cell.variant.seed,
        sample=answered.sample.id,
        label=task.truth(answered.sample),
        prediction=task.prediction(item, verdict),
        correct=verdict.status == "right",
        margin=math.nan,
        loss=math.nan,
        confidence=math.nan,
        success=None,
        queries=None,
        gradients=None,
        trial=answered.trial.index,
    )


def reply_row(cell: Cell, task: VqaTask, model: str, recipe: str, prices: tuple[float, float], answered: Answered) -> ReplyRow:
    """What was said to one asking."""
    item, trial, reply, verdict = task.item(answered.sample), answered.trial, answered.reply, answered.verdict
    return ReplyRow(
        cell=cell.id,
        task=cell.variant.task,
        model=model,
        recipe=recipe,
        noise=cell.noise,
        defense=cell.defense,
        seed=cell.variant.seed,
        sample=answered.sample.id,
        trial=trial.index,
        scenario=item.scenario,
        group=item.group or item.item,
        phrasing=trial.phrasing,
        repeat=trial.repeat,
        negative=item.negative,
        answer_type=item.answer_type,
        question=trial.question,
        answer=item.answer,
        options="|".join(trial.prompt.options),
        status=verdict.status,
        value=verdict.value,
        score=verdict.score,
        position=verdict.position,
        reply=reply.text,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        latency_ms=reply.latency_ms,
        cost=((reply.tokens_in or 0) * prices[0] + (reply.tokens_out or 0) * prices[1]) / 1e6,
        server=reply.server,
    )
