"""A generation by many pods, a share each: the answers are those of one pod, whatever happens to
some of the pods. In the place of the model the workers run tests.chaos.answering."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from assay import store
from assay.folder import GENERATION, PREDICTIONS
from assay.queues import Work
from tests.chaos import tally
from tests.chaos.answering import answer_to
from tests.chaos.tally import Act
from tests.chaos.tasks import Tasks
from tests.cluster import kube
from tests.cluster.kube import Space
from tests.cluster.launchers import Launcher, Start, eventually, last_line

PODS, SAMPLES = 4, 48
KEPT_SECONDS = 5.0  # by then an answer is in the store


@pytest.fixture(name="tasks")
def published_tasks(space: Space, store_here: None, tmp_path: Path) -> Tasks:
    """Samples and a model in the store, for workers that may write to a folder of the node."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # the pod's user has to get there
    tasks = Tasks(root=f"{kube.STORE}/{space.name}", folder=tmp_path, step_seconds=0.3)
    tasks.publish(samples=SAMPLES)
    return tasks


def answers(work: Work, folder: Path) -> bytes:
    """Return the file of answers that was published, which is then in a folder of its name."""
    return (store.fetch(work.key, folder) / PREDICTIONS).read_bytes()


def expected(tasks: Tasks) -> bytes:
    """Return what one pod writes: the stand-in's answers in the order of the samples."""
    name = tasks.root.rpartition("/")[2]
    rows = (answer_to(f"{name}-{at}") for at in range(SAMPLES))
    return b"".join(store.to_json(row) + b"\n" for row in rows)


def by_pod(tasks: Tasks) -> dict[str, list[Act]]:
    """Return what the stand-ins did, by the pod that they were in."""
    found: dict[str, list[Act]] = {}
    for act in tally.read(tasks.tally("generate")):
        found.setdefault(act.process.split("/")[0].rpartition("-")[2], []).append(act)
    return found


def assert_whole(tasks: Tasks, work: Work, launcher: Launcher, folder: Path) -> None:
    assert answers(work, folder) == expected(tasks)
    record = store.read_json(folder / "many" / GENERATION)
    assert record["samples"] == SAMPLES
    assert record["digest"] == last_line(launcher)["digest"]
    assert f"({PODS} pods, " in record["runner"]
    left = [name for name in store.listed(tasks.root) if ".partial" in name or ".lease" in name]
    assert left == [], launcher.output


@pytest.mark.timeout(240)
def test_pods_answer_as_one_does_and_begin_as_there_is_room(
    space: Space, tasks: Tasks, start: Start, gpus: Callable[[int], None], tmp_path: Path
) -> None:
    one, many = tasks.answered_at("one"), tasks.answered_at("many")
    worker = {**tasks.worker("generate"), "gpus": 1}
    gpus(2)
    first = start(one, **worker)
    launcher = start(many, replicas=PODS, **worker)
    assert first.wait(180) == 0, first.output
    assert launcher.wait(180) == 0, launcher.output
    assert answers(one, tmp_path) == expected(tasks)
    assert_whole(tasks, many, launcher, tmp_path)
    acts = [act for acts in by_pod(tasks).values() for act in acts]
    assert sum(act.what == "step" for act in acts) == 2 * SAMPLES
    assert f"generate (candidate): {SAMPLES}/{SAMPLES} samples" in launcher.output
    phases = [
        pod["status"]["phase"]
        for pod in space.pods()
        if pod["metadata"]["name"].startswith(f"{launcher.job}-shard-")
    ]
    assert phases == ["Succeeded"] * PODS
    assert {job["status"]["state"]["phase"] for job in space.get("vcjob")} == {"Completed"}


@pytest.mark.timeout(240)
def test_pods_that_are_killed_go_on_alone(
    space: Space, tasks: Tasks, start: Start, tmp_path: Path
) -> None:
    """One is deleted at once, the process of another is killed, and the launcher is killed too."""
    work = tasks.answered_at("many")

    def launch() -> Launcher:
        return start(work, replicas=PODS, retries=1, **tasks.worker("generate"))

    before = launch()
    eventually(lambda: sum(_steps(acts) > 5 for acts in by_pod(tasks).values()) == PODS, "answers")
    force = ("--force", "--grace-period=0", "--wait=false")
    pod = f"{before.job}-shard-1"
    space.cluster.run("delete", "pod", pod, "-n", space.name, *force)
    os.kill(worker_of(tasks, 2), signal.SIGKILL)
    before.process.kill()
    launcher = launch()
    assert launcher.wait(180) == 0, launcher.output
    assert "going on with Job" in launcher.output
    assert_whole(tasks, work, launcher, tmp_path)
    for index, acts in by_pod(tasks).items():
        begun = [act for act in acts if act.what == "begin"]
        assert len(begun) == (2 if index in "12" else 1), f"shard {index} began {begun}"
        assert_goes_on(acts)


def _steps(acts: list[Act]) -> int:
    return sum(act.what == "step" for act in acts)


def assert_goes_on(acts: list[Act]) -> None:
    """What a pod had answered some seconds before it was killed is not answered again."""
    first, *again = [act for act in acts if act.what == "begin"]
    assert first.step == 0
    for begin in again:
        done = [act for act in acts if act.what == "step" and act.process != begin.process]
        kept = [act.step for act in done if done[-1].at - act.at > KEPT_SECONDS]
        assert begin.step >= max(kept, default=0)
        assert begin.step > 0, "it began anew"


def worker_of(tasks: Tasks, index: int) -> int:
    """Return the process of the worker of a share, by what its environment names."""
    mine, shard = str(tasks.tally("generate")).encode(), f"VC_TASK_INDEX={index}\0".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            around = (path / "environ").read_bytes()
            is_worker = b"tests.chaos.worker" in (path / "cmdline").read_bytes()
            if is_worker and mine in around and shard in around:
                return int(path.name)
    raise AssertionError(f"no worker has share {index}: {json.dumps(list(by_pod(tasks)))}")
