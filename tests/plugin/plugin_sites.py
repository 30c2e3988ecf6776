"""Makes outside packages visible without an installer: what one leaves behind is a module and a ``*.dist-info``."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path


def install(folder: Path, project: Path) -> Path:
    """Put what ``project``'s pyproject.toml promises into ``folder``, as an installer would."""
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name = facts["name"].replace("-", "_")
    info = folder / f"{name}-{facts['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in facts["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    (folder / f"{name}.py").write_bytes((project / f"{name}.py").read_bytes())
    return folder


def python(*arguments: str, sites: tuple[Path, ...]) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own that sees the packages of ``sites``."""
    path = os.pathsep.join([*map(str, sites), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment)


def printed(*arguments: str, sites: tuple[Path, ...]) -> str:
    """What it prints, where it succeeds."""
    done = python(*arguments, sites=sites)
    assert done.returncode == 0, done.stderr
    return done.stdout
