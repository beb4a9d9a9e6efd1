"""The Batch API as OpenAI defined it: a file of requests goes up, a batch is made of it, and its
answers come in one or two files."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from assay.errors import JudgeError
from assay.judge.batch import lines
from assay.judge.batch.objects import Batch, batch_of, id_of, object_of
from assay.judge.causes import LIMITED
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError
from assay.judge.refusal import MOST_TOLD
from assay.judge.throttle import LONGEST_WAIT_S, wait_s
from assay.progress import clock
from assay.settings import redacted

FILE_LOOK_S = 1.0
_PAGES = 20
_FILE_S = 600.0  # a file of 200 MB goes up or down
_DEPLOYMENT = re.compile(r"/deployments/[^/]+$")
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


class BatchApi:
    """The Batch API of a judge's endpoint. What may pass is tried again as often as `retries`
    says; every method raises CallError for what does not."""

    def __init__(self, endpoint: Endpoint, retries: int) -> None:
        self._endpoint = endpoint
        self._retries = retries
        # Azure keeps files and batches beside its deployments, not under one
        self.root = _DEPLOYMENT.sub("", endpoint.url)
        self.path = _path(endpoint.url)

    async def check(self) -> None:
        """Raise CallError where the endpoint has no batches or no files: it neither lists both nor
        takes a file. Some have batches of another form, without files."""
        try:
            await self._list("/batches?limit=1")
            await self._list("/files?limit=1&purpose=batch")
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
        begun = time.monotonic()
        for attempt in itertools.count():
            try:
                return batch_of(object_of(await self._once("post", "/batches", body)))
            except CallError as error:
                await self._rest(attempt, error, begun)
            if made := await self.find(file):
                return made
        raise AssertionError  # an attempt returns or raises

    async def look(self, batch: str) -> Batch:
        """Return how a batch stands."""
        return batch_of(object_of(await self._once("get", f"/batches/{batch}")))

    async def find(self, file: str) -> Batch | None:
        """Return the newest batch that was made of a file, None where none is listed, or nothing
        is."""
        after = ""
        for _ in range(_PAGES):
            try:
                rows, more = await self._list(f"/batches?limit=100{after}")
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

    async def _list(self, path: str) -> tuple[list[Mapping[str, Any]], bool]:
        listed = object_of(await self._call("get", path))
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
        begun = time.monotonic()
        for attempt in itertools.count():
            try:
                return await self._once(method, path, body, file)
            except CallError as error:
                await self._rest(attempt, error, begun)
        raise AssertionError  # an attempt returns or raises

    async def _rest(self, attempt: int, error: CallError, begun: float) -> None:
        """Wait until something may be asked again: as often as `retries` says, and where the
        endpoint is away or at its limit as long as the settings allow. Raises the error else."""
        settings = self._endpoint.settings
        bound = settings.outage_s if error.away else 0.0
        if error.cause == LIMITED:
            bound = settings.max_wait_s
        if error.transient and (error.wait or 0.0) > max(bound, LONGEST_WAIT_S):
            raise CallError(error.cause, f"it asks to wait {clock(error.wait or 0.0)}: {error}")
        pause = wait_s(attempt, error.wait)
        used_up = attempt >= self._retries and time.monotonic() - begun + pause > bound
        if not error.transient or used_up:
            raise error
        await asyncio.sleep(pause)

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
