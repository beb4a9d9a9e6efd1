"""The durable copy of a task's unfinished work, in the store beside where its result goes: what a
process that is killed, or a node that is lost, had done is there for the next try.

A thread beside the work sends what is new, every few seconds. A log (*.jsonl, *.log) goes in
segments, of which only the last one is ever sent again; of checkpoints the newest whole one is
kept; other files are small. Whatever was cut off on its way is not taken up: an object appears
whole, and a checkpoint, a folder with an index, when all of it is there.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError, StoreError
from assay.store import artifacts, outage
from assay.store.checksums import in_threads
from assay.store.contents import (
    LOGS,
    Contents,
    FileState,
    link_or_copy,
    number_of,
    state_of,
    states_of,
)
from assay.store.digests import WEIGHT_SUFFIXES
from assay.store.keeping import keeping
from assay.store.pieces import Pieces

EVERY_SECONDS = 2.0
LAST_SECONDS = 15.0  # of the 30 that Kubernetes gives a pod to end
STOP_SECONDS = 300.0  # a request that gets no answer takes so long
_FILES, _CHECKPOINTS = "files", "checkpoints"


class _StoppedError(Exception):
    """Nobody needs what is being sent any more."""


@contextmanager
def kept(folder: Path, uri: str, contents: Contents) -> Iterator[Area]:
    """Fill `folder` with what an earlier try left at `uri`, and keep there what is done in it while
    the block runs, however that ends. `Area.remove` is for when the result is whole. Raises
    StoreError where there is something that cannot be brought; what cannot be sent is only said."""
    area = Area(folder, uri, contents)
    if area.take_up():
        print("going on from what an earlier try has done", flush=True)
    area.start()
    try:
        with keeping(folder, area.send_now):
            yield area
    except BaseException:
        if area.end(LAST_SECONDS):
            area.try_to_send()
        raise
    finally:
        area.end(0.0)
        shutil.rmtree(area.linked, ignore_errors=True)


class Area:
    """The copy at `uri` of what is worth keeping of the work in `folder`; `sent` says whether any
    of it could be."""

    def __init__(self, folder: Path, uri: str, contents: Contents) -> None:
        self.folder, self.uri, self.contents = folder, uri, contents
        self.linked = folder.with_name(f".{folder.name}.linked")
        self.pieces = Pieces(uri)
        self._identity = b""
        self._files: dict[str, FileState] = {}
        self._seen: tuple[str, dict[str, FileState]] = ("", {})
        self._checkpoints: set[str] = set()
        self.sent = False
        self._said: set[str] = set()
        self._sending = threading.Lock()
        self._ending, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keep {uri}", daemon=True)

    def take_up(self) -> bool:
        """Bring what is at the URI, and return whether there was any. What the folder has of the
        same work stays where it is more, and what it has of other work goes. Raises StoreError."""
        names = self.pieces.names()
        identity = self.contents.identity
        if not names or (identity and f"{_FILES}/{identity}" not in names):
            return False
        if identity and (self.folder / identity).is_file() and self._is_other_work(identity):
            shutil.rmtree(self.folder)
        files = [name for name in names if name.startswith(f"{_FILES}/")]
        in_threads(self._bring, files)
        for log in self.pieces.logs(names):
            self.pieces.bring(log, set(names), self.folder / log)
        self._bring_checkpoint(names)
        if identity:
            self._identity = (self.folder / identity).read_bytes()
        return True

    def _is_other_work(self, identity: str) -> bool:
        with artifacts.fetched(f"{self.uri}/{_FILES}/{identity}") as there:
            return there.read_bytes() != (self.folder / identity).read_bytes()

    def _bring(self, name: str) -> None:
        target = self.folder / name.removeprefix(f"{_FILES}/")
        artifacts.fetch(f"{self.uri}/{name}", target.parent)

    def _bring_checkpoint(self, names: list[str]) -> None:
        start = f"{_CHECKPOINTS}/"
        folders = {
            "/".join(name.split("/")[: 2 + self.contents.checkpoints.count("/")])
            for name in names
            if name.startswith(start)
        }
        for name in sorted(folders, key=number_of, reverse=True):
            if artifacts.version(f"{self.uri}/{name}"):
                checkpoint = name.removeprefix(start)
                self._checkpoints.add(checkpoint)
                artifacts.fetch(f"{self.uri}/{name}", (self.folder / checkpoint).parent)

    def start(self) -> None:
        """Begin to send what is new, every few seconds."""
        self._thread.start()

    def _keep(self) -> None:
        while not self._ending.wait(EVERY_SECONDS):
            self.try_to_send()

    def end(self, seconds: float) -> bool:
        """Send nothing more by itself; what is being sent has so many `seconds` to get there.
        Return whether it is over."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def try_to_send(self) -> None:
        """Send what is new, and say, once, what does not let it: it is tried again later."""
        try:
            with outage.impatient():
                self.send()
        except _StoppedError:
            pass
        except FileNotFoundError:
            pass  # the stage has just put it elsewhere: the next look finds it there
        except (AssayError, OSError) as error:
            self._say(error)

    def send_now(self) -> None:
        """Send what is new, as what follows is to be paid for. Raises StoreError; where nothing
        could be sent from the beginning, which is only said, it goes on without."""
        try:
            self.send()
        except StoreError as error:
            if self.sent:
                raise
            self._say(error)

    def _say(self, error: Exception) -> None:
        said = error.what if isinstance(error, AssayError) else str(error)
        if said not in self._said:
            self._said.add(said)
            print(f"what is done cannot be kept yet: {said}", file=sys.stderr, flush=True)

    def send(self) -> None:
        """Send what is new. Raises StoreError, and OSError for what is gone meanwhile."""
        with self._sending:
            self._send()

    def _send(self) -> None:
        if not self.folder.is_dir() or not self._is_the_same_work():
            return
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and self.contents.want(name):
                if name.endswith(LOGS):
                    self.pieces.send(name, path)
                elif "/" not in name:
                    self._send_file(name, path)
        if self.contents.checkpoints:
            self._send_checkpoint()
        self.sent = True

    def _is_the_same_work(self) -> bool:
        """Return whether there is work to keep; what is there of other work is removed first."""
        if not self.contents.identity:
            return True
        path = self.folder / self.contents.identity
        if not path.is_file():
            return False
        content = path.read_bytes()
        if content != self._identity:
            self.pieces.remove()
            self._files.clear()
            self._checkpoints.clear()
            self._send_file(self.contents.identity, path)
            self._identity = content
        return True

    def _send_file(self, name: str, path: Path) -> None:
        now = state_of(path)
        if self._files.get(name) != now and not name.endswith(WEIGHT_SUFFIXES):
            artifacts.publish(path, f"{self.uri}/{_FILES}/{name}", self._advance)
            self._files[name] = now

    def _advance(self, _count: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError

    def _send_checkpoint(self) -> None:
        """Send the checkpoint that was whole at the last look and has not changed since, or is not
        there any more, and look at the newest that is not sent. What is looked at and sent are
        links to its files, which stay when training removes it for the next one."""
        name, seen = self._seen
        if name and states_of(self.folder / name).items() <= seen.items():
            self._send_linked(name)
        self._seen = ("", {})
        shutil.rmtree(self.linked, ignore_errors=True)
        newest = self._newest_checkpoint()
        if newest:
            seen = states_of(self.folder / newest)
            shutil.copytree(self.folder / newest, self.linked / newest, copy_function=link_or_copy)
            if self._newest_checkpoint() == newest:  # else it may have been half removed already
                self._seen = (newest, seen)

    def _newest_checkpoint(self) -> str:
        """Return the newest one that is not sent, "" where there is none."""
        folders = self.folder.glob(self.contents.checkpoints)
        complete = [path for path in folders if (path / self.contents.complete).is_file()]
        names = {path.relative_to(self.folder).as_posix() for path in complete}
        return max(names - self._checkpoints, key=number_of, default="")

    def _send_linked(self, name: str) -> None:
        artifacts.publish(self.linked / name, f"{self.uri}/{_CHECKPOINTS}/{name}", self._advance)
        for gone in [each for each in self._checkpoints if not (self.folder / each).is_dir()]:
            self.pieces.remove(f"{_CHECKPOINTS}/{gone}/")
            self._checkpoints.remove(gone)
        self._checkpoints.add(name)

    def remove(self) -> None:
        """Remove all of it: the result is where it belongs. What keeps it from being removed is
        only said."""
        self._stopped.set()
        self.end(STOP_SECONDS)
        try:
            self.pieces.remove()
        except AssayError as error:
            print(f"{self.uri} is left over: {error.what}", file=sys.stderr, flush=True)
