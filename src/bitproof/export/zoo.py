"""The zoo: small networks, float and low-bit, that come with bitproof."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from bitproof.core import Card, ModelError, SpecError, UnknownName
from bitproof.export.zoo_file import read_zoo
from bitproof.models import Network, load, of_form

#: Where the networks lie, and the file that describes them.
FOLDER = Path(__file__).with_name("zoo_networks")
INDEX = "index.json"

#: The recipes of networks that are not low-bit.
FLOAT = ("float", "fp32")


@functools.cache
def zoo_index() -> dict[str, dict[str, Any]]:
    """Return what is known of each network: file, sha256, architecture, recipe, training, data, what it withstands."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / INDEX).read_text(encoding="utf-8"))
    return found


def zoo_cards() -> list[Card]:
    """Describe every network of the zoo."""
    return [Card(f"zoo/{name}", entry["summary"], entry["source"], entry["version"]) for name, entry in zoo_index().items()]


@dataclass(frozen=True)
class Zoo:
    """A network that comes with bitproof, float or low-bit: zoo/NAME[:of=MODEL] ('bitproof list zoo' shows them).

    A low-bit one is as it was trained, its weights stored as codes of 1, 2, 4 or 8 bits; a grid takes it with recipes: [fp32].
    ``of`` names another model of the grid, the control that its rows are compared with: they bear that one's name, and as recipe
    what it was made by.
    """

    name: str
    of: str | None = None

    source: ClassVar[str] = "bitproof's own training, see zoo_networks/README.md"
    version: ClassVar[int] = 1

    def load(self, spec: str) -> Network:
        """Check the file and build the network. Raises UnknownName, SpecError, and ModelError where the file is damaged."""
        if self.name not in zoo_index():
            raise UnknownName("network of the zoo", self.name, list(zoo_index()), "'bitproof list zoo' shows them all.")
        entry = zoo_index()[self.name]
        if self.of is not None and entry["recipe"] in FLOAT:
            raise SpecError(f"{spec!r} is a float network, which is no low-bit version of {self.of!r}. Leave of= out.")
        path = FOLDER / entry["file"]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            raise ModelError(
                f"The file {str(path)!r} is missing or has another checksum than it was shipped with. Install bitproof again."
            )
        base = load(entry["architecture"])
        shape = entry["input"]
        net = read_zoo(path, base, entry["recipe"], shape)
        probe = next(net.parameters()).new_tensor([0.25, 0.75]).view(2, *[1] * len(shape))
        made = of_form(net, base.form, probe.expand(2, *shape).contiguous(), spec=spec)
        low_bit = {"of": self.of, "recipe": entry["recipe"], "size_bytes": entry["size_bytes"]}
        return made if entry["recipe"] in FLOAT else replace(made, **low_bit)
