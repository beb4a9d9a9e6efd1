"""The entries of a mirrored folder: what is new in the store comes, what is new here goes.

Each entry, a file or a folder, is an artifact of its own: whole or absent, whatever happens to the
others.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.store import artifacts
from assay.store.digests import WEIGHT_SUFFIXES
from assay.store.files import disk, read_json, write_json
from assay.store.merge import Sides, is_log, join, merge
from assay.store.upload import Advance

_STATE, _INCOMING = "state.json", "incoming"

Look = list[int]
"""A file's size in bytes, and when it was changed, in ns."""


@dataclass(frozen=True, kw_only=True)
class _Same:
    """An entry when it was the same here and in the store: what its files were known by `there`,
    what they looked like `here`, and whether its weights stayed there."""

    there: Mapping[str, str] = field(default_factory=dict)
    here: Mapping[str, Look] = field(default_factory=dict)
    light: bool = False


class Entries:
    """The entries of the folder `uri` in `folder`, which lies in `home`; `check` is called before
    anything is sent."""

    def __init__(
        self, uri: str, home: Path, advance: Advance, check: Callable[[], None] = lambda: None
    ) -> None:
        self.uri, self.home, self.advance, self.check = uri, home, advance, check
        self.folder = home / uri.rpartition("/")[2]
        with disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        path = home / _STATE
        told = read_json(path) if path.is_file() else {}
        # earlier versions kept lists: of those it is looked up anew what is the same
        self._same = {name: _Same(**same) for name, same in told.items() if isinstance(same, dict)}
        self._kept: dict[str, Mapping[str, Look]] = {}

    def bring(self, weights: bool) -> None:
        """Take what the store has and the mirror has not. What only the mirror has is kept,
        unless it was in the store once: then it was removed there. Unfinished work is taken up by
        the stage whose it is."""
        there: dict[str, list[str]] = {}
        for path in filter(_is_finished_name, artifacts.listed(self.uri)):
            there.setdefault(path.partition("/")[0], []).append(path)
        for name in set(self._same) - set(there):
            self._take(name, {}, light=False)
        for name, paths in there.items():
            heavy = any(path.endswith(WEIGHT_SUFFIXES) for path in paths)
            self._bring_one(name, light=heavy and not weights)

    def save(self) -> None:
        """Take the logs of entries whose upload was cut off: each of their files is whole, and
        whoever sent them may not come back."""
        for path in artifacts.listed(self.uri):
            entry, slash, _ = path.partition("/")
            if not (slash and is_log(Path(path))) or artifacts.contents(f"{self.uri}/{entry}"):
                continue
            log = artifacts.fetch(f"{self.uri}/{path}", self.home / _INCOMING)
            here = self.folder / path
            if here.is_file():
                join(here, log.read_bytes())
            else:
                here.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(log, here)

    def keep_as_they_are(self) -> None:
        """Send nothing of what is here now, only what changes from now on."""
        self._kept = {path.name: _looks(path) for path in self.folder.iterdir()}

    def send(self) -> None:
        """Send what has changed, in the order in which it was written, so that a file that says
        that others are complete comes after them. What the store got meanwhile is taken first."""
        self.check()
        for path in sorted(filter(_is_finished, self.folder.iterdir()), key=_written):
            same, looks = self._same.get(path.name, _Same()), _looks(path)
            if same.light or not looks or looks in (same.here, self._kept.get(path.name)):
                continue
            self._bring_one(path.name, light=False)
            uri = f"{self.uri}/{path.name}"
            artifacts.publish(path, uri, self.advance, wanted=_is_finished_name)
            self._remember(path.name, _Same(there=artifacts.contents(uri), here=_looks(path)))

    def _bring_one(self, name: str, *, light: bool) -> None:
        there, same = artifacts.contents(f"{self.uri}/{name}"), self._same.get(name, _Same())
        if there and (there != same.there or (same.light and not light)):
            self._take(name, there, light=light)

    def _take(self, name: str, there: Mapping[str, str], *, light: bool) -> None:
        """Make the entry what it is `there`, but for what has changed here."""
        same, looks = self._same.get(name, _Same()), _looks(self.folder / name)
        wanted = {file for file in there if not (light and file.endswith(WEIGHT_SUFFIXES))}
        ours = {file for file in looks.keys() | same.here if looks.get(file) != same.here.get(file)}
        theirs = {
            file for file in wanted if there[file] != same.there.get(file) or file not in same.here
        }
        for file in sorted(theirs & looks.keys()):
            if artifacts.is_known_by(self._at(name, file), there[file]):
                theirs, ours = theirs - {file}, ours - {file}
        incoming = self.home / _INCOMING
        if theirs:
            uri = f"{self.uri}/{name}"
            artifacts.fetch(uri, incoming, self.advance, wanted=theirs.__contains__)
        sides = Sides(here=looks.keys(), there=wanted, ours=ours, theirs=theirs)
        merge(sides, lambda file: self._at(name, file), lambda file: incoming / name / file)
        _remove_empty(incoming / name)
        _remove_empty(self.folder / name)
        unsent = {file for file in ours if file not in theirs or is_log(self._at(name, file))}
        here = {
            file: look for file, look in _looks(self.folder / name).items() if file not in unsent
        }
        before = {file: same.here[file] for file in unsent & same.here.keys()}
        self._remember(name, _Same(there=there, here={**here, **before}, light=light))

    def _at(self, name: str, file: str) -> Path:
        """Where a file of an entry is; "" is the file that an entry itself is."""
        return self.folder / name / file

    def _remember(self, name: str, same: _Same) -> None:
        self._same[name] = same
        if not (same.there or same.here):
            del self._same[name]
        write_json(self.home / _STATE, self._same)


def _is_finished(path: Path) -> bool:
    return _is_finished_name(path.name)


def _is_finished_name(name: str) -> bool:
    """Whether it is a result rather than a stage's unfinished work, by the names of such work."""
    parts = name.split("/")
    return not any(part.startswith(".") or part.endswith("partial") for part in parts)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and _is_finished_name(name):
            yield name, file


def _looks(path: Path) -> dict[str, Look]:
    states = ((name, file.stat()) for name, file in _files(path))
    return {name: [state.st_size, state.st_mtime_ns] for name, state in states}


def _written(path: Path) -> int:
    return max((look[1] for look in _looks(path).values()), default=0)


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing but folders is left."""
    if folder.is_dir() and not any(path.is_file() for path in folder.rglob("*")):
        shutil.rmtree(folder)
