"""What happens while the shares of a generation are put together: when the last pod reads them,
when it sends the whole, and when it removes them. Nothing is answered again, and all is there.

Each fault comes at one of the moments, to be quick; at any other it is the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.outages import Gate, before
from tests.chaos.tasks import Tasks
from tests.cluster import kube
from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import Launcher, Start, eventually
from tests.cluster.node import places
from tests.cluster.shares import PODS, SAMPLES, assert_whole, by_pod, steps, workers_of

AWAY_SECONDS = 20.0
HELD = {
    "reads": "GET /{}/many.partial/shard-3-of-4/predictions.jsonl",
    "sends": "PUT /{}/many/predictions.jsonl",
    "removes": "DELETE /{}/many.partial/shard-0-of-4/",
}
"""The request at which a moment is."""


@pytest.fixture(name="gate")
def gate_before_the_store() -> Iterator[Gate]:
    with before(places.STORE_PORT) as gate:
        yield gate


@pytest.fixture(name="space")
def space_behind_it(cluster: Cluster, gate: Gate, tmp_path: Path) -> Iterator[Space]:
    """A namespace whose pods reach the store through the gate."""
    gated = cluster.behind(places.address(), gate.port)
    with kube.space(gated, f"merging-{os.getpid()}-{gate.port}", tmp_path / "accounts") as made:
        yield made


def store_away(gate: Gate, launcher: Launcher, tasks: Tasks) -> bool:
    gate.leave(AWAY_SECONDS)
    return False


def launcher_killed(gate: Gate, launcher: Launcher, tasks: Tasks) -> bool:
    launcher.process.kill()
    return True


def pod_killed(gate: Gate, launcher: Launcher, tasks: Tasks) -> bool:
    eventually(lambda: len(workers_of(tasks)) == 1, "the others have ended")
    [worker] = workers_of(tasks).values()
    os.kill(worker, signal.SIGKILL)
    return False


Fault = Callable[[Gate, Launcher, Tasks], bool]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("fault", "moment"),
    [(store_away, "reads"), (launcher_killed, "sends"), (pod_killed, "removes")],
)
def test_a_fault_while_they_are_put_together(
    fault: Fault, moment: str, gate: Gate, space: Space, tasks: Tasks, start: Start, tmp_path: Path
) -> None:
    work = tasks.answered_at("many")

    def launch() -> Launcher:
        return start(work, replicas=PODS, retries=1, **tasks.worker("generate"))

    gate.stop(HELD[moment].format(tasks.root.removeprefix("minio://")).encode())
    launcher = launch()
    assert gate.stopped.wait(120), launcher.output
    if fault(gate, launcher, tasks):
        launcher = launch()
    gate.let_pass()
    assert launcher.wait(180) == 0, launcher.output
    assert_whole(tasks, work, launcher, tmp_path)
    assert sum(map(steps, by_pod(tasks).values())) == SAMPLES
