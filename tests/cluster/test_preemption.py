"""A Job whose place another one takes waits in its queue again, and is no failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.tasks import Tasks
from tests.cluster import kube
from tests.cluster.kube import Cluster, Object, Space
from tests.cluster.launchers import DONE, Start, eventually, last_line, work
from tests.cluster.node import places
from tests.cluster.shares import PODS, assert_goes_on, assert_whole, by_pod, steps


@pytest.fixture(name="priorities")
def priority_classes(space: Space) -> Iterator[tuple[str, str]]:
    """Two priority classes of the test's own, the lower one first."""
    names = (f"{space.name}-low", f"{space.name}-high")
    for value, name in enumerate(names, 1):
        made: Object = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value * 100,
        }
        space.cluster.apply(made)
    yield names
    space.cluster.run("delete", "priorityclass", *names)


@pytest.fixture(name="preempting")
def scheduler_that_preempts(cluster: Cluster) -> Iterator[None]:
    """Has Volcano preempt, and not ask before whether a queue has room for a Job, with which nobody
    is ever preempted; the scheduler reads its file again when it changes. The node is held before:
    another test that had it would take this file for the usual one."""
    path = places.folder("conf") / "volcano-scheduler.conf"
    usual = path.read_text()
    path.write_text(usual.replace("enqueue, allocate, backfill", "allocate, preempt, backfill"))
    yield
    path.write_text(usual)


@pytest.mark.alone
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("preempting")
def test_a_preempted_job_waits_and_goes_on(
    space: Space, start: Start, priorities: tuple[str, str], tmp_path: Path
) -> None:
    cpu = f"{allocatable(space) * 600}m"
    low, high = priorities
    # its first try works until it is ended, however slow who preempts it is; the next one is short
    task = with_folder(tmp_path)
    again = f"mkdir {tmp_path}/seen/first || {{ {DONE}; exit 0; }}"
    script = f"{again}; trap 'exit 143' TERM; echo begin; while :; do sleep 0.5; done"
    first = start(work("low"), script=script, cpu=cpu, priority_class=low, task=task)
    first.until("begin")
    second = start(work("high"), script=DONE, cpu=cpu, priority_class=high)
    assert second.wait() == 0, second.output
    assert first.wait() == 0, first.output
    assert "\nfinetune: preempted: the pod was taken off" in first.output
    assert "a pod of a higher priority took its place" in first.output
    assert "; the Job waits in its queue again" in first.output
    assert last_line(first) == last_line(second) == {"digest": "d"}


@pytest.mark.alone
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("preempting")
def test_a_preempted_share_waits_alone_and_goes_on(
    space: Space, tasks: Tasks, start: Start, priorities: tuple[str, str], tmp_path: Path
) -> None:
    """The others answer on, it counts for no failure, and what it had answered is kept."""
    cores = allocatable(space)
    slow, many = replace(tasks, step_seconds=2.0), tasks.answered_at("many")
    low, high = priorities
    shared = {"replicas": PODS, "cpu": f"{cores * 200}m", "priority_class": low}
    first = start(many, **shared, **slow.worker("generate"))
    eventually(lambda: sum(steps(acts) > 2 for acts in by_pod(tasks).values()) == PODS, "answers")
    script = f"sleep 5; {DONE}"
    second = start(work("high"), script=script, cpu=f"{cores * 350}m", priority_class=high)
    assert second.wait() == 0, second.output
    assert first.wait() == 0, first.output
    assert "a pod of a higher priority took its place" in first.output
    assert_whole(tasks, many, first, tmp_path)
    begun = {pod: sum(act.what == "begin" for act in acts) for pod, acts in by_pod(tasks).items()}
    assert sorted(begun.values()) == [1, 1, 1, 2]
    for acts in by_pod(tasks).values():
        assert_goes_on(acts)


def with_folder(here: Path) -> Object:
    """Return what a user sets on a task so that its pods may write to a folder of the node."""
    for folder in (here, *here.parents[:2]):
        folder.chmod(0o755)  # the pod's user has to get there
    (here / "seen").mkdir()
    (here / "seen").chmod(0o777)
    mounted, name = kube.mounted(), "seen"
    volume = {"name": name, "hostPath": {"path": f"{here}/seen", "type": "Directory"}}
    return {
        "volumes": [*mounted["volumes"], volume],
        "volume_mounts": [*mounted["volume_mounts"], {"name": name, "mountPath": f"{here}/seen"}],
    }


def allocatable(space: Space) -> int:
    """Return how many cores the node has for pods."""
    (node,) = json.loads(space.cluster.run("get", "nodes", "-o", "json"))["items"]
    return int(node["status"]["allocatable"]["cpu"])
