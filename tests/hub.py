"""The datasets of a Hugging Face hub on the loopback, as far as reading one asks of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "1" * 40
Files = Mapping[str, bytes]


@contextmanager
def serve(datasets: Mapping[str, Files]) -> Iterator[str]:
    """Serve `datasets`, owner/name to the contents of its files; give the hub's address."""

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Stay quiet."""

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self.answer(self.rfile.read(length))

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self, body: bytes = b"") -> None:
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

        def send(self, content: bytes | None) -> None:
            body = content or b""
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


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
