"""The datasets of a Hugging Face hub on the loopback, as far as reading one asks of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.loopback import Quiet, serving

REVISION = "1" * 40
Files = Mapping[str, bytes]


@contextmanager
def serve(datasets: Mapping[str, Files]) -> Iterator[str]:
    """Serve `datasets`, owner/name to the contents of its files; give the hub's address."""

    class Hub(Quiet):
        def answer(self) -> None:
            body = self.content()
            path = unquote(urlsplit(self.path).path)
            for name, files in datasets.items():
                for start, reply in (
                    (f"/api/datasets/{name}", _about),
                    (f"/datasets/{name}", _file),
                ):
                    if path.startswith(start):
                        self.send(reply(name, files, path.removeprefix(start).strip("/"), body))
                        return
            self.send(None)

        do_GET = do_HEAD = do_POST = answer  # noqa: N815  http.server's names

        def send(self, content: bytes | None) -> None:
            body, status = content or b"", 404 if content is None else 200
            self.reply(body, status, of_file(body, REVISION, status))

    with serving(Hub) as url:
        yield url


def of_file(body: bytes, commit: str, status: int) -> dict[str, str]:
    """Return the headers with which a hub says what a file is, and of which commit, or that there
    is none."""
    named = {"X-Repo-Commit": commit} if commit else {}
    missing = {"X-Error-Code": "EntryNotFound"} if status == 404 else {}
    return {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', **named, **missing}


def _file(_: str, files: Files, path: str, body: bytes) -> bytes | None:
    """resolve/REVISION/PATH"""
    assert not body
    return files.get(path.split("/", 2)[-1])


def _about(name: str, files: Files, path: str, body: bytes) -> bytes:
    """Nothing or revision/REVISION: the dataset; tree/REVISION[/FOLDER] and paths-info: files."""
    question, _, rest = path.partition("/")
    folder = rest.partition("/")[2]
    entries = [_entry(file, content) for file, content in files.items()]
    if question == "tree":
        found: Any = [one for one in entries if one["path"].startswith(folder)]
    elif question == "paths-info":
        asked = json.loads(body)["paths"]
        found = [one for one in entries if one["path"] in asked]
    else:
        siblings = [{"rfilename": file} for file in files]
        found = {"id": name, "sha": REVISION, "private": False, "siblings": siblings}
    return json.dumps(found).encode()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": digest}
