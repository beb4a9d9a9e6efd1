"""A proxy before the API server: counts the requests, and does to them what a network, a busy
server or an expired watch does."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from socket import SHUT_RDWR, socket
from urllib.parse import urlsplit

from tests.cluster.node.places import API_PORT, folder
from tests.loopback import Quiet, serving

Answer = tuple[int, bytes]
CHUNK = 65_536


class Proxy:
    """A running proxy: its `port`, the `requests` it has seen, and its faults."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[str] = []
        self.gone = False
        self.refuse: Callable[[str], Answer | None] = lambda _path: None
        self.spoil: Callable[[str, bytes], bytes | None] = lambda _path, data: data
        self._open: set[socket] = set()
        self._lock = threading.Lock()

    def leave(self) -> None:
        """Be gone: cut every connection and take no other until `gone` is False again."""
        self.gone = True
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(SHUT_RDWR)

    @contextmanager
    def opened(self, connection: socket) -> Iterator[None]:
        """Remember an open connection for the block."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


@contextmanager
def serve() -> Iterator[Proxy]:
    """Run a proxy for the block."""
    proxy = Proxy()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.close_connection = True
            if proxy.gone:
                return
            proxy.requests.append(f"{self.command} {self.path}")
            with suppress(OSError, http.client.HTTPException), proxy.opened(self.connection):
                self._pass_on()

        def _pass_on(self) -> None:
            refused = proxy.refuse(f"{self.command} {self.path}")
            if refused:
                status, text = refused
                self._begin(status)
                self._send(text)
                self._send(b"")
                return
            body = self.content()
            wanted = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            with closing(_connect()) as server:
                server.request(self.command, self.path, body, wanted)
                response = server.getresponse()
                self._begin(response.status)
                while data := response.read1(CHUNK):
                    changed = proxy.spoil(self.path, data)
                    if changed is None or proxy.gone:
                        return
                    self._send(changed)
                self._send(b"")

        def _begin(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Retry-After", "1")
            self.end_headers()

        def _send(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder("pki") / "apiserver.crt", folder("pki") / "apiserver.key")
    with serving(Handler, context) as url:
        proxy.port = urlsplit(url).port or 0
        yield proxy


def _connect() -> http.client.HTTPSConnection:
    trust = ssl.create_default_context(cafile=str(folder("pki") / "ca.crt"))
    return http.client.HTTPSConnection("127.0.0.1", API_PORT, context=trust)
