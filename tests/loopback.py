"""HTTP servers of tests on the loopback: what starts, stops and sends is here, what they answer is
the test's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from types import MappingProxyType

from assay.process import LOOPBACK, free_port

_NONE: Mapping[str, str] = MappingProxyType({})


class Quiet(BaseHTTPRequestHandler):
    """A handler that prints no requests."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def content(self) -> bytes:
        """Return the body of the request, which can be read once."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, body: bytes, status: int = 200, headers: Mapping[str, str] = _NONE) -> None:
        """Answer the request; one that asked for the head gets that alone."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving(handler: type[Quiet], secure: SSLContext | None = None) -> Iterator[str]:
    """Serve until the block ends, with TLS where it is `secure`; give the server's address."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    if secure:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' * bool(secure)}://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_address() -> str:
    """Return an address that nobody listens at."""
    return f"http://{LOOPBACK}:{free_port()}"
