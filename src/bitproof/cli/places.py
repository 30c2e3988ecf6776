"""Results directories as arguments: a folder, or the URL of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def results_dir(text: str | Path) -> Path:
    """Return the directory, for a URL a copy of it on this machine."""
    if "://" not in str(text):
        return Path(text)
    from bitproof.results import located

    return located(str(text))


RunDir = Annotated[Path, typer.Argument(help="A results directory, or its URL.", parser=results_dir, metavar="PATH")]
