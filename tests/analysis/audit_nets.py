"""Networks whose gradients are honest or not, and the rows of what attacks do to them."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl
import torch
from torch import nn

from bitproof.core import Attacked, SampleRow
from bitproof.models import TorchVictim
from bitproof.noises import noise
from bitproof.results.schema import SAMPLES
from bitproof.tasks.image import scores

CLASSES, N = 4, 80


def task() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """N noisy pictures 3×4×4 of four patterns, their classes, and the patterns in {−1, 1}."""
    draws = torch.Generator().manual_seed(1)
    patterns = torch.randint(0, 2, (CLASSES, 3, 4, 4), generator=draws) * 2.0 - 1.0
    y = torch.arange(N) % CLASSES
    x = 0.5 + 0.12 * patterns[y] + 0.15 * torch.randn(N, 3, 4, 4, generator=draws)
    return x.clamp(0, 1), y, patterns


class Templates(nn.Module):
    """Robust by construction: logits = scale·⟨x − ½, pattern⟩ / 48, linear, with the largest margin that the task has."""

    def __init__(self, scale: float = 40.0) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("patterns", task()[2])

    def seen(self, x: torch.Tensor) -> torch.Tensor:
        return x - 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale / 48 * self.seen(x).flatten(1) @ self.patterns.flatten(1).T


class HardSign(Templates):
    """The pattern of signs: no gradient reaches the input."""

    def seen(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sign(x - 0.5) * 0.25


class Smooth(Templates):
    """What the hard sign would be with a gradient: the float twin."""

    def seen(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh((x - 0.5) / 0.05) * 0.25


def search(victim: TorchVictim, x: torch.Tensor, y: torch.Tensor, eps: float, queries: int = 300) -> Attacked:
    """A black box: flip the sign of a few values of a corner of the cube where that makes the margin smaller."""
    draws, low, high = torch.Generator().manual_seed(0), (x - eps).clamp(0, 1), (x + eps).clamp(0, 1)
    up = torch.rand(x.shape, generator=draws) < 0.5

    def margin(up):
        with torch.no_grad():
            z = victim.logits(torch.where(up, high, low))
        own = z.gather(1, y[:, None])[:, 0]
        return own - z.scatter(1, y[:, None], -torch.inf).amax(1)

    best = margin(up)
    for _ in range(queries):
        tried = up ^ (torch.rand(x.shape, generator=draws) < 0.06)
        found = margin(tried)
        better = found < best
        up, best = torch.where(better.view(-1, 1, 1, 1), tried, up), torch.where(better, found, best)
    wrong = victim.decide(x) != y
    found = torch.where(wrong.view(-1, 1, 1, 1), x, torch.where(up, high, low))
    return Attacked(found, victim.decide(found) != y, torch.full((len(x),), queries), torch.zeros(len(x)))


def suite(eps: float) -> list[str]:
    """All that a verdict needs, cheap: a loss without scale is what ``square`` has."""
    at = f"eps={eps}"
    pgd = [f"pgd-linf:{at}{more}" for more in ("", ",grad=ste-full", ",steps=40", ",steps=100")]
    return [*pgd, f"transfer-linf:{at}", f"square-linf:{at}", "pgd-linf:eps=1"]


def attack(spec: str, victim: TorchVictim, control: TorchVictim, x: torch.Tensor, y: torch.Tensor) -> Attacked:
    if spec.startswith("square-linf"):
        return search(victim, x, y, float(spec.partition("eps=")[2]))
    built = noise(spec)
    if hasattr(built, "others"):
        built = built.given({"control": control}, noise)
    return built(victim, x, y, list(range(len(x))))


def rows(recipe: str, network: nn.Module, control: nn.Module, specs: list[str]) -> pl.DataFrame:
    """The rows that a run would leave of one network."""
    victim, other = (TorchVictim(module.eval()) for module in (network, control))
    x, y, _ = task()
    made = []
    for spec in ("clean", "evidence", *specs):
        family = spec if spec in ("clean", "evidence") else "adversarial"
        attacked = Attacked(x, x, x, x) if spec == "clean" else attack(spec, victim, other, x, y)
        with torch.no_grad():
            told = scores(victim.logits(attacked.x).numpy(), y.tolist())
        gradient = None if family != "adversarial" or spec.startswith("square") else spec.partition("grad=")[2] or "ste"
        for i, score in enumerate(told):
            row = SampleRow(
                cell=f"{recipe} {spec}", variant=recipe, task="toy:x", model="m", recipe=recipe, noise=spec,
                name=spec.partition(":")[0], family=family, severity=None, gradient=gradient, defense="none", seed=0,
                sample=f"s{i:03}", label=int(y[i]), **score, success=None, queries=None, gradients=None,
            )  # fmt: skip
            columns = {name: column[i].item() for name, column in attacked.columns.items()}
            made.append(asdict(row) | {name: None if value != value else value for name, value in columns.items()})
    return pl.DataFrame(made, schema=SAMPLES)
