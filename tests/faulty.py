"""Faults on the wire: a proxy that breaks what passes through it, and a server that refuses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.loopback import Quiet, serving

Spoil = Callable[[int, bytes], bytes | None]


class Last(bytes):
    """What passes through before the connection is cut."""


@contextmanager
def proxy(address: str, spoil: Spoil) -> Iterator[str]:
    """Pass TCP on to `address`. What the server sends goes through `spoil(connection, data)`,
    which may change it, or cut the connection by returning None."""
    target = urlsplit(address)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def accept() -> None:
        number = 0
        while not stop.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((target.hostname or "", target.port or 0))
            number += 1
            _start(_pump, client, server, lambda data: data)
            _start(_pump, server, client, lambda data, number=number: spoil(number, data))

    _start(accept)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _start(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _pump(
    source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes | None]
) -> None:
    try:
        while data := source.recv(1 << 16):
            changed = change(data)
            if changed is None:
                break
            sink.sendall(changed)
            if isinstance(changed, Last):
                break
    except OSError:
        pass
    finally:
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def refusing(status: int, code: str, times: int = 1_000_000) -> Iterator[tuple[str, list[str]]]:
    """Answer the first `times` requests with an S3 error, later ones with 200 and an empty body;
    give the address and the list of the requests seen."""
    seen: list[str] = []
    body = f"<Error><Code>{code}</Code><Message>It says {code}.</Message></Error>".encode()

    class Handler(Quiet):
        def answer(self) -> None:
            seen.append(f"{self.command} {self.path}")
            if "Expect" in self.headers:  # or the client waits a second for leave to go on
                self.send_response_only(100)
                self.end_headers()
            self.content()
            refuse, empty = len(seen) <= times, {"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}
            self.reply(body if refuse else b"", status if refuse else 200, empty)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    with serving(Handler) as url:
        yield url, seen
