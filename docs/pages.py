"""The pages of the site that are made and not written: references out of the registries, scripts with what they print."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]

#: Page → its title and the kinds of ``bitproof list`` on it.
LISTS = {
    "recipes": ("Recipes and quantizers", ("recipes", "quantizers", "backwards")),
    "noises": ("Noises", ("noises",)),
    "attacks": ("Attacks", ("attacks",)),
    "defenses": ("Defenses", ("defenses",)),
    "models": ("Models and zoo", ("models", "detectors", "zoo")),
    "tasks": ("Tasks and sources of data", ("tasks", "sources")),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages to the written ones."""
    for name, (title, kinds) in LISTS.items():
        files.append(_page(config, f"reference/{name}.md", title, *(_cards(kind) for kind in kinds)))
    files.append(_page(config, "reference/commands.md", "Commands", *_commands()))
    files.append(_page(config, "reference/grid.md", "The grid file", _grid()))
    files.append(_page(config, "reference/figures.md", "Figures", _figures()))
    files.append(_page(config, "reference/statements.md", "Statements", _statements()))
    files.append(_page(config, "reference/python.md", "Python", *_python()))
    for script in sorted((ROOT / "docs" / "scripts").glob("*.py")):
        files.append(File.generated(config, f"scripts/{script.stem}.md", content=_script(script)))
    files.append(File.generated(config, "contributing.md", content=_contributing()))
    return files


def _page(config: MkDocsConfig, path: str, title: str, *parts: str) -> File:
    return File.generated(config, path, content="\n\n".join([f"# {title}", *parts]) + "\n")


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _cards(kind: str) -> str:
    from bitproof.cli.listing import Kind, cards

    rows = [(f"`{card.name}`", card.summary, card.source, card.version) for card in cards(Kind(kind))]
    return f"## `bitproof list {kind}`\n\n" + _table(("name", "what", "source", "version"), rows)


def _commands() -> Iterator[str]:
    from bitproof.cli import app

    group = typer.main.get_command(app)
    yield from _commands_of(group, "bitproof")


def _commands_of(group: Any, prefix: str) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from _commands_of(command, f"{prefix} {name}")
            continue
        arguments = " ".join(str(each.name).upper() for each in command.params if each.param_type_name == "argument")
        rows = [
            (", ".join(f"`{opt}`" for opt in each.opts), getattr(each, "help", "") or "", _default(each))
            for each in command.params
            if each.name != "help"
        ]
        yield f"## `{prefix} {name} {arguments}`".replace(" `", "`") + f"\n\n{command.help}\n\n" + _table(("", "", "default"), rows)


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if callable(value) or value is None or value is False or "UNSET" in str(value) else f"`{value}`"


def _grid() -> str:
    """The keys of a grid, out of the schema that editors read."""
    told = subprocess.run([sys.executable, "-m", "bitproof", "schema"], capture_output=True, text=True, check=True)
    schema = json.loads(told.stdout)
    parts = [_keys("", schema), *(_keys(name, part) for name, part in schema.get("$defs", {}).items() if "properties" in part)]
    return "`bitproof schema > grid.schema.json` writes this for editors.\n\n" + "\n\n".join(parts)


def _keys(name: str, part: dict[str, Any]) -> str:
    needed = part.get("required", [])
    rows = [
        (f"`{key}`", about.get("description", ""), "needed" if key in needed else f"`{json.dumps(about.get('default'))}`")
        for key, about in part["properties"].items()
    ]
    return (f"## {name}\n\n" if name else "") + _table(("key", "what", "default"), rows)


def _figures() -> str:
    from bitproof.analysis import FIGURES

    rows = ((f"`{name}`", f.title, f.unit, f.better, f.formula, f.source) for name, f in FIGURES.items())
    return "What `bitproof results` prints.\n\n" + _table(("figure", "title", "unit", "better", "formula", "source"), rows)


def _statements() -> str:
    from bitproof.analysis.statements import STATEMENTS

    rows = ((each.id, each.text, each.source) for each in STATEMENTS)
    return "What `bitproof findings` tests.\n\n" + _table(("id", "statement", "source"), rows)


def _python() -> Iterator[str]:
    import bitproof

    for name in bitproof.__all__:
        value = getattr(bitproof, name)
        if callable(value):
            parameters = "" if inspect.isclass(value) else str(inspect.signature(value)).partition(" -> ")[0]
            yield f"## `bitproof.{name}`\n\n```python\n{name}{parameters}\n```\n\n{_prose(value)}"


def _prose(value: Any) -> str:
    """A docstring as Markdown: what is indented is code already, what is doubly quoted is code too."""
    return (inspect.getdoc(value) or "").replace("``", "`")


def _script(path: Path) -> str:
    """A script, its first words as the title, and what it prints now."""
    code = path.read_text()
    title, _, rest = code.removeprefix('"""').partition('"""')
    ran = subprocess.run([sys.executable, str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{path} failed:\n{ran.stderr}")
    head, _, about = title.strip().partition("\n")
    run = f"`python docs/scripts/{path.name}` printed, when this page was made:"
    return f"# {head.rstrip('.')}\n{about}\n\n```python\n{rest.strip()}\n```\n\n{run}\n\n```text\n{ran.stdout.strip()}\n```\n"


def _contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text().replace("(docs/", "(")
