"""The life of the server: started on a free port of the loopback, watched, and ended with its user.

One that has died refuses connections and says nothing; one that hangs keeps them open for ever.
Both are told by what its log says.
"""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay import process
from assay.engine.vllm.causes import PORT_TAKEN, ended, hung
from assay.errors import AssayError, StageError
from assay.process import LOOPBACK

TRIES = 3  # somebody may take a port between its choice and the server's start
_SILENT_SECONDS = 900.0  # while it starts: loading may say nothing for long
_IDLE_SECONDS = 300.0  # while it answers: a token takes less
_LOOK_SECONDS = 30.0
_DEATH_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0  # for its own pages
_WRITTEN = ("vllm:generation_tokens_total", "vllm:prompt_tokens_total")


@dataclass(kw_only=True)
class Server:
    """A server of this machine: its `port`, its process and where that logs to; `clock` gives
    seconds."""

    port: int
    child: subprocess.Popen[bytes]
    log: Path
    clock: Callable[[], float] = time.monotonic
    killed: int = field(default_factory=process.memory_kills)
    _moved: float = 0.0
    _looked: float = 0.0
    _state: object = None

    def __post_init__(self) -> None:
        self._moved = self._looked = self.clock()

    def ready(self) -> bool:
        """Return whether it has started; False, too, where its port was taken, and it is gone.

        Raises StageError where it ended or has said nothing for long."""
        while not self._page("/health"):
            if self.child.poll() is not None:
                if PORT_TAKEN in self.log.read_text(errors="replace"):
                    return False
                raise self._ended()
            self._watch(self.log.stat().st_size, _SILENT_SECONDS, "has said nothing")
            time.sleep(process.POLL_SECONDS)
        self.heard()
        return True

    def heard(self) -> None:
        """Note that it has answered."""
        self._moved = self._looked = self.clock()

    def check(self) -> None:
        """Raise StageError where it has ended, or has written nothing for long."""
        if self.child.poll() is not None:
            raise self._ended()
        if self.clock() - self._looked >= _LOOK_SECONDS:
            self._looked = self.clock()
            self._watch(self._written(), _IDLE_SECONDS, "has written no token")

    def lost(self, error: Exception) -> AssayError:
        """Return what to raise where a request failed by `error`: mostly it is just dying."""
        try:
            self.child.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return hung(f"does not answer ({type(error).__name__}: {error})", self.log)
        return self._ended()

    def _ended(self) -> AssayError:
        for_memory = process.memory_kills() > self.killed
        return ended(self.child.returncode, self.log, for_memory=for_memory)

    def _watch(self, state: object, seconds: float, what: str) -> None:
        now = self.clock()
        if state != self._state:
            self._state, self._moved = state, now
        elif now - self._moved >= seconds:
            raise hung(f"{what} for {seconds:.0f} s", self.log)

    def _written(self) -> object:
        """Return how many tokens it has read and written: the same as before where it says nothing
        at all, and something else each time where it does not count them."""
        page = self._page("/metrics").decode(errors="replace")
        counts = [line for line in page.splitlines() if line.startswith(_WRITTEN)]
        return counts or (self.clock() if page else self._state)

    def _page(self, path: str) -> bytes:
        """Return a page of its own, empty where it does not come."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            with connection.getresponse() as response:
                text = response.read()
            return (text or b"ok") if response.status == http.client.OK else b""
        except (OSError, http.client.HTTPException):
            return b""
        finally:
            connection.close()


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Server]:
    """Run the server that `command` starts on the port added to it, while the body runs; however
    this is left, the server is gone with all that it started. Raises StageError as it ends."""
    for _ in range(TRIES):
        log.unlink(missing_ok=True)
        port = process.free_port()
        whole = [*command, "--host", LOOPBACK, "--port", str(port)]
        with process.background(whole, log=log, environment=environment) as child:
            server = Server(port=port, child=child, log=log, clock=clock)
            if server.ready():
                yield server
                return
    raise StageError(
        f"vLLM found {TRIES} ports of {LOOPBACK} taken that were free before",
        "Look what takes them (ss -ltnp), then run the same again",
    )
