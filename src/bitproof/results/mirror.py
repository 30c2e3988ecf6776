"""A results directory at a URL (s3://, gs://, memory://, …): a run works on a copy on this machine and hands over what it finished.

An object store has neither locks nor renames, so nothing is worked on there. Every object is put whole; rows and replies carry
the fingerprint of their bytes in their names, and a variant's row comes after its files, so a reader at any moment finds cells
that are whole or not there. What is begun stays on this machine. Who only reads has a copy apart from that of a run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from bitproof.core import MissingExtra, StoreError
from bitproof.results import layout
from bitproof.results.files import TEMPORARY, make_folder, write_bytes

#: Scheme → the package of its file system, and the extra that brings it.
EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "gcs": ("gcsfs", "gcs")}

#: What stays on the machine of the run: locks, what is unfinished, the answers that spare a second question, trackers' own files.
_HERE = (layout.BEGUN, layout.ASKED, *layout.TRACKERS)
_UNFINISHED = (".part", "checkpoint.pt")


def is_url(path: str | Path) -> bool:
    """Whether ``path`` names something that is not a file of this machine."""
    return isinstance(path, str) and "://" in path


def located(path: str | Path) -> Path:
    """Return the directory ``path`` on this machine: itself, or for a URL a copy as it is there now. Raises StoreError."""
    if not is_url(path):
        return Path(path)
    mirror = Mirror(str(path), "read")
    if not mirror.pull():
        raise StoreError(
            f"{str(path)!r} is no results directory: it has no {layout.MARK!r}. 'bitproof run GRID -o {path}' makes one."
        )
    return mirror.local


def cache() -> Path:
    """Where copies lie: $BITPROOF_CACHE, else in the user's folder for caches."""
    own = os.environ.get("BITPROOF_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bitproof"


class Mirror:
    """The directory at ``url`` and its copy ``local``, whose name is the URL's last part. Every method raises StoreError.

    ``use``: what the copy is for, ``work`` or ``read``; each has its own, so that reading changes nothing of a run on this machine.
    """

    def __init__(self, url: str, use: str = "work") -> None:
        self.url = url.rstrip("/")
        with self._explained("opened"):
            self._files, root = _file_system(self.url)
            self._root = str(root).rstrip("/")
        name = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        self.local = cache() / use / name / (PurePosixPath(self._root).name or "run")
        self._seen: dict[str, tuple[int, int]] = {}

    def pull(self) -> bool:
        """Copy what is there and not here, and what may have changed there; return whether there is a results directory.

        A failure that is not there was tried again elsewhere and is removed here.
        """
        with self._explained("read"):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True) if self._files.exists(self._root) else {}
            there = {str(name)[len(self._root) :].lstrip("/"): int(entry["size"]) for name, entry in found.items()}
            for name, size in sorted(there.items(), key=lambda entry: _last(entry[0])):
                path = self._path(name)
                if _changes(name) or not path.is_file() or path.stat().st_size != size:
                    write_bytes(path, self._files.cat_file(f"{self._root}/{name}"))
            for name in [name for name in self._names() if _failed(name) and name not in there and layout.MARK in there]:
                self._path(name).unlink(missing_ok=True)
        self._seen = {name: self._state(name) for name in self._names() if name in there}
        return layout.MARK in there

    def push(self) -> None:
        """Put there what is new or other here, and remove there what was removed here; a variant's row comes last."""
        with self._explained("written"):
            now = {name: self._state(name) for name in self._names()}
            for name in sorted((name for name, state in now.items() if self._seen.get(name) != state), key=_last):
                self._files.pipe_file(f"{self._root}/{name}", self._path(name).read_bytes())
                self._seen[name] = now[name]
            for name in [name for name in self._seen if name not in now]:
                self._files.rm_file(f"{self._root}/{name}")
                del self._seen[name]

    def _path(self, name: str) -> Path:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise StoreError(f"{self.url!r} holds an object named {name!r}, which would lie outside of the results directory.")
        return self.local / path

    def _state(self, name: str) -> tuple[int, int]:
        found = self._path(name).stat()
        return found.st_mtime_ns, found.st_size

    def _names(self) -> Iterator[str]:
        """What of the copy belongs at the URL; links do not, which may lead out of it."""
        make_folder(self.local)
        for folder, below, files in os.walk(self.local):
            place = Path(folder).relative_to(self.local)
            below[:] = [name for name in below if not (place == Path() and name in _HERE)]
            for name in files:
                stays = name.startswith((TEMPORARY, layout.LOCK)) or name.endswith(_UNFINISHED) or name in _HERE
                if not stays and not Path(folder, name).is_symlink():
                    yield (place / name).as_posix()

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, MissingExtra):
            raise
        except Exception as error:  # each file system has its own
            told = str(error).strip().partition("\n")[0] or type(error).__name__
            raise StoreError(f"{self.url!r} cannot be {action}: {told}. What was done lies in {str(cache())!r}.") from None


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec

    scheme = url.partition("://")[0]
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if scheme in ("file", "local") else {}))
    except ImportError:
        if scheme in EXTRAS:
            raise MissingExtra(*EXTRAS[scheme], f"{scheme}://") from None
        raise
    return found


def _last(name: str) -> tuple[bool, bool, str]:
    """The order of copying: what says that something is whole comes after it."""
    return name == layout.MARK, name.endswith(("/row.json", "/defense.json")), name


def _changes(name: str) -> bool:
    """Whether other content may come under the same name; rows, networks and pictures never change."""
    return "/" not in name or _failed(name)


def _failed(name: str) -> bool:
    """Whether it tells of a failed cell."""
    return name.startswith(f"{layout.FAILURES}/")
