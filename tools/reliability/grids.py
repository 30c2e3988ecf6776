"""Grids that are wrong in every way that we could think of, and texts that a machine makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from bitproof.bench import parse_grids
from bitproof.convert import Recipe
from bitproof.core import BitproofError, Spec
from bitproof.defenses import canonical
from bitproof.models import check_spec
from bitproof.noises import expand, noise
from tools.reliability.tally import Tally, some
from tools.reliability.toy import REFUSED, Toy, finish, told, was_run

GOOD = 'tasks: ["imagefolder:x"]\nmodels: [small-cnn]\nrecipes: [fp32, "mse:w8a8"]\nnoises: [clean, "fog:3"]\n'

#: What is wrong → the bytes of the file.
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "zeros": bytes(4096),
    "not UTF-8": b"\xff\xfe\x00t\x00a",
    "a list": b"- tasks\n- models\n",
    "a number": b"7\n",
    "a text": b"tasks\n",
    "a bracket left open": b"tasks: [a\nmodels: b\n",
    "a tab for indentation": b"tasks:\n\t- a\n",
    "code of Python": b"tasks: !!python/object/apply:os.system ['touch ran']\n",
    "aliases that grow": b"a: &a [x,x]\nb: &b [*a,*a]\ntasks: [*b]\n",
    "a key twice": GOOD.encode() + b"tasks: [b]\n",
    "a key that is a list": GOOD.encode() + b"? [a, b]\n: c\n",
    "a key that is no word": GOOD.encode() + b"7: 8\n",
    "a null key": GOOD.encode() + b"~: 8\n",
    "a merge key": b"<<: {tasks: [a]}\nmodels: [small-cnn]\n",
    "brackets a thousand deep": b"tasks: " + b"[" * 1000 + b"]" * 1000 + b"\n",
    "an unknown key": GOOD.encode() + b"trainings: 1\n",
    "no models": b'tasks: ["imagefolder:x"]\n',
    "an unknown recipe": GOOD.replace("mse:w8a8", "mze:w8a8").encode(),
    "bits that are not there": GOOD.replace("w8a8", "w99a-1").encode(),
    "an unknown noise": GOOD.replace("fog:3", "fgo:3").encode(),
    "a severity of six": GOOD.replace("fog:3", "fog:6").encode(),
    "a number of 5000 digits": GOOD.encode() + b"limit: " + b"9" * 5000 + b"\n",
    "a limit of not-a-number": GOOD.encode() + b"limit: .nan\n",
    "a negative batch": GOOD.encode() + b"batch_size: -1\n",
    "threads beyond all processors": GOOD.encode() + b"threads: 1000000000000000000000\n",
    "a date for a task": GOOD.replace('["imagefolder:x"]', "[2001-01-01]").encode(),
    "a task that is not there": GOOD.encode(),
    "a folder's path with a null byte": GOOD.replace("imagefolder:x", "imagefolder:\\0").encode(),
    "a model's file that is a folder": GOOD.replace("[small-cnn]", '["python:/tmp#build,size=8"]').encode(),
}

#: What texts are made up of, so that many get beyond the parser.
WORDS = (
    *(
        "fp32",
        "float",
        "mse",
        "lsq",
        "minmax",
        "layers",
        "products",
        "fog",
        "clean",
        "corruptions",
        "system",
        "pgd-linf",
        "square-l2",
    ),
    *(
        "autoattack",
        "defensive-patch",
        "bn-reestimate",
        "timm/resnet18",
        "python",
        "onnx",
        "chat",
        "packed",
        "zoo/",
        "tokens",
        "at",
    ),
    *(
        "w4a4",
        "w1a1",
        "w0a99",
        "eps",
        "steps",
        "on",
        "noise",
        "protocol",
        "control",
        "of",
        "size",
        "mean",
        "imagenet",
        "none",
        "true",
    ),
    *(
        ":",
        ",",
        "=",
        "+",
        '"',
        "\\",
        "/",
        ";",
        "|",
        "#",
        ".",
        "-",
        " ",
        "\n",
        "\t",
        "\0",
        "[",
        "]",
        "{",
        "}",
        "&a",
        "*a",
        "!!",
        "%",
        "$HOME",
    ),
    *(
        "8/255",
        "1/0",
        "-1",
        "0",
        "3",
        "1e400",
        "nan",
        "inf",
        "9" * 30,
        "٣",
        "é",
        "🙂",
        "\u2028",
        "<script>",
        "..",
        "tasks",
        "models",
        "noises",
    ),
)
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=9).map("".join)
READERS = {"spec": Spec.parse, "recipe": Recipe.parse, "noises": expand, "noise": noise, "model": check_spec, "defense": canonical}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    "tasks",
    "models",
    "recipes",
    "noises",
    "train",
    "training",
    "calibration",
    "defenses",
    "seeds",
    "limit",
    "geometry",
    "threads",
)


def malformed(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Each of ``MALFORMED`` is asked for: refused with a message, no code is run, and nothing is made."""
    tally = Tally("malformed grid")
    folder.mkdir()
    for i, (what, data) in enumerate(some(MALFORMED.items(), count, draw)):
        grid, out = folder / f"{i}.yaml", folder / f"run{i}"
        grid.write_bytes(data)
        code = finish(grid, out)
        fault = "its code was run" if was_run(folder) else f"exit {code}: {told(out)}" if code != REFUSED or out.exists() else ""
        tally.count(fault and f"{what}: {fault}")
    return tally


def fuzzed_specs(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Texts of the grammar's own words: what parses prints back the same, all else is a message."""
    tally = Tally("made-up spec")

    def look(text: str, reader: str) -> None:
        tally.count(_fault(text, reader))

    _many(count, draw)(given(TEXTS, st.sampled_from(sorted(READERS)))(look))()
    return tally


def _fault(text: str, reader: str) -> str:
    try:
        found = READERS[reader](text)
        again = Spec.parse(str(found)) if reader == "spec" else None
    except BitproofError:
        return ""
    except Exception as error:
        return f"{reader} {text!r}: {type(error).__name__}: {error}"
    return f"{text!r} prints back as {str(found)!r}" if again not in (None, found) else ""


def fuzzed_grids(toy: Toy, folder: Path, count: int, draw: Random) -> Tally:
    """Grids with a value of any kind under any key, and texts of YAML's own signs: a grid, or a message."""
    tally = Tally("made-up grid")

    def look(value: object, key: str, text: str) -> None:
        changed = yaml.safe_load(GOOD) | {key: value}
        for candidate in (yaml.safe_dump(changed, allow_unicode=True), GOOD + text):
            try:
                parse_grids(candidate)
            except BitproofError:
                fault = ""
            except Exception as error:
                fault = f"{candidate!r}: {type(error).__name__}: {error}"
            else:
                fault = ""
            tally.count(fault)

    _many(count // 2, draw)(given(VALUES, st.sampled_from(KEYS), TEXTS)(look))()
    return tally


def _many(count: int, draw: Random) -> Callable[[Callable[..., None]], Callable[[], None]]:
    drawn = settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    number = draw.randrange(2**32)
    return lambda test: seeded(number)(drawn(test))
