"""A real HTTP server on the loopback that speaks OpenAI's Batch API beside chat completions.

A test gives what each request is answered, how often a batch says that it goes on, and how it ends;
`at` is called at each step before it is answered, so that a test can kill who asked.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.faults.endpoint import Answer, Body, Handler, chat, scores
from tests.loopback import Quiet, serving

Json = dict[str, Any]
Ends = Callable[[Json], str]


@dataclass
class FakeBatches:
    """The server's state: what was sent, and what it is told to do."""

    handler: Handler
    url: str = ""
    # how a batch ends: its status; and for which of its lines there is an answer
    ends: Ends = lambda _: "completed"
    keeps: Callable[[int], bool] = lambda _: True
    error: Json | None = None  # what stands in the place of the lines that are not kept
    errors: Sequence[Json] = ()
    looks: int = 1  # so often a batch goes on
    pending: int = 0  # so often a file is said not to be read yet
    at: Callable[[str], None] = lambda _: None
    answers: dict[str, list[Answer]] = field(default_factory=dict)  # step -> in place of its answer
    lists: bool = True
    direct: list[Body] = field(default_factory=list)
    paid: list[Body] = field(default_factory=list)  # what batches were made of, and answered
    names: Counter[str] = field(default_factory=Counter)
    uploaded: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, Json] = field(default_factory=dict)
    created: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, method: str, path: str, content: bytes) -> Answer:
        """Return the answer to one request."""
        step = _step(method, path)
        with self.lock:
            self.paths.append(f"{method} {path}")
            if self.answers.get(step):
                return self.answers[step].pop(0)
            answer = self._answer(method, step, path, content)
            self.at(step)
            return answer

    def _answer(self, method: str, step: str, path: str, content: bytes) -> Answer:
        if step == "chat":
            body = json.loads(content)
            self.direct.append(body)
            return self.handler(body)
        if step == "upload":
            return self._upload(content)
        if step == "create":
            return self._create(json.loads(content))
        if step == "files":
            return said({"object": "list", "data": [], "has_more": False})
        if step == "list":
            rows = [*self.batches.values()][::-1] if self.lists else []
            return said({"object": "list", "data": rows, "has_more": False})
        name = path.split("?")[0].split("/")[3]
        if method == "DELETE":
            del self.files[name]
            return said({"id": name, "deleted": True})
        if step == "file" and name in self.files:
            return self._file(name)
        if step == "look" and name in self.batches:
            return said(self._look(self.batches[name]))
        if step == "content" and name in self.files:
            return Answer(body=self.files[name])
        return said({"error": {"message": f"No such object: {name}"}}, status=404)

    def _upload(self, content: bytes) -> Answer:
        name = f"file-{self.uploaded}"
        self.uploaded += 1
        lines = re.findall(rb'name="file".*?\r\n\r\n(.*?)\r\n--', content, re.DOTALL)
        if b'name="purpose"\r\n\r\nbatch\r\n' not in content or len(lines) != 1:
            return said({"error": {"message": "no file for a batch"}}, status=400)
        self.files[name] = lines[0]
        return self._file(name)

    def _file(self, name: str) -> Answer:
        self.pending -= 1
        status = "processed" if self.pending < 0 else "pending"
        return said({"id": name, "object": "file", "purpose": "batch", "status": status})

    def _create(self, asked: Json) -> Answer:
        if self.pending > 0:
            return said({"error": {"message": "The file is not processed"}}, status=400)
        name = f"batch_{len(self.created)}"
        lines = self.files[asked["input_file_id"]].splitlines()
        counts = {"total": len(lines), "completed": 0, "failed": 0}
        batch = {
            "id": name,
            "object": "batch",
            "status": "validating",
            "request_counts": counts,
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "looks": 0,
            **asked,
        }
        self.batches[name] = batch
        self.created.append(asked)
        return said(batch)

    def _look(self, batch: Json) -> Json:
        batch["looks"] += 1
        if batch["status"] not in ("validating", "in_progress"):
            return batch
        if batch["looks"] <= self.looks:
            batch["status"] = "in_progress"
            return batch
        batch["status"] = self.ends(batch)
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": [*self.errors]}
            return batch
        self._end(batch)
        return batch

    def _end(self, batch: Json) -> None:
        good, bad = list[Json](), list[Json]()
        for number, line in enumerate(self.files[batch["input_file_id"]].splitlines()):
            row = json.loads(line)
            answered: Json = {"custom_id": row["custom_id"], "response": None, "error": self.error}
            if self.keeps(number):
                self.paid.append(row["body"])
                self.names[row["custom_id"]] += 1
                answer = self.handler(row["body"])
                response = {"status_code": answer.status, "body": json.loads(answer.body)}
                answered |= {"response": response, "error": None}
                (good if answer.status == 200 else bad).append(answered)
            elif self.error:
                bad.append(answered)
        for name, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                batch[name] = f"{batch['id']}-{name}"
                self.files[batch[name]] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        batch["request_counts"] |= {"completed": len(good), "failed": len(bad)}


def said(body: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer of JSON."""
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers)


_LISTS = {"batches": "list", "files": "files", "models": "models"}


def _step(method: str, path: str) -> str:
    parts = path.split("?")[0].strip("/").split("/")
    if parts[-1] == "completions":
        return "chat"
    if method == "POST":
        return "upload" if parts[-1] == "files" else "create"
    if parts[-1] == "content":
        return "content"
    if parts[-1] in _LISTS:
        return _LISTS[parts[-1]]
    return "look" if parts[-2] == "batches" else "file"


@contextmanager
def batching(handler: Handler = lambda _: chat(scores()), **told: Any) -> Iterator[FakeBatches]:
    """Serve until the block ends."""
    fake = FakeBatches(handler=handler, **told)

    class Speaks(Quiet):
        protocol_version = "HTTP/1.1"

        def _speak(self) -> None:
            content = self.content()
            if self.headers.get("Transfer-Encoding") == "chunked":
                content = self._chunks()
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = fake.answer(self.command, self.path, content)
            if answer.drop:
                self.close_connection = True
                return
            self.reply(answer.body, answer.status, answer.headers)

        do_GET = do_POST = do_DELETE = _speak  # noqa: N815  http.server's names

        def _chunks(self) -> bytes:
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return

    with serving(Speaks) as url:
        fake.url = f"{url}/v1"
        yield fake
