"""A worker's log, line by line, to the launcher's own: live, in bounded memory, each line once."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.volcano.api import Api, ApiError, pods, request, stream

LAST_LINES = 8
LAST_LINE_BYTES = 300
SILENCE_SECONDS = 3_600.0  # a stage may say nothing for long
RETRY_SECONDS = 1.0
TRIES = 40  # to read the rest of a log whose pod is over: its node may be gone
NO_RIGHT, NOT_THERE = 403, 404
SECOND = len("2026-01-01T00:00:00")

_UNREAD: ApiError | None = ApiError(NOT_THERE, "the pod was gone before any of it was read")
_stdout = threading.Lock()


@dataclass
class Position:
    """How far a log was read. A stream can be taken up again at a whole second, at the `shown`
    lines of which the same lines are given again, in the same order, up to stamp `newest`."""

    second: bytes = b""
    shown: int = 0
    newest: bytes = b""
    again: int = 0

    def resume(self) -> dict[str, str]:
        """Return the query that takes the log up again."""
        self.again = self.shown
        return {"sinceTime": f"{self.second.decode()}Z"} if self.second else {}

    def is_new(self, stamp: bytes) -> bool:
        """Return whether the next line of the stream was not given before, and count it."""
        if self.again and stamp <= self.newest:
            self.again -= 1
            return False
        self.again = 0
        second = stamp[:SECOND]
        if second > self.second:
            self.second, self.shown = second, 0
        if second >= self.second:
            self.shown += 1
        self.newest = max(self.newest, stamp)
        return True


def _by_nobody(_line: str) -> bool:
    return False


@dataclass
class Relay:
    """The relay of one pod's log; `prefix` goes before each line, `last` holds the last ones; those
    for which `told` is true are told otherwise. The pod of a restarted Job has the name of the one
    before it, and another `uid`."""

    api: Api
    pod: str
    uid: str
    prefix: bytes
    over: Callable[[], bool]
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    position: Position = field(default_factory=Position)
    error: ApiError | None = None
    unread: str = ""
    told: Callable[[str], bool] = _by_nobody

    def start(self) -> threading.Thread:
        """Relay in a thread until the pod's container is `over` and its log is read to the end."""
        thread = threading.Thread(target=self._run, name=f"log of {self.pod}", daemon=True)
        thread.start()
        return thread

    def give_up(self, why: str) -> None:
        """Say, once, that the log was not read to its end, here and where a failure's cause is
        looked for: among the log's last lines."""
        if self.unread:
            return
        self.unread = why
        self.last.append(f"(the rest could not be read: {why})")
        write(
            f"the log of pod {self.pod} could not be read to its end: {why}; the Job is not "
            "affected\n".encode()
        )

    def _run(self) -> None:
        try:
            if cut := self._read():
                self.give_up(cut.message)
        except ApiError as refusal:
            self.error = refusal

    def _read(self) -> ApiError | None:
        """Read the log to its end, or return what kept it from being read. Raises ApiError where
        there is no right to it."""
        pause, tries, cut = threading.Event(), TRIES, _UNREAD
        while tries:
            last_time = self.over()
            try:
                if not self._is_there():
                    return cut
                self._follow()
                cut = None
                if last_time:
                    return None
            except ApiError as error:
                if error.status == NO_RIGHT:
                    raise
                if error.status == NOT_THERE:
                    return cut
                cut = error
                tries -= last_time
            pause.wait(RETRY_SECONDS)
        return cut

    def _is_there(self) -> bool:
        pod = request(self.api, "GET", f"{pods(self.api)}/{self.pod}")
        return bool(pod["metadata"]["uid"] == self.uid)

    def _follow(self) -> None:
        query = {"follow": "true", "timestamps": "true", **self.position.resume()}
        path = f"{pods(self.api)}/{self.pod}/log"
        for lines in stream(self.api, path, query, SILENCE_SECONDS):
            self._show(lines)

    def _show(self, lines: list[bytes]) -> None:
        new = []
        for line in lines:
            stamp, _, text = line.partition(b" ")
            if self.position.is_new(stamp) and not self.told(text.decode(errors="replace")):
                new.append(self.prefix + text + b"\n")
        self.last.extend(
            line[:LAST_LINE_BYTES].decode(errors="replace").rstrip()
            for line in new[-LAST_LINES:]
            if line.strip()
        )
        write(b"".join(new))


def write(text: bytes) -> None:
    """Write to stdout now, whole lines at a time."""
    with _stdout:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
