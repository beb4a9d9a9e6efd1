"""Faults on the wire: a proxy that breaks what passes through it, and a server that refuses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

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

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            seen.append(f"{self.command} {self.path}")
            if "Expect" in self.headers:  # or the client waits a second for leave to go on
                self.send_response_only(100)
                self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            refuse = len(seen) <= times
            self.send_response(status if refuse else 200)
            self.send_header("Content-Length", str(len(body) if refuse else 0))
            self.send_header("ETag", '"d41d8cd98f00b204e9800998ecf8427e"')
            self.end_headers()
            if refuse and self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    _start(server.serve_forever)
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
