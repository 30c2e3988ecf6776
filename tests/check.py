"""All that CI checks, in order of cost: `python tests/check.py`, or a name or more of those below."""

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "imports": ["lint-imports"],
    "types": ["mypy"],
    "docs": ["mkdocs", "build", "--strict", "--quiet"],
    "test": ["pytest", "-n", "2"],
}


def main(names: list[str]) -> int:
    for name in names or list(CHECKS):
        command, *arguments = CHECKS[name]
        print(f"== {name}: {command} {' '.join(arguments)}", flush=True)
        if code := subprocess.run([str(BIN / command), *arguments], check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
