"""The stand-in for KFP's API server over HTTP, on the loopback and in this process."""

# ruff: noqa: N815  http.server's names

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.kfp.kfp_objects import Refusal
from tests.kfp.kfp_server import KfpServer
from tests.loopback import Quiet, serving


@contextmanager
def serve() -> Iterator[KfpServer]:
    """Run a stand-in on the loopback until the block ends."""
    state = KfpServer()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            asked = urlsplit(self.path)
            state.asked.append((state.time(), self.command, asked.path))
            body = self.content()
            if state.down:
                self.close_connection = True
                return
            try:
                self._allow(asked.path)
                query = {name: values[0] for name, values in parse_qs(asked.query).items()}
                given = _read(self.headers.get("Content-Type", ""), body)
                answer = state.answer(self.command, unquote(asked.path), query, given)
                self._send(200, answer)
            except Refusal as refusal:
                told = {"code": 5, "message": str(refusal), "details": []}
                self._send(refusal.status, told)

        def _allow(self, path: str) -> None:
            if state.token and self.headers.get("authorization") != f"Bearer {state.token}":
                raise Refusal(401, "Unauthenticated")
            if state.cookie and self.headers.get("cookie") != state.cookie:
                raise Refusal(401, "Unauthenticated")
            for wanted, (status, message) in state.refuse.items():
                if wanted in f"{self.command} {path}":
                    raise Refusal(status, message)

        def _send(self, status: int, answer: Any) -> None:
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            data = state.page or data
            kind = "application/json" if not isinstance(answer, str) else "text/plain"
            is_html = state.page or data.startswith(b"<!doctype html>")
            self.reply(data, status, {"Content-Type": "text/html" if is_html else kind})

        do_GET = do_POST = do_DELETE = _handle

    with serving(Handler) as state.url:
        yield state


def _read(kind: str, body: bytes) -> Any:
    if not kind.startswith("multipart/"):
        return json.loads(body) if body else None
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.default)
    (part,) = message.iter_parts()
    return part.get_payload(decode=True).decode()  # type: ignore[union-attr]
