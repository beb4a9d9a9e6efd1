"""A real HTTP server on the loopback that speaks OpenAI's chat completions as a test wants it to.

The test gives a function from request body to Answer; the server records every body. It stands in
for an endpoint where a test needs a fault, or the exact request.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

DIMENSIONS = ("instruction_following", "quality", "clarity", "safety", "overall")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer after `delay` seconds; with `drop` the connection is closed instead."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drop: bool = False


Body = dict[str, Any]
Handler = Callable[[Body], Answer]


@dataclass
class FakeEndpoint:
    """Where the server listens, and what it was sent."""

    url: str
    keep: bool = True
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    together: int = 0
    most_together: int = 0


def scores(value: int = 7, **changed: int) -> str:
    """Return a valid verdict as text."""
    return json.dumps(
        {"commentary": "Right and clear.", **dict.fromkeys(DIMENSIONS, value), **changed}
    )


def chat(text: str | None, finish: str = "stop", delay: float = 0.0, **message: str) -> Answer:
    """Return a chat completion that says `text`."""
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return Answer(body=json.dumps(body).encode(), delay=delay)


def error(status: int, message: str = "", *, delay: float = 0.0, **more: Any) -> Answer:
    """Return an error in OpenAI's form; `headers` among `more` are HTTP headers."""
    headers = more.pop("headers", {})
    body = {"error": {"message": message, **more}}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode(), delay=delay)


@contextmanager
def serving(
    handler: Handler, models: tuple[str, ...] | Answer = ("fake",), keep: bool = True
) -> Iterator[FakeEndpoint]:
    """Serve `handler` from a thread until the block ends; record the requests if `keep`. `models`
    are the names in the list of models, or the answer in its place."""
    started: list[tuple[asyncio.AbstractEventLoop, FakeEndpoint]] = []
    ready = threading.Event()

    async def run() -> None:
        endpoint = FakeEndpoint(url="", keep=keep)
        server = await asyncio.start_server(
            lambda reader, writer: _connection(reader, writer, endpoint, handler, models),
            "127.0.0.1",
            0,
            backlog=1024,
        )
        endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started.append((asyncio.get_running_loop(), endpoint))
        ready.set()
        stop = asyncio.current_task()
        assert stop is not None
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    def target() -> None:
        try:
            asyncio.run(run())
        except asyncio.CancelledError:
            return

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    ready.wait()
    loop, endpoint = started[0]
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(_cancel_all, loop)
        thread.join(10)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


async def _connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    endpoint: FakeEndpoint,
    handler: Handler,
    models: tuple[str, ...] | Answer,
) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.split("\r\n")
            headers = {k.lower(): v for k, v in (x.split(": ", 1) for x in lines if x)}
            content = await reader.readexactly(int(headers.get("content-length", 0)))
            if endpoint.keep:
                endpoint.headers.append(headers)
                endpoint.paths.append(request.split(" ")[1])
            if request.startswith("GET"):
                answer = models if isinstance(models, Answer) else _listed(models)
                await asyncio.sleep(answer.delay)
            else:
                body = json.loads(content)
                if endpoint.keep:
                    endpoint.requests.append(body)
                endpoint.together += 1
                endpoint.most_together = max(endpoint.most_together, endpoint.together)
                try:
                    answer = handler(body)
                    await asyncio.sleep(answer.delay)
                finally:
                    endpoint.together -= 1
            if answer.drop:
                break
            writer.write(_http(answer))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def _listed(models: tuple[str, ...]) -> Answer:
    rows = [{"id": name, "object": "model"} for name in models]
    return Answer(body=json.dumps({"object": "list", "data": rows}).encode())


def _http(answer: Answer) -> bytes:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} x", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body
