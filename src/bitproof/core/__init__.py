"""Words that every room shares: specs, rows, protocols, sites, registry, seeds, errors. Standard library only."""

from bitproof.core.errors import (
    BitproofError,
    DataError,
    MissingExtra,
    ModelError,
    ShapeError,
    SpecError,
    StoreError,
    UnknownName,
)
from bitproof.core.gradients import GRADIENT_MODES, Gradient
from bitproof.core.protocols import (
    Attack,
    Attacked,
    Color,
    Corruption,
    Decoder,
    Deploy,
    Framing,
    Info,
    ModelNoise,
    Noise,
    Penalized,
    Resizer,
    Rewrite,
    Scheduled,
    Victim,
)
from bitproof.core.registry import Card, Registry
from bitproof.core.rows import SCHEMA, SampleRow, VariantRow
from bitproof.core.seeds import digest, seed
from bitproof.core.sites import SITES, Geometry
from bitproof.core.specs import Spec, bind, ratio, split

__all__ = [
    "GRADIENT_MODES",
    "SCHEMA",
    "SITES",
    "Attack",
    "Attacked",
    "BitproofError",
    "Card",
    "Color",
    "Corruption",
    "DataError",
    "Decoder",
    "Deploy",
    "Framing",
    "Geometry",
    "Gradient",
    "Info",
    "MissingExtra",
    "ModelError",
    "ModelNoise",
    "Noise",
    "Penalized",
    "Registry",
    "Resizer",
    "Rewrite",
    "SampleRow",
    "Scheduled",
    "ShapeError",
    "Spec",
    "SpecError",
    "StoreError",
    "UnknownName",
    "VariantRow",
    "Victim",
    "bind",
    "digest",
    "ratio",
    "seed",
    "split",
]
