"""Each fault of a fine-tune's Job at three moments: while it trains and has a checkpoint in the
store, while its weights are on their way, and when all is published and its launcher does not know.

| fault | before | during | after |
|---|---|---|---|
| the launcher is killed, and its pod made again | adopted | adopted | its result is used |
| the worker's pod is deleted at once | from the checkpoint | from it | found, not trained |
| the worker's pod is evicted | from the checkpoint | from it | found, not trained |
| the worker is killed with -9 | from the checkpoint | from it | found, not trained |
| the store is away | waited for | waited for | waited for |
| the store takes no writes | kept later | waited for | waited for |
| the API server is away | goes on | goes on | goes on |

Wherever it happens: nothing is trained from 0 again, the result is whole, and no unfinished work,
no lease and no Job that works is left. Of the other rows of faults tell test_tries (generation),
test_judging (the judge), test_cannot_start and test_preflight (queues), test_failures (memory) and
test_preemption; chaos of all of them at random is in tests/chaos.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assay import store
from tests.chaos import tally
from tests.chaos.outages import Gate, before
from tests.chaos.tasks import Tasks
from tests.cluster import kube
from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import Launcher, Start, eventually
from tests.cluster.node import places

AWAY_SECONDS = 8.0
NO_WRITES = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: 71\r\n\r\n"
    b"<Error><Code>AccessDenied</Code><Message>it is read-only</Message></Error>"
)[:-2]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A fine-tune's Job that is held at a moment, its launcher, and what a fault may be done to."""

    space: Space
    tasks: Tasks
    gates: dict[str, Gate]
    launcher: Launcher
    again: Callable[[], Launcher]

    @property
    def pod(self) -> str:
        """The name of the worker's pod."""
        return f"{self.launcher.job}-master-0"


@pytest.fixture(name="gates")
def gates_before_store_and_api(cluster: Cluster) -> Iterator[dict[str, Gate]]:
    """A gate before the store, and one before the API server."""
    with ExitStack() as stack:
        ports = {"store": places.STORE_PORT, "api": places.API_PORT}
        yield {name: stack.enter_context(before(port)) for name, port in ports.items()}


@pytest.fixture(name="space")
def space_behind_gates(cluster: Cluster, gates: dict[str, Gate], tmp_path: Path) -> Iterator[Space]:
    """A namespace whose pods reach the store through the gate."""
    port = gates["store"].port
    gated = cluster.behind(places.address(), port)
    with kube.space(gated, f"moment-{os.getpid()}-{port}", tmp_path / "accounts") as made:
        yield made


def launcher_killed(scene: Scene) -> Launcher:
    scene.launcher.process.kill()
    return scene.again()


def deleted(scene: Scene) -> Launcher:
    force = ("--force", "--grace-period=0", "--wait=false")
    scene.space.cluster.run("delete", "pod", scene.pod, "-n", scene.space.name, *force)
    return scene.launcher


def evicted(scene: Scene) -> Launcher:
    meta = {"name": scene.pod, "namespace": scene.space.name}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{scene.space.name}/pods/{scene.pod}/eviction"
    scene.space.cluster.run("create", "--raw", path, "-f", "-", text=json.dumps(eviction))
    return scene.launcher


def killed(scene: Scene) -> Launcher:
    os.kill(worker_of(scene.tasks), signal.SIGKILL)
    return scene.launcher


def store_away(scene: Scene) -> Launcher:
    scene.gates["store"].leave(AWAY_SECONDS)
    return scene.launcher


def store_without_writes(scene: Scene) -> Launcher:
    until = time.monotonic() + AWAY_SECONDS

    def refuse(sent: bytes) -> bytes | None:
        changes = sent.startswith((b"PUT ", b"POST ", b"DELETE "))
        return NO_WRITES if changes and time.monotonic() < until else None

    scene.gates["store"].refuse = refuse
    return scene.launcher


def api_away(scene: Scene) -> Launcher:
    scene.gates["api"].leave(AWAY_SECONDS)
    return scene.launcher


FAULTS = (
    launcher_killed,
    deleted,
    evicted,
    killed,
    store_away,
    store_without_writes,
    api_away,
)


def worker_of(tasks: Tasks) -> int:
    """Return the worker's process, by what its environment names."""
    mine = str(tasks.tally("finetune")).encode()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_worker = b"tests.chaos.worker" in (path / "cmdline").read_bytes()
            if is_worker and mine in (path / "environ").read_bytes():
                return int(path.name)
    raise AssertionError("no worker runs")


def reach(moment: str, scene: Scene) -> None:
    """Wait until the Job is at the moment; what it asks of the store there is held from then on."""
    model, gate = scene.tasks.tuning.key, scene.gates["store"]
    if moment == "before":
        saved = f"{model}.partial/checkpoints/trained/checkpoint-"
        numbers = range(scene.tasks.every, scene.tasks.steps, scene.tasks.every)
        eventually(lambda: any(store.exists(f"{saved}{n}") for n in numbers), "a checkpoint")
        return
    assert gate.stopped.wait(90), scene.launcher.output


def held_at(moment: str, tasks: Tasks) -> bytes:
    """Return the beginning of the request at which a moment is, b"" for none."""
    place = tasks.tuning.key.removeprefix("minio://")
    return {
        "before": b"",
        "during": f"PUT /{place}/adapter_model.safetensors".encode(),
        "after": f"DELETE /{place}.partial/files/identity.json".encode(),
    }[moment]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_at_a_moment(
    fault: Callable[[Scene], Launcher],
    moment: str,
    space: Space,
    store_here: None,
    start: Start,
    gates: dict[str, Gate],
    tmp_path: Path,
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # the pod's user has to get there
    tasks = Tasks(root=f"{kube.STORE}/{space.name}", folder=tmp_path, steps=24, every=6)
    tasks.publish(samples=1)
    api = replace(space.api, port=gates["api"].port)

    def launch() -> Launcher:
        return start(tasks.tuning, api=api, retries=1, **tasks.worker("finetune"))

    if held := held_at(moment, tasks):
        gates["store"].stop(held)
    scene = Scene(space=space, tasks=tasks, gates=gates, launcher=launch(), again=launch)
    reach(moment, scene)
    follows = fault(scene)
    gates["store"].let_pass()
    assert follows.wait(180) == 0, follows.output
    assert_nothing_is_lost(scene, moment, follows)


def assert_nothing_is_lost(scene: Scene, moment: str, follows: Launcher) -> None:
    acts = tally.read(scene.tasks.tally("finetune"))
    begun = [act.step for act in acts if act.what == "begin"]
    assert begun[0] == 0
    assert all(begun[1:]), f"trained from 0 again: {begun}"
    if moment == "after":
        assert begun == [0], "trained again after it was published"
    with store.fetched(scene.tasks.tuning.outputs["model"]) as model:
        assert (model / "adapter_model.safetensors").is_file()
        digest = store.read_json(model / "manifest.json")["digest"]
    assert json.loads(follows.output.splitlines()[-1])["digest"] == digest
    left = [n for n in store.listed(scene.tasks.root) if ".partial" in n or ".lease" in n]
    told = "is left" in follows.output  # where the store lets nothing be removed, that is said
    assert left == [] or told, follows.output
    eventually(lambda: _phases(scene) == ["Completed"], "the Job says that it has completed")


def _phases(scene: Scene) -> list[str]:
    return [job["status"]["state"]["phase"] for job in scene.space.get("vcjob")]
