"""An endpoint in this process, in place of the judge's: a test of many runs needs no connections.

It replies as a test says, and counts what is in flight; what a verdict costs is what it bills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from assay.judge import learned
from assay.judge.contract import Chat
from assay.judge.dialect import Dialect
from assay.judge.outcome import Reply
from assay.judge.settings import JudgeSettings

Answering = Callable[[JudgeSettings, Chat], Reply]


@dataclass
class Asked:
    """What was billed for each request, and how many were in flight together at most."""

    billed: list[tuple[int, int]] = field(default_factory=list)
    flying: int = 0
    most: int = 0


def answering(patch: pytest.MonkeyPatch, answer: Answering, turns: int = 1) -> Asked:
    """Have every judge answered by `answer`, each reply after so many turns of the event loop;
    what `answer` raises is that of the endpoint."""
    asked = Asked()

    class Unpaid:
        dropped = ()

        def __init__(self, settings: JudgeSettings, dialect: Dialect | None = None) -> None:
            self.settings = settings
            self.dialect = dialect or learned.wanted(settings)

        async def ask(self, chat: Chat, _form: Mapping[str, Any]) -> Reply:
            asked.flying += 1
            asked.most = max(asked.most, asked.flying)
            try:
                reply = answer(self.settings, chat)
                asked.billed.append(reply.tokens)
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                asked.flying -= 1
            return reply

        async def close(self) -> None:
            return

    patch.setattr("assay.judge.session.Endpoint", Unpaid)
    return asked
