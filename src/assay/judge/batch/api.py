"""The Batch API as OpenAI defined it: a file of requests goes up, a batch is made of it, and its
answers come in one or two files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from assay.errors import JudgeError
from assay.judge.batch import lines
from assay.judge.batch.objects import Batch, batch_of, id_of, object_of
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError
from assay.judge.refusal import MOST_TOLD
from assay.judge.retries import ask_again
from assay.judge.standstill import Asking, Standstill, TellText, to_nobody
from assay.settings import redacted

T = TypeVar("T")
Ask = Callable[[str, str], Awaitable[bytes]]
FILE_LOOK_S = 1.0
_PAGES = 20
_FILE_S = 600.0  # a file of 200 MB goes up or down
_DEPLOYMENT = re.compile(r"/deployments/[^/]+$")
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


class BatchApi:
    """The Batch API of a judge's endpoint. What may pass is tried again as often as `retries`
    says, and waited for as the judge itself is, which `tell` is told; every method raises CallError
    for what does not."""

    def __init__(self, endpoint: Endpoint, retries: int, tell: TellText = to_nobody) -> None:
        self._endpoint = endpoint
        self._retries = retries
        self.standstill = Standstill(endpoint.settings, tell, fewest=1)
        # Azure keeps files and batches beside its deployments, not under one
        self.root = _DEPLOYMENT.sub("", endpoint.url)
        self.path = _path(endpoint.url)

    async def check(self) -> None:
        """Raise CallError where the endpoint has no batches or no files: it neither lists both nor
        takes a file. Some have batches of another form, without files."""
        try:
            await self._list("/batches?limit=1", self._call)
            await self._list("/files?limit=1&purpose=batch", self._call)
        except CallError as error:
            if error.transient or error.cause == "auth":
                raise
            try:
                probe = await self.upload(lines.request("probe", self.path, {}))
                await self._once("delete", f"/files/{probe}")
            except CallError:
                raise error from None

    async def upload(self, content: bytes) -> str:
        """Send a file of requests, and return its id once the endpoint has read it."""
        answer = await self._call("post", "/files", {"purpose": "batch"}, file=content)
        file, wait = object_of(answer), 0
        while str(file.get("status")).lower() in ("pending", "running", "uploading"):
            await asyncio.sleep(FILE_LOOK_S * min(2**wait, 30))
            file, wait = object_of(await self._call("get", f"/files/{id_of(file)}")), wait + 1
        if str(file.get("status")).lower() == "error":
            said = redacted(str(file.get("status_details")))[:MOST_TOLD]
            raise CallError("rejected", f"its file was refused: {said}")
        return id_of(file)

    async def create(self, file: str) -> Batch:
        """Make a batch of a file. Where no answer comes, it may have been made: then it is looked
        for before it is made again."""
        body = {"input_file_id": file, "endpoint": self.path, "completion_window": "24h"}
        tried = False

        async def make() -> Batch:
            nonlocal tried
            if tried and (made := await self._found(file, self._once)):
                return made
            tried = True
            return batch_of(object_of(await self._once("post", "/batches", body)))

        return await self._patiently(make)

    async def look(self, batch: str) -> Batch:
        """Return how a batch stands."""
        return batch_of(object_of(await self._once("get", f"/batches/{batch}")))

    async def find(self, file: str) -> Batch | None:
        """Return the newest batch that was made of a file, None where none is listed, or nothing
        is."""
        return await self._found(file, self._call)

    async def _found(self, file: str, ask: Ask) -> Batch | None:
        after = ""
        for _ in range(_PAGES):
            try:
                rows, more = await self._list(f"/batches?limit=100{after}", ask)
            except CallError as error:
                if error.transient or error.cause == "auth":
                    raise
                return None
            for row in rows:
                if row.get("input_file_id") == file:
                    return batch_of(row)
            if not rows or not more:
                return None
            after = f"&after={id_of(rows[-1])}"
        return None

    async def _list(self, path: str, ask: Ask) -> tuple[list[Mapping[str, Any]], bool]:
        listed = object_of(await ask("get", path))
        rows = listed.get("data")
        if not isinstance(rows, list):
            raise CallError("rejected", f"what it answers to GET {path} is no list")
        return [row for row in rows if isinstance(row, Mapping)], bool(listed.get("has_more"))

    async def content(self, file: str) -> bytes:
        """Return what is in a file."""
        return await self._call("get", f"/files/{file}/content")

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, file: bytes = b""
    ) -> bytes:
        return await self._patiently(lambda: self._once(method, path, body, file))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what is asked for: asked again as often as `retries` says, and where the endpoint
        is away or at its limit, when the standstill is over."""

        async def in_turn(asking: Asking) -> T:
            async with self.standstill.turn():
                sent = self.standstill.sent(asking)
                try:
                    answer = await ask()
                except CallError as error:
                    error.held = self.standstill.failed(error, sent, asking, flying=1)
                    raise
                self.standstill.passed(sent)
                return answer

        return await ask_again(in_turn, self.standstill, self._retries)

    async def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, file: bytes = b""
    ) -> bytes:
        return await self._endpoint.call(method, f"{self.root}{path}", body, file, _FILE_S)


async def check(endpoint: Endpoint, retries: int) -> None:
    """Raise JudgeError where a judge's endpoint has no Batch API, or not for this key."""
    url = endpoint.settings.endpoint
    try:
        await BatchApi(endpoint, retries).check()
    except CallError as error:
        if error.cause == "auth":
            raise JudgeError(
                f"The Batch API of {url} does not take the judge's key: {error}",
                "Give the key the right to batches and files, or set judge.batch: false",
            ) from None
        if error.transient:
            raise JudgeError(
                f"The Batch API of {url} does not answer: {error.cause}: {error}",
                "Try again later, or set judge.batch: false",
            ) from None
        raise JudgeError(
            f"The endpoint {url} has no Batch API: {error}",
            "Set judge.batch: false, or name an endpoint that has one",
        ) from None


def _path(url: str) -> str:
    """Return how the requests in a file name the chat completions of the endpoint: by its version,
    if its address ends with one, wherever that stands."""
    parts = urlsplit(url)
    version = re.search(r"/(v\d+)/?$", parts.path)
    azure = _DEPLOYMENT.search(parts.path) or (parts.hostname or "").endswith(_AZURE)
    return f"/{version[1]}/chat/completions" if version and not azure else "/chat/completions"
