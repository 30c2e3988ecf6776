"""Writing a file so that it is there whole or not at all, whatever ends the process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitproof.core import StoreError

#: What an unfinished file is called: hidden, in the folder of the file that it will become.
TEMPORARY = ".writing-"


@contextmanager
def explained(action: str, path: Path, advice: str = "") -> Iterator[None]:
    """Turn an OSError into a StoreError that names ``path`` and ends in ``advice``."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be {action}: {error.strerror or error}.{advice}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step that survives SIGKILL, power loss and a full disk. Raises StoreError."""
    with explained("written", path, " What was stored before is untouched: mend this and type the same command again."):
        make_folder(path.parent)
        descriptor, temporary = _open_temporary(path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make ``path`` and the folders above it, each durable before the next."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def _open_temporary(folder: Path) -> tuple[int, Path]:
    """Open a new file that its writer holds locked, so that ``sweep`` can tell an orphan from a file being written."""
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # swept between its creation and its lock


def sync_folder(folder: Path) -> None:
    """Make renames and removals in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the unfinished files below ``folder`` whose writers are gone; one that cannot be removed is left."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except OSError:
            continue


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON. Raises StoreError where it is not JSON (NaN and infinity are not)."""
    write_bytes(path, encode_json(path.name, value))


def encode_json(name: str, value: Any) -> bytes:
    """Return ``value`` as the bytes of a JSON file. Raises StoreError naming the file."""
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise StoreError(f"{name!r} takes text, finite numbers, true, false, null, lists and dicts of these: {error}.") from None


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises StoreError naming it."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise StoreError(f"{str(path)!r} is damaged: it is no JSON ({error}).") from None


def append_line(path: Path, value: Any) -> None:
    """Add ``value`` as a line of JSON, on a line of its own whatever a killed writer left before. Raises StoreError."""
    line = json.dumps(value, ensure_ascii=False).encode()
    with explained("written", path), path.open("ab") as file:
        file.write((b"\n" if file.tell() else b"") + line)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the objects in a file of JSON lines, without those that are damaged; none where there is no file. Raises StoreError."""
    found = []
    for line in read_bytes(path).splitlines() if path.is_file() else []:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object. Raises StoreError naming it."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise StoreError(f"{str(path)!r} is damaged: it holds no JSON object.")
    return found


def read_bytes(path: Path) -> bytes:
    """Read a file. Raises StoreError naming it."""
    with explained("read", path):
        return path.read_bytes()


def read_text(path: Path) -> str:
    """Read a file of text, its line ends as they are. Raises StoreError naming it."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{str(path)!r} is damaged: it is no text ({error}).") from None


def listed(folder: Path, suffix: str = "") -> list[Path]:
    """Return what lies in ``folder`` and ends in ``suffix``, sorted by name; nothing where it is not there. Raises StoreError."""
    with explained("read", folder):
        return sorted(path for path in folder.iterdir() if path.name.endswith(suffix)) if folder.exists() else []


def fingerprint(data: bytes) -> str:
    """Eight hex digits of BLAKE2 that tell whether ``data`` is what was written."""
    return hashlib.blake2b(data, digest_size=4).hexdigest()
