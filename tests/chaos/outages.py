"""A gate before a server, for pods: what passes it is cut, refused or left without an answer while
the server is away, and a request may be held at a moment of the test's own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK = 1 << 16
Refuse = Callable[[bytes], bytes | None]


class Gate:
    """A running gate: its `port`, and when the server behind it was `away` (from, until), by
    time.time. `refuse` is asked for an answer in the place of the server's, by what a client has
    sent; `stop_at` is a text that no request with passes, and `stopped` says that one came."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.away: list[tuple[float, float]] = []
        self.refuse: Refuse = lambda _sent: None
        self.stop_at = b""
        self.stopped, self._pass = threading.Event(), threading.Event()
        self._until, self._silent = 0.0, False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("0.0.0.0", 0), backlog=256)  # noqa: S104  for pods
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def leave(self, seconds: float, *, silent: bool = False) -> None:
        """Have the server away for so long: refusing, or `silent`."""
        now = time.time()
        self.away.append((now, now + seconds))
        self._until, self._silent = max(self._until, now + seconds), silent
        if not silent:
            self._cut()

    @property
    def is_away(self) -> bool:
        """Whether the server is away now."""
        return time.time() < self._until

    def stop(self, text: bytes) -> None:
        """Let no request with `text` pass from now on; `stopped` says that one came."""
        self.stopped.clear()
        self._pass.clear()
        self.stop_at = text

    def let_pass(self) -> None:
        """Let what was stopped pass."""
        self.stop_at = b""
        self._pass.set()

    def close(self) -> None:
        """End it."""
        self._listening.close()
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.is_away and not self._silent:
                return
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.behind)) as server:
                with self._lock:
                    self._open |= {client, server}
                answers = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                answers.start()
                self._ask(client, server)
                answers.join()
            with self._lock:
                self._open -= {client, server}

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client sends, but for what is stopped or refused."""
        with suppress(OSError):
            while data := client.recv(CHUNK):
                self._wait()
                if self.stop_at and self.stop_at in data:
                    self.stopped.set()
                    self._pass.wait()
                if refused := self.refuse(data):
                    client.sendall(refused)
                    break
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _pump(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                self._wait()
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _wait(self) -> None:
        while self.is_away and self._silent:
            time.sleep(0.1)


@contextmanager
def before(port: int) -> Iterator[Gate]:
    """Have a gate before the server at a port of this machine for the block."""
    gate = Gate(port)
    try:
        yield gate
    finally:
        gate.let_pass()
        gate.close()
