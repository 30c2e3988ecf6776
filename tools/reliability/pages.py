"""Names that are programs where they are not escaped, in every text that a page shows."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from random import Random

from bitproof import report
from bitproof.core import BitproofError, SampleRow, VariantRow
from bitproof.results import Store
from tools.reliability.tally import Tally, some
from tools.reliability.toy import Toy

EVIL = "</script><script>window.broken=1</script><img src=x onerror=window.broken=1>'\"{{7*7}}\u2028%{x}"


def _sample(**changes: object) -> SampleRow:
    values: dict[str, object] = {
        "cell": "c", "variant": "v", "task": "imagefolder:d", "model": "m", "recipe": "fp32", "noise": "fog:3", "name": "fog",
        "family": "natural", "severity": 3, "gradient": None, "defense": "none", "seed": 0, "sample": "s", "label": 1,
        "prediction": 1, "correct": True, "margin": 0.5, "loss": 0.1, "confidence": 0.9, "success": None, "queries": None,
        "gradients": None,
    }  # fmt: skip
    return SampleRow(**(values | changes))  # type: ignore[arg-type]


def _variant(**changes: object) -> VariantRow:
    values: dict[str, object] = {
        "variant": "v", "task": "imagefolder:d", "model": "m", "recipe": "fp32", "seed": 0, "settings": "", "size_bytes": 10,
        "float_bytes": 40, "latency_ms": 1.5, "threads": 1, "time_s": 2.0, "layers_low_bit": 3, "layers_float": 1,
        "differentiable": True,
    }  # fmt: skip
    return VariantRow(**(values | changes))  # type: ignore[arg-type]


def _texts(kind: type[SampleRow | VariantRow]) -> list[str]:
    """The fields of a row that may hold a text which somebody chose."""
    return [field.name for field in dataclasses.fields(kind) if "str" in str(field.type) and field.name not in ("cell", "variant")]


#: Where the name stands: the rows' fields, and what is stored beside them.
PLACES = (
    *(f"row {name}" for name in _texts(SampleRow)),
    *(f"variant {name}" for name in _texts(VariantRow)),
    *("grid", "environment", "failure", "report", "gallery", "log", "path"),
)


def injected(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """The name stands in one place after the other: the page holds it as text, or a message says why there is no page."""
    tally = Tally("HTML in a name on the page")
    for i, place in enumerate(some(PLACES, count, draw)):
        path = folder / (EVIL.replace("/", "|") if place == "path" else f"run{i}")
        _fill(Store.create(path), place)
        try:
            page = report.write(path).read_text(encoding="utf-8")
        except BitproofError:
            tally.count("")
        except Exception as error:
            tally.count(f"{place}: {type(error).__name__}: {error}")
        else:
            tally.count(breaks_out(page) and f"{place}: {breaks_out(page)}")
    return tally


def _fill(store: Store, place: str) -> None:
    what, _, field = place.partition(" ")
    store.write_variant(
        _variant(**({field: EVIL} if what == "variant" else {})),
        {"name": EVIL if what == "report" else "fp32", "layers": [], "defaults": EVIL if what == "report" else "", "folded": []},
    )
    for noise in ("clean", "fog:3"):
        usual = {"cell": noise.replace(":", "-"), "noise": noise, "name": noise.partition(":")[0]}
        usual |= {"family": "clean", "severity": None} if noise == "clean" else {}
        changes = usual | ({field: EVIL} if what == "row" and noise != "clean" else {})
        store.write_cell(str(usual["cell"]), [_sample(**changes)])
    if what == "grid":
        store.write_grid(EVIL)
    if what == "environment":
        store.write_environment({"cpu": EVIL, "packages": {EVIL: EVIL}, "left_out": {EVIL: EVIL}, "data": {EVIL: EVIL}})
    if what == "failure":
        store.write_failure("f", dict.fromkeys(("task", "model", "recipe", "noise", "defense", "error"), EVIL) | {"seed": 0})
    if what == "gallery":
        store.write_picture(EVIL, EVIL, EVIL, b"\x89PNG\r\n\x1a\n")
    if what == "log":
        store.write_log({"cell": EVIL, "noise": EVIL})


def breaks_out(page: str) -> str:
    """Return how ``EVIL`` became more than text in ``page``; "" where it did not."""
    seen = _Seen()
    seen.feed(page)
    return seen.fault


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fault, self.script = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag."""
        self.script = tag == "script"
        given = dict(attrs)
        if "onerror" in given or given.get("src") == "x":
            self.fault = f"an element <{tag}> with {given}"

    def handle_endtag(self, tag: str) -> None:
        """Leave a script."""
        self.script = self.script and tag != "script"

    def handle_data(self, data: str) -> None:
        """Look at what stands between tags: in a script the name is a string at most."""
        if self.script and re.match(r"\s*window\.broken", data):
            self.fault = "a script of its own"
