"""A folder of artifacts in a store, worked on through a mirror on this machine.

Each entry of the folder, a file or a folder, is an artifact of its own: whole or absent, whatever
happens to the others. The mirror stays on this machine, so that what was killed before it was sent
is there for the next try.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError, StageError, StoreError, UnsentError
from assay.store import artifacts
from assay.store.artifacts import is_remote
from assay.store.cache import locked, place
from assay.store.deliver import kept_here, send_or_say
from assay.store.files import WEIGHT_SUFFIXES, hash_rows, read_json, write_json
from assay.store.s3 import address
from assay.store.upload import Advance, ignore

_STATE = "state.json"
_LIGHT = " without weights"


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A `folder` to work in; `send` brings what has changed in it, and is no unfinished work, to
    where the folder belongs."""

    folder: Path
    send: Callable[[], None]


@contextmanager
def mirrored(uri: str, *, weights: bool = True, advance: Advance = ignore) -> Iterator[Mirror]:
    """Give the folder `uri` to work in: itself where it is a local path, else a mirror of it, for
    this process alone. What has changed when the block ends is sent. Without `weights`, weight
    files stay in the store. `advance` is told of bytes as they come and go. Raises StoreError."""
    if not is_remote(uri):
        yield Mirror(folder=Path(uri), send=lambda: None)
        return
    uri = uri.rstrip("/")
    home = place("mirrors", address(), uri)
    with locked(home, wait=False):
        mirror = _Mirrored(uri, home, advance)
        mirror.bring(weights)

        def send() -> None:
            with kept_here(mirror.folder, begun=bool(mirror.state)):
                mirror.send()

        try:
            yield Mirror(folder=mirror.folder, send=send)
        except (StageError, InputError) as error:
            # it keeps what it had finished, such as verdicts that were paid for
            if not isinstance(error, StoreError | UnsentError):
                send_or_say(send)
            raise
        send()


class _Mirrored:
    """The mirror's `state` says of each entry which version the store had when the two were the
    same, and what the files here looked like then."""

    def __init__(self, uri: str, home: Path, advance: Advance) -> None:
        self.uri, self.home, self.advance = uri, home, advance
        self.folder = home / uri.rpartition("/")[2]
        self.folder.mkdir(parents=True, exist_ok=True)
        path = home / _STATE
        self.state: dict[str, list[str]] = read_json(path) if path.is_file() else {}

    def bring(self, weights: bool) -> None:
        """Take what the store has and the mirror has not. What only the mirror has is kept,
        unless it was in the store once: then it was removed there."""
        there: dict[str, bool] = {}
        for path in artifacts.listed(self.uri):
            name = path.partition("/")[0]
            there[name] = there.get(name, False) or path.endswith(WEIGHT_SUFFIXES)
        for name in set(self.state) - set(there):
            _remove(self.folder / name)
            self._remember(name, None)
        for name, heavy in there.items():
            self._bring_one(name, light=heavy and not weights)

    def _bring_one(self, name: str, *, light: bool) -> None:
        there = artifacts.version(f"{self.uri}/{name}")
        here = self.state.get(name, [""])[0]
        if not there or here == there or (light and here == there + _LIGHT):
            return
        artifacts.fetch(f"{self.uri}/{name}", self.folder, self.advance, weights=not light)
        self._remember(name, there + _LIGHT if light else there)

    def send(self) -> None:
        """Send what has changed, in the order in which it was written, so that a file that says
        that others are complete comes after them."""
        for path in sorted(filter(_is_finished, self.folder.iterdir()), key=_written):
            version, looked = self.state.get(path.name, ["", ""])
            if version.endswith(_LIGHT) or looked == _look(path) or not any(_files(path)):
                continue
            uri = f"{self.uri}/{path.name}"
            artifacts.publish(path, uri, self.advance, wanted=_is_finished_name)
            self._remember(path.name, artifacts.version(uri))

    def _remember(self, name: str, version: str | None) -> None:
        if version is None:
            del self.state[name]
        else:
            self.state[name] = [version, _look(self.folder / name)]
        write_json(self.home / _STATE, self.state)


def _is_finished(path: Path) -> bool:
    return _is_finished_name(path.name)


def _is_finished_name(name: str) -> bool:
    """Whether it is a result rather than a stage's unfinished work, by the names of such work."""
    parts = name.split("/")
    return not any(part.startswith(".") or part.endswith("partial") for part in parts)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and _is_finished_name(name):
            yield name, file


def _look(path: Path) -> str:
    states = ((name, file.stat()) for name, file in _files(path))
    return hash_rows([name, state.st_size, state.st_mtime_ns] for name, state in states)


def _written(path: Path) -> int:
    return max((file.stat().st_mtime_ns for _, file in _files(path)), default=0)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
