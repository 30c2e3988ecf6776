"""Variants are made once, kept on disk, and loaded from there ever after."""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bitproof.bench.adversary import adversary
from bitproof.bench.cache import SampleCache
from bitproof.bench.helping import announce, check_processes
from bitproof.bench.ids import Variant
from bitproof.bench.inputs import clean_batch, inputs_of, probe_of
from bitproof.bench.kind import Tell
from bitproof.bench.plan import Plan
from bitproof.bench.weighing import OnKernels, latencies, packed_of, work_of
from bitproof.bench.weights import read_weights, write_weights
from bitproof.convert import Converted, insert, quantize
from bitproof.core import BitproofError, SpecError, StoreError, VariantRow, digest
from bitproof.models import Network, TorchVictim
from bitproof.results import Store
from bitproof.training import Progress, Samples, train

#: How many networks stay in memory; the others are loaded again from disk.
KEPT = 16


class Variants:
    """Makes, stores and hands out the networks of a plan."""

    def __init__(self, plan: Plan, store: Store, cache: SampleCache, tell: Tell) -> None:
        self.plan, self.store, self.cache, self.tell = plan, store, cache, tell
        self._kept: OrderedDict[str, TorchVictim] = OrderedDict()
        self._failed: dict[str, Exception] = {}
        self._training: dict[str, Samples] = {}

    def victim(self, variant: Variant) -> TorchVictim:
        """Return the network of ``variant``, made now if it was not yet. A variant that failed fails again with the same error."""
        if variant.id in self._failed:
            raise self._failed[variant.id]
        if variant.id not in self._kept:
            try:
                self._kept[variant.id] = self._open(variant)
            except StoreError:
                raise
            except Exception as error:
                self._failed[variant.id] = error
                raise
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(variant.id)
        return self._kept[variant.id]

    def made(self, variant: Variant) -> bool:
        """Whether the variant is on disk, with all that is told of it."""
        file = self._file(variant)
        return all(path.exists() for path in (file, file.with_name("row.json"), file.with_name("report.json")))

    def _file(self, variant: Variant) -> Path:
        return self.store.variant_dir(variant.id) / "model.safetensors"

    def _open(self, variant: Variant) -> TorchVictim:
        network = self.plan.networks[variant.model]
        path = self._file(variant)
        if not self.made(variant):
            self._make(variant, network, path)
        if str(variant.recipe) == "fp32":
            return as_evaluated(network, network.module)
        model = insert(network.module, variant.recipe, probe_of(network)).model
        model.load_state_dict(read_weights(path))
        return as_evaluated(network, model.eval())

    def _make(self, variant: Variant, network: Network, path: Path) -> None:
        start = time.monotonic()
        converted = self._converted(variant, network)
        time_s = time.monotonic() - start
        if variant.recipe.trains:
            time_s += self._train(variant, network, converted.model, path.parent)
        row = self._row(variant, network, converted, time_s)
        self.store.write_variant(row, {"name": str(variant.recipe), **converted.report.to_dict()})
        write_weights(path, {} if str(variant.recipe) == "fp32" else converted.model.state_dict())
        (path.parent / "checkpoint.pt").unlink(missing_ok=True)

    def help(self, variant: Variant) -> None:
        """Train ``variant`` together with the process that makes it; nothing is written here."""
        network = self.plan.networks[variant.model]
        model = self._converted(variant, network).model
        with suppress(BitproofError):  # it is the first process's too, which records it
            self._train(variant, network, model, self._file(variant).parent)

    def _converted(self, variant: Variant, network: Network) -> Converted:
        if variant.recipe.bits is None:
            return insert(network.module, variant.recipe)
        self.tell(variant, 0.0, "calibrating")
        converted = quantize(self._start(variant, network), variant.recipe, list(self._calibration(variant, network)))
        self.tell(variant, 0.0 if variant.recipe.trains else 1.0, "calibrated")
        return converted

    def _start(self, variant: Variant, network: Network) -> nn.Module:
        """The float network that a low-bit one is made of: as given, or as its teacher was trained."""
        taught = self.plan.teacher(variant)
        if taught is None or self.plan.training_of(variant.recipe).start == "given":
            return network.module
        return self.victim(taught).module

    def _calibration(self, variant: Variant, network: Network) -> Iterator[torch.Tensor]:
        """Clean samples as the network takes them, from the calibration data or from the held-out end of the task's own."""
        source = self.plan.calibration_of(variant.task)
        samples = source.data.calibration(self.plan.grid.calibration.n, seed=variant.seed)
        size = self.plan.grid.batch_size
        for i in range(0, len(samples), size):
            yield clean_batch(source, network, samples[i : i + size], self.cache)

    def _train(self, variant: Variant, network: Network, model: nn.Module, folder: Path) -> float:
        """Train ``model`` in place, going on from a checkpoint if there is one; return the seconds over all runs."""
        settings, taught = self.plan.training_of(variant.recipe), self.plan.teacher(variant)
        check_processes(settings.processes)
        teacher = network.module if taught is None else self.victim(taught).module
        at = 0.0

        def tell(progress: Progress) -> None:
            nonlocal at
            share = progress.step / progress.steps
            self.tell(variant, share - at, f"training: {progress}")
            at = share

        self.tell(variant, 0.0, "training")
        announce(variant.id)
        trained = train(
            model,
            self._samples(network),
            settings,
            seed=training_seed(variant),
            teacher=teacher if settings.taught else None,
            checkpoint=folder / "checkpoint.pt",
            perturb=adversary(settings.adversarial) if settings.adversarial else None,
            progress=tell,
        )
        return trained.time_s

    def _samples(self, network: Network) -> Samples:
        key = str(network.form)
        if key not in self._training:
            source = self.plan.train_source
            if source is None:
                raise SpecError("A trained recipe needs the key train: DATA in the grid.")
            inputs = inputs_of(network.form)
            pipeline = inputs.pipeline(source, network.form, (), 0, SampleCache(limit_bytes=0))
            self._training = {key: inputs.training(pipeline, self.plan.threads)}
        return self._training[key]

    def remeasure(self, variant: Variant, row: VariantRow) -> VariantRow:
        """Return ``row`` with latency and packed form as they are here and now."""
        network = self.plan.networks[variant.model]
        torch.set_num_threads(self.plan.threads)
        return replace(row, **self._measured(network, self.victim(variant).module))

    def _row(self, variant: Variant, network: Network, converted: Converted, time_s: float) -> VariantRow:
        report = converted.report
        changed = sum(layer.changed for layer in report.layers)
        return VariantRow(
            variant=variant.id,
            task=variant.task,
            model=variant.names[0],
            recipe=variant.names[1],
            seed=variant.seed,
            settings=report.defaults,
            size_bytes=report.size_bytes if network.size_bytes is None else network.size_bytes,
            float_bytes=report.float_bytes,
            time_s=time_s,
            layers_low_bit=changed,
            layers_float=len(report.layers) - changed,
            differentiable=network.differentiable,
            training=self.plan.training_of(variant.recipe).identity() if variant.recipe.trains else None,
            **self._measured(network, as_evaluated(network, converted.model).module),
        )

    def _measured(self, network: Network, model: nn.Module) -> dict[str, Any]:
        """How long an answer takes, what the network multiplies, and where it has binary layers, what it is on packed kernels."""
        like = probe_of(network)
        (latency,) = latencies([model], torch.zeros_like(like[:1]))
        found = {"latency_ms": latency, "threads": self.plan.threads}
        return found if network.finished else found | self._work(network, model, like)

    def _work(self, network: Network, model: nn.Module, like: torch.Tensor) -> dict[str, Any]:
        work = work_of(model, like)
        found: dict[str, Any] = {**vars(work), "weights": sum(p.numel() for p in network.module.parameters())}
        packed = packed_of(model, as_evaluated(network, network.module).module, like) if work.macs_binary else None
        packed = packed or OnKernels()
        return {**found, "packed_bytes": packed.size_bytes, "packed_ms": packed.packed_ms, "float_ms": packed.float_ms}


def as_evaluated(network: Network, module: nn.Module) -> TorchVictim:
    """The network as it is evaluated: a copy with channels last where it runs like that.

    That is 1.5 times as fast on a CPU (EfficientNet-Lite0); training is not. A module that flattens
    by ``view`` refuses it, and what is finished stays as it is.
    """
    if network.finished:
        return TorchVictim(module, network.differentiable)
    last = copy.deepcopy(module).to(memory_format=torch.channels_last)
    try:
        with torch.inference_mode():
            last(probe_of(network))
    except Exception:
        return TorchVictim(module)
    return TorchVictim(last)


def training_seed(variant: Variant) -> int:
    """The seed of a training: equal for all recipes of a model and run seed, so that they see the same batches."""
    return int(digest("training", variant.model, variant.seed), 16)
