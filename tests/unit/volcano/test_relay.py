"""A pod's log is relayed to its end, or the launcher's log says why it was not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.errors import StageError
from assay.volcano import follow, relay
from assay.volcano.api import Api, ApiError
from assay.volcano.relay import Relay
from assay.volcano.state import JobState

POD = "job-master-0"
NODE_AWAY = ApiError(500, "dial tcp 10.0.0.3:10250: connect: connection refused")
CUT = ApiError(0, "the API server does not answer (TimeoutError)")
NOT_FOUND = ApiError(404, "not found")
HERE, ANOTHER = {"metadata": {"uid": "1"}}, {"metadata": {"uid": "2"}}
LINE = b"2026-01-01T00:00:00.1Z step 1"
NEVER = "the pod was gone before any of it was read"

Step = tuple[Any, bytes, ApiError | None]  # the pod, a line of its log, how the log's stream ended
Follow = Callable[[list[Step], bool], Relay]


@pytest.fixture(name="relayed")
def make_relayed(monkeypatch: pytest.MonkeyPatch) -> Follow:
    """The relay of a pod whose API server answers step after step, the last one for ever."""
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.0)

    def relayed(steps: list[Step], over: bool) -> Relay:
        left = iter(steps)
        now: list[Step] = []

        def request(api: Api, method: str, path: str) -> Any:
            now[:] = [next(left, steps[-1])]
            if isinstance(now[0][0], ApiError):
                raise now[0][0]
            return now[0][0]

        def stream(api: Api, path: str, query: Any, seconds: float) -> Iterator[list[bytes]]:
            _, line, end = now[0]
            yield [line]
            if end:
                raise end

        monkeypatch.setattr(relay, "request", request)
        monkeypatch.setattr(relay, "stream", stream)
        made = Relay(nowhere(), POD, "1", b"", lambda: over)
        made.start().join()
        return made

    return relayed


def nowhere() -> Api:
    account = Path(__file__).parent / "none"
    return Api(host="none", port=0, account=account)


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "namespace", "team")


@pytest.mark.parametrize(
    ("steps", "over", "why"),
    [
        ([(HERE, LINE, NODE_AWAY)], True, NODE_AWAY.message),
        ([(NODE_AWAY, LINE, None)], True, NODE_AWAY.message),
        ([(HERE, LINE, CUT), (NOT_FOUND, b"", None)], True, CUT.message),
        ([(HERE, LINE, CUT), (ANOTHER, b"", None)], False, CUT.message),
        ([(NOT_FOUND, b"", None)], True, NEVER),
        ([(ANOTHER, b"", None)], True, NEVER),
    ],
)
def test_a_log_that_is_not_read_to_its_end_says_why(
    relayed: Follow,
    capsys: pytest.CaptureFixture[str],
    steps: list[Step],
    over: bool,
    why: str,
) -> None:
    ended = relayed(steps, over)
    told = [line for line in capsys.readouterr().out.splitlines() if POD in line]
    assert told == [
        f"the log of pod {POD} could not be read to its end: {why}; the Job is not affected"
    ]
    assert ended.last[-1] == f"(the rest could not be read: {why})"
    assert ended.error is None


@pytest.mark.parametrize(
    ("steps", "over"),
    [
        ([(HERE, LINE, None)], True),
        ([(HERE, LINE, CUT), (HERE, LINE, None)], True),
        ([(HERE, LINE, None), (NOT_FOUND, b"", None)], False),
        ([(HERE, LINE, None), (ANOTHER, b"", None)], False),
    ],
)
def test_a_log_that_is_read_to_its_end_says_nothing_more(
    relayed: Follow, capsys: pytest.CaptureFixture[str], steps: list[Step], over: bool
) -> None:
    ended = relayed(steps, over)
    assert capsys.readouterr().out == "step 1\n"
    assert (list(ended.last), ended.unread) == (["step 1"], "")


def test_a_log_without_the_right_to_it_is_an_error_of_the_launcher(relayed: Follow) -> None:
    refusal = ApiError(403, "pods/log is forbidden")
    ended = relayed([(HERE, LINE, refusal)], True)
    assert (ended.error, ended.unread) == (refusal, "")


def job(phase: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "job", "uid": "j"},
        "spec": {"minAvailable": 1},
        "status": {"state": {"phase": phase}},
    }


def killed() -> dict[str, Any]:
    ended = {"exitCode": 137, "reason": "Error"}
    return {
        "metadata": {"name": POD, "uid": "1", "ownerReferences": [{"uid": "j"}]},
        "spec": {},
        "status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": ended}}]},
    }


def test_a_failure_keeps_why_the_end_of_its_log_is_missing(
    relayed: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = relayed([(HERE, LINE, NODE_AWAY)], True)
    over = threading.Thread()
    over.start()
    state = JobState(
        api=ended.api, stage="finetune", job=job("Failed"), relays={"1": (ended, over)}
    )
    monkeypatch.setattr(follow, "request", lambda *_, **__: {"items": [killed()]})
    with pytest.raises(StageError, match=r"step 1\n  \(the rest could not be read: dial tcp"):
        follow._ending(state)


def test_a_log_that_never_ends_is_left_and_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    endless = threading.Thread(target=release.wait)
    endless.start()
    silent = Relay(nowhere(), POD, "1", b"", lambda: True)
    state = JobState(
        api=silent.api, stage="finetune", job=job("Failed"), relays={"1": (silent, endless)}
    )
    monkeypatch.setattr(follow, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(follow, "request", lambda *_, **__: {"items": [killed()]})
    try:
        with pytest.raises(StageError, match="the rest could not be read: it did not end within"):
            follow._ending(state)
    finally:
        release.set()
        endless.join()
    assert f"the log of pod {POD} could not be read to its end" in capsys.readouterr().out
