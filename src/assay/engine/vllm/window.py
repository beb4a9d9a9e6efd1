"""Asking a server: so many requests at once that it is never idle, each answer as it comes."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Any

from assay.engine.vllm.server import Server
from assay.errors import StageError
from assay.llamafactory.prompts import Prompt, Written
from assay.process import LOOPBACK

AskedPrompt = tuple[Prompt, Mapping[str, Any]]
_LOOK_SECONDS = 1.0
_FAILURES = (OSError, http.client.HTTPException)
# what it says where likelihoods are asked for, and are none
_NO_NUMBERS = b"Out of range float values are not JSON compliant"


class NotFiniteError(Exception):
    """The model's logits are NaN."""


class ServerConnections:
    """A connection to the server for each thread that asks, until they are ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        self._ended = False

    def here(self) -> http.client.HTTPConnection:
        """Return the connection of this thread. Raises OSError where there is none any more."""
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(LOOPBACK, self._port)
            self._own.connection.auto_open = 0  # one that was ended meanwhile stays so
            self._all.append(self._own.connection)
        connection: http.client.HTTPConnection = self._own.connection
        if not connection.sock:
            connection.connect()
        if self._ended:  # looked at last: what is opened later than the end nobody else closes
            connection.close()
            raise ConnectionAbortedError("nobody waits for the answer")
        return connection

    def close(self) -> None:
        """End them all, those too on which a thread still waits."""
        self._ended = True
        for connection in self._all:
            if connection.sock:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()


def answers(
    server: Server, asked: Iterable[AskedPrompt], at_once: int
) -> Iterator[Sequence[tuple[Prompt, Written]]]:
    """Yield each prompt with the ids that came back for its request, those together that came
    together. Raises StageError where the server ends, hangs or refuses one."""
    rest = iter(asked)
    with _asking(server, at_once) as (pool, connections):

        def submit(count: int) -> dict[Future[Written], Prompt]:
            return {
                pool.submit(_ids, connections, prompt.id, request): prompt
                for prompt, request in itertools.islice(rest, count)
            }

        waiting = submit(at_once)
        while waiting:
            done, _ = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
            if not done:
                server.check()
                continue
            yield [(waiting.pop(each), _result(server, each)) for each in done]
            server.heard()
            waiting |= submit(len(done))


def ask(server: Server, prompt: Prompt, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first choice of what the server answers to the request of one prompt. Raises as
    `answers`, and NotFiniteError where the request is of likelihoods."""
    connections = ServerConnections(server.port)
    try:
        return _choice(connections, prompt.id, request)
    except _FAILURES as error:
        raise server.lost(error) from error
    finally:
        connections.close()


@contextmanager
def _asking(server: Server, at_once: int) -> Iterator[tuple[ThreadPoolExecutor, ServerConnections]]:
    pool, connections = ThreadPoolExecutor(max_workers=at_once), ServerConnections(server.port)
    try:
        yield pool, connections
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        connections.close()
        pool.shutdown()


def _result(server: Server, done: Future[Written]) -> Written:
    try:
        return done.result()
    except _FAILURES as error:
        raise server.lost(error) from error


def _ids(connections: ServerConnections, id_: str, request: Mapping[str, Any]) -> Written:
    ids: list[int] = _choice(connections, id_, request)["token_ids"]
    if _may_be_of_nan(ids):
        try:
            _choice(connections, id_, {**request, "logprobs": 1, "max_tokens": len(ids)})
        except NotFiniteError:
            return "not_finite"
    return ids


def _may_be_of_nan(ids: Sequence[int]) -> bool:
    """Return whether an answer ends as one of logits that are NaN does, of which the first token
    of the vocabulary is the greatest. One that just says that token is asked once more in vain."""
    return set(ids[-2:]) == {0}


def _choice(connections: ServerConnections, id_: str, request: Mapping[str, Any]) -> dict[str, Any]:
    connection = connections.here()
    headers = {"content-type": "application/json"}
    connection.request("POST", "/v1/completions", json.dumps(request), headers)
    with connection.getresponse() as response:
        text = response.read()
    if _NO_NUMBERS in text:
        raise NotFiniteError
    if response.status >= http.client.INTERNAL_SERVER_ERROR:
        raise http.client.HTTPException(f"{response.status}: {_said(text)}")
    if response.status != http.client.OK:
        raise StageError(
            f"id={id_}: vLLM refused its {len(request['prompt'])} tokens: {_said(text)}",
            "Correct generate.vllm, leave it out, or set generate.engine: transformers",
        )
    choice: dict[str, Any] = json.loads(text)["choices"][0]
    return choice


def _said(text: bytes) -> str:
    return text.decode(errors="replace")[:300]
