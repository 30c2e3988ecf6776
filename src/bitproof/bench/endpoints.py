"""The kind ``vqa``: chat endpoints that are asked about pictures; what is low-bit there is what the server runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import cast

import torch

from bitproof.bench.ahead import Times
from bitproof.bench.cache import SampleCache
from bitproof.bench.costs import picture_s, pictures_of
from bitproof.bench.ids import Cell, Variant
from bitproof.bench.kind import Prediction, Tell
from bitproof.bench.pictures import Pipeline, check_interpolation
from bitproof.bench.plan import Plan
from bitproof.bench.questions import Asker, ask_all, reply_row, sample_row
from bitproof.bench.shown import write_shown
from bitproof.bench.specs import on_samples
from bitproof.core import BitproofError, SampleRow, SpecError
from bitproof.models import Endpoint
from bitproof.noises import noise
from bitproof.results import Asked, Store
from bitproof.tasks import Task, VqaTask

#: What is guessed before anything was asked: seconds a request, tokens of a picture, characters a token, tokens of a reply.
REQUEST_S, PICTURE_TOKENS, TOKEN_CHARACTERS, REPLY_TOKENS = 2.0, 350, 4, 10

#: Bytes on disk of one asking: its row, its reply, and the record of the answer.
ASKING_BYTES = 700


class EndpointKind:
    """Questions about pictures."""

    def check(self, plan: Plan) -> None:
        """Refuse networks, recipes that nothing here could carry out, keys of training, and ``of`` that names no control."""
        if plan.networks:
            raise SpecError(
                f"{next(iter(plan.networks))!r} gives logits and answers no questions. A vqa task takes chat endpoints: "
                "models: ['chat:http://HOST:PORT/v1#MODEL'] or [vlm:DIR]."
            )
        if set(map(str, plan.recipes)) != {"fp32"}:
            raise SpecError(
                f"A chat endpoint is evaluated as its server runs it: recipes: [fp32]; found {', '.join(map(str, plan.recipes))}. "
                "Serve the model at other bits, and name that one with of=: 'chat:http://HOST:PORT/v1#MODEL-Q4,of=MODEL'."
            )
        if plan.grid.train or plan.grid.training or plan.grid.geometry.preprocess:
            raise SpecError("A vqa task trains nothing and knows no preprocess: leave train, training and geometry.preprocess out.")
        for name, endpoint in plan.endpoints.items():
            check_interpolation(name, endpoint.geometry)
            family(plan, name)

    def misfit(self, part: str, task: Task, model: Endpoint) -> str | None:
        """A family leaves out what is for other kinds, a decoder that cannot read the data, and the clean resize."""
        built = noise(part)
        if task.kind not in built.kinds:
            return f"It is for {', '.join(built.kinds)}."
        try:
            if built.site == "decode":
                built(task.data.samples[0].read())
        except BitproofError as error:
            return str(error)
        return None

    def check_noise(self, spec: str, model: Endpoint) -> None:
        """Its own kind is all that a noise has to fit, and the plan looks at that."""

    def pace(self, plan: Plan) -> tuple[int, int]:
        """Neither batches nor threads move an answer."""
        return 1, 1

    def costs(self, plan: Plan) -> EndpointCosts:
        """Requests at a guess, pictures measured."""
        return EndpointCosts(plan)

    def predict(self, plan: Plan, before: Collection[str], device: torch.device) -> Prediction:
        """Count requests and tokens; nothing is computed on ``device``."""
        costs, cells = EndpointCosts(plan), [cell for cell in plan.cells if cell.id not in before]
        asked = {cell: costs.requests(cell) for cell in cells}
        tokens = {cell: costs.tokens(cell) for cell in cells}
        return Prediction(
            variants=len([variant for variant in plan.variants if variant.id not in before]),
            trainings=0,
            cells=len(cells),
            rows=sum(asked.values()),
            variants_s=0.0,
            cells_s=sum(map(costs.cell_s, cells)) + costs.pictures_s(cells),
            disk_bytes=sum(asked.values()) * ASKING_BYTES,
            requests=sum(asked.values()),
            tokens=sum(tokens.values()) + sum(asked.values()) * REPLY_TOKENS,
            money=sum(
                (tokens[cell] * prices[0] + asked[cell] * REPLY_TOKENS * prices[1]) / 1e6
                for cell in cells
                for prices in [plan.endpoints[cell.variant.model].prices]
            ),
        )

    def evaluator(self, plan: Plan, store: Store, tell: Tell, device: torch.device) -> EndpointEvaluator:
        """Asks; where the answers are computed is the server's affair."""
        return EndpointEvaluator(plan, store)


