"""Which steps native code knows: each adds its instructions to a plan, and returns where its result will lie."""

from __future__ import annotations

from collections.abc import Mapping

from bitproof.export.emit.moves import MOVES
from bitproof.export.emit.products import FLOAT_PRODUCTS, SIGN_PRODUCTS
from bitproof.export.emit.values import VALUES
from bitproof.export.planning import Emitter

_ATEN = {**MOVES, **VALUES, **FLOAT_PRODUCTS}

#: Name of an operation → emitter.
EMITTERS: Mapping[str, Emitter] = {**SIGN_PRODUCTS, **{f"aten.{name}": emit for name, emit in _ATEN.items()}}
