"""The models of a Hugging Face hub, and of a ModelScope hub, on the loopback: as far as asking for
a commit, and loading one, asks of them. A branch can be moved, and the hub be made to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import of_file
from tests.loopback import Quiet, serving

Files = Mapping[str, bytes]
FIRST, SECOND = "1" * 40, "2" * 40


@dataclass
class ModelHub:
    """A hub with the `files` of each commit of each model, and what its branches are `at` now.
    `asked` is every request's path, and `failing` the status that all get, 0 for none."""

    files: dict[str, dict[str, Files]]
    at: dict[str, str] = field(default_factory=lambda: {"main": FIRST})
    asked: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    failing: int = 0
    lying: bool = False  # with the files of a commit it says that they are of another
    url: str = ""

    def commit(self, model: str, revision: str) -> str:
        """Return the commit of a revision, "" where there is none."""
        commit = self.at.get(revision, revision)
        return commit if commit in self.files.get(model, {}) else ""

    def loaded(self, name: str) -> set[str]:
        """Return the revisions that the file of this name was fetched of. PEFT fetches the
        configuration of main, too, to compare the vocabulary of an adapter that it writes."""
        parts = [path.split("/") for path in self.fetched]
        return {part[4] for part in parts if part[3:4] == ["resolve"] and part[-1] == name}


@contextmanager
def serve(files: dict[str, dict[str, Files]]) -> Iterator[ModelHub]:
    """Serve models, owner/name to commits to the contents of their files."""
    hub = ModelHub(files)

    class Handler(Quiet):
        def answer(self) -> None:
            address = urlsplit(self.path)
            path = unquote(address.path)
            hub.asked.append(path)
            if self.command == "GET":
                hub.fetched.append(path)
            hub.tokens.append(self.headers.get("Authorization", ""))
            if hub.failing:
                self.send(b"", hub.failing, "")
                return
            self.send(*_answer(hub, path, parse_qs(address.query)))

        do_GET = do_HEAD = answer  # noqa: N815  http.server's names

        def send(self, body: bytes, status: int, commit: str) -> None:
            self.reply(body, status, of_file(body, commit, status))

    with serving(Handler) as hub.url:
        yield hub


def _answer(hub: ModelHub, path: str, query: Mapping[str, list[str]]) -> tuple[bytes, int, str]:
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "models"]:
        revision = "/".join(parts[5:]) or "main"
        return _about(hub, "/".join(parts[2:4]), revision, parts[4:5])
    if parts[:3] == ["api", "v1", "models"]:
        commit = hub.commit("/".join(parts[3:5]), query["Revision"][0])
        said = {"Data": {"Files": [], "LatestCommitter": {"Id": commit}}}
        return (_json(said), 200, commit) if commit else (b"", 404, "")
    if len(parts) < 5:
        return b"", 404, ""
    model, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
    commit = hub.commit(model, revision)
    content = hub.files.get(model, {}).get(commit, {}).get(name)
    commit = SECOND if hub.lying else commit
    return (b"", 404, commit) if content is None else (content, 200, commit)


def _about(hub: ModelHub, model: str, revision: str, question: list[str]) -> tuple[bytes, int, str]:
    commit = hub.commit(model, revision.split("/")[0] if question == ["tree"] else revision)
    if not commit:
        return b"", 404, ""
    if question == ["tree"]:
        said: Any = [
            {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
            for name, content in hub.files[model][commit].items()
        ]
    else:
        siblings = [{"rfilename": name} for name in hub.files[model][commit]]
        said = {"id": model, "sha": commit, "private": False, "siblings": siblings}
    return _json(said), 200, commit


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