def family(plan: Plan, name: str) -> str:
    """Return what the rows of an endpoint call their model: itself, or the control that it is a low-bit version of.

    So a control and its versions are one model at several recipes, and compared as such. Raises SpecError.
    """
    of = plan.endpoints[name].of
    if of is None:
        return name
    found = [other for other, endpoint in plan.endpoints.items() if endpoint.of is None and of in (endpoint.served, other)]
    if len(found) != 1:
        controls = ", ".join(repr(e.served) for e in plan.endpoints.values() if e.of is None) or "none"
        said = "several models" if found else "no model"
        raise SpecError(f"{name!r}: of={of!r} names {said} of this grid that stands for itself. There are: {controls}.")
    return found[0]


class EndpointCosts:
    """Seconds and tokens, before anything was asked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._picture_s = cache(lambda task, model, specs, defense: picture_s(plan, task, model, specs))

    def requests(self, cell: Cell) -> int:
        """How many questions a cell asks."""
        return _task(self.plan, cell).count(self.plan.samples(cell))

    def tokens(self, cell: Cell) -> int:
        """Roughly the tokens that a cell sends."""
        task = _task(self.plan, cell)
        trials = (t for s in self.plan.samples(cell) for t in task.trials(task.item(s), cell.variant.seed))
        return sum(PICTURE_TOKENS + len(trial.prompt.text) // TOKEN_CHARACTERS for trial in trials)

    def cell_s(self, cell: Cell) -> float:
        """Seconds of the requests of a cell."""
        return self.requests(cell) * REQUEST_S / self.plan.endpoints[cell.variant.model].concurrency

    def pictures_s(self, cells: Iterable[Cell]) -> float:
        """Seconds of the pictures of ``cells``; those of a task and a model share them."""
        shared = {pictures_of(cell): len(self.plan.samples(cell)) for cell in cells}
        return sum(count * self._picture_s(*key) for key, count in shared.items()) / self.plan.threads

    def variant_s(self, variant: Variant) -> float:
        """Nothing is made."""
        return 0.0


class EndpointEvaluator:
    """Runs cells of questions. Every answer is kept as soon as it is there, so a run that is killed asks nothing twice."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store, self.cache = plan, store, SampleCache(plan.grid.cache_mb << 20)

    def __enter__(self) -> EndpointEvaluator:
        self._asked: Asked = self.store.asked()
        return self

    def __exit__(self, *exc: object) -> None:
        self._asked.close()

    def made(self, variant: Variant) -> bool:
        """There is nothing to make."""
        return True

    def rows(self, cell: Cell, then: Cell | None, times: Times, advance: Callable[[int], None]) -> list[SampleRow]:
        """Ask all questions of the cell, store what was said, and return its rows."""
        task, endpoint = _task(self.plan, cell), self.plan.endpoints[cell.variant.model]
        pipeline = Pipeline(task, endpoint.geometry, on_samples(cell.noise), cell.variant.seed, self.cache)
        answered = ask_all(cell, task, self.plan.samples(cell), pipeline, Asker(endpoint, self._asked), times, advance)
        names = family(self.plan, cell.variant.model), endpoint.recipe
        self.store.write_replies(cell.id, [reply_row(cell, task, *names, endpoint.prices, each) for each in answered])
        return [sample_row(cell, task, *names, each) for each in answered]

    def finish(self) -> None:
        """Store pictures for the page of answers."""
        write_shown(self.plan, self.store, self.cache)


def _task(plan: Plan, cell: Cell) -> VqaTask:
    return cast(VqaTask, plan.tasks[cell.variant.task])
