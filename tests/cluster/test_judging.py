"""Each fault of a judge's task in its pod, at three moments: before it has a verdict, while it has
some, and when all are paid for and not yet published.

| fault | before | during | after |
|---|---|---|---|
| the judge is away | waited for | waited for | not needed |
| the task's pod is deleted at once | begun anew | goes on from what is kept | pays for nothing |
| the store is away | waited for | judging goes on | waited for |
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from assay import store
from assay.folder import PREDICTIONS, VERDICTS
from assay.records import Prediction, Verdict
from tests.chaos.judging import GIVEN
from tests.chaos.outages import Gate, before
from tests.chaos.tasks import KEY, Tasks
from tests.cluster import kube, runs
from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import eventually
from tests.cluster.node import places
from tests.cluster.runs import Run
from tests.faults.endpoint import Answer, chat, scores, serving

AWAY_SECONDS = 8.0
SAMPLES, AT_A_TIME = 16, 2
POD = "judge"


@dataclass(frozen=True, kw_only=True)
class Court:
    """A judge behind a gate, what it was paid for, and the gate before the store."""

    judge: Gate
    store: Gate
    paid: Counter[str]


@pytest.fixture(name="court")
def judge_and_store(cluster: Cluster) -> Iterator[Court]:
    """A judge that pods reach, and the store."""
    paid: Counter[str] = Counter()

    def answer(body: dict[str, Any]) -> Answer:
        paid.update(set(re.findall(r"Say <([\w-]+)>", str(body["messages"]))))
        return chat(scores(), delay=0.4)

    with ExitStack() as stack:
        judge = stack.enter_context(serving(answer, keep=False))
        ports = (urlsplit(judge.url).port or 0, places.STORE_PORT)
        gates = [stack.enter_context(before(port)) for port in ports]
        yield Court(judge=gates[0], store=gates[1], paid=paid)


@pytest.fixture(name="space")
def space_behind_gates(cluster: Cluster, court: Court, tmp_path: Path) -> Iterator[Space]:
    """A namespace whose pods reach the store through the gate."""
    reached = {"AWS_ENDPOINT_URL_S3": f"http://{places.address()}:{court.store.port}"}
    gated = replace(cluster, store={**cluster.store, **reached})
    name = f"judging-{os.getpid()}-{court.store.port}"
    with kube.space(gated, name, tmp_path / "accounts") as made:
        yield made


def judge_away(court: Court, _run: Run) -> None:
    court.judge.leave(AWAY_SECONDS)


def store_away(court: Court, _run: Run) -> None:
    court.store.leave(AWAY_SECONDS)


def deleted(court: Court, run: Run) -> None:
    force = ("--force", "--grace-period=0")
    run.space.cluster.run("delete", "pod", POD, "-n", run.space.name, *force)
    eventually(lambda: not run.phase(POD), "the pod is gone")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("fault", [judge_away, store_away, deleted], ids=lambda f: f.__name__)
def test_a_fault_at_a_moment(
    fault: Callable[[Court, Run], None],
    moment: str,
    space: Space,
    court: Court,
    store_here: None,
    tmp_path: Path,
) -> None:
    tasks = Tasks(root=f"{kube.STORE}/{space.name}", folder=tmp_path)
    tasks.publish(SAMPLES)
    publish_predictions(tasks)
    run = runs.begin(space, environment={KEY: "sk-of-a-test"})
    endpoint = f"http://{places.address()}:{court.judge.port}/v1"
    told = {GIVEN: json.dumps(tasks.judging(endpoint))}

    def begin() -> None:
        run.run(POD, ["python", "-u", "-m", "tests.chaos.judging"], told)

    gate, text = at(moment, court, tasks)
    if text:
        gate.stop(text)
    begin()
    reach(moment, court, gate, tasks)
    since = time.monotonic()
    fault(court, run)
    gate.let_pass()
    if not run.phase(POD):
        begin()
    eventually(lambda: run.phase(POD) in ("Succeeded", "Failed"), "the end", 120)
    log = run.log(POD)
    assert run.phase(POD) == "Succeeded", log
    with store.fetched(f"{tasks.root}/scores") as scored:
        rows = list(store.read_rows(scored / "candidate" / VERDICTS, Verdict))
    assert sorted(row.id for row in rows) == sorted(court.paid)
    assert len(rows) == SAMPLES
    assert not any(row.unscored for row in rows)
    again = sum(court.paid.values()) - SAMPLES
    # what was in flight, and what had passed, which finds out whether the judge is back
    finds_out = fault is judge_away
    assert again <= (0 if moment == "after" else AT_A_TIME + finds_out), log
    if fault is judge_away and moment != "after":
        assert time.monotonic() - since > AWAY_SECONDS
        assert "judge" in log
    assert [name for name in store.listed(tasks.root) if ".partial" in name] == []


def publish_predictions(tasks: Tasks) -> None:
    here, name = tasks.folder / "predictions", tasks.root.rpartition("/")[2]
    rows = (
        Prediction(
            id=f"{name}-{number}", output="yes", finish="stop", prompt_tokens=1, output_tokens=1
        )
        for number in range(SAMPLES)
    )
    store.write_rows(here / PREDICTIONS, rows)
    store.publish(here, f"{tasks.root}/predictions")


def at(moment: str, court: Court, tasks: Tasks) -> tuple[Gate, bytes]:
    """Return the gate that holds the task at a moment, and the request that it holds there."""
    if moment == "before":
        return court.judge, b"POST /v1/chat"
    scores = f"{tasks.root}/scores/".removeprefix("minio://")
    return court.store, f"PUT /{scores}".encode() if moment == "after" else b""


def reach(moment: str, court: Court, gate: Gate, tasks: Tasks) -> None:
    """Wait until the task is at the moment."""
    if moment == "during":
        verdicts = f"{tasks.root}/scores.partial/logs/candidate/{VERDICTS}"
        eventually(lambda: store.listed(verdicts), "verdicts in the store")
    else:
        assert gate.stopped.wait(90)
