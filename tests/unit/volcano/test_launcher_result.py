"""What a launcher returns of a Job whose pods have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.errors import StageError
from assay.placement import ClusterSettings
from assay.queues import Work
from assay.volcano import launcher
from assay.volcano.api import Api
from assay.volcano.work import Ending

WORK = Work(stage="generate", samples="s3://b/s", outputs={"predictions": "s3://b/p"}, arguments={})


def done(monkeypatch: pytest.MonkeyPatch, ending: Ending, *published: dict[str, Any] | None) -> Any:
    """Return what a new Job comes to, whose last pod left an ending, where the store has this."""
    looks: Iterator[dict[str, Any] | None] = iter(published)
    monkeypatch.setattr(launcher, "_published", lambda _: next(looks))
    monkeypatch.setattr(launcher, "_settle", lambda *_: ({}, False))
    monkeypatch.setattr(launcher, "follow", lambda *_: ending)
    wanted = {"metadata": {"name": "job"}}
    return launcher._done(
        Api(host="", port=0, account=Path()), WORK, ClusterSettings(), lambda: wanted
    )


def test_a_pod_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert done(monkeypatch, Ending(metadata={"samples": 3}), None) == {"samples": 3}


def test_the_pod_that_would_say_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that put the shares together was deleted when it had published the whole."""
    assert done(monkeypatch, Ending(), None, {"samples": 4}) == {"samples": 4}


def test_nobody_has_published_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="completed and left no answer"):
        done(monkeypatch, Ending(), None, None)
