"""A Job that can never start: the error names the cause and the remedy, and no Job stays behind."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.kube import Space
from tests.cluster.launchers import Start, eventually, fails, work


def test_an_image_that_is_missing(space: Space, start: Start) -> None:
    launcher = start(work(), image="127.0.0.1:1/none:1")
    error = fails(launcher, space, 2)
    assert "127.0.0.1:1/none:1" in error
    assert "Check cluster.image" in error


def test_a_secret_that_is_missing(space: Space, start: Start) -> None:
    key = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "none", "key": "token"}}}
    launcher = start(work(), task={"env": [key]})
    error = fails(launcher, space, 2)
    assert 'secret "none" not found' in error


def test_a_queue_that_is_unknown(space: Space, start: Start) -> None:
    error = fails(start(work(), queue="none"), space, 2)
    assert "none" in error
    assert "Correct cluster.queue" in error


def close(space: Space, name: str) -> None:
    """Close a queue as `vcctl queue operate` does."""
    uid = space.cluster.run("get", "queue", name, "-o", "jsonpath={.metadata.uid}")
    of = {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "name": name, "uid": uid}
    command = {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"name": f"{space.name}-close", "namespace": "default"},
        "action": "CloseQueue",
        "target": of,
    }
    space.cluster.apply(command)


def test_a_queue_that_is_closed(space: Space, start: Start, queue: Callable[..., str]) -> None:
    name = queue()
    close(space, name)
    eventually(lambda: space.queue_state(name) == "Closed", "the queue is closed")
    error = fails(start(work(), queue=name), space, 2)
    assert name in error
    assert "or open it" in error


def test_a_queue_that_is_closed_while_a_job_waits_in_it(
    space: Space, start: Start, queue: Callable[..., str]
) -> None:
    """Volcano goes on saying what it said before; the queue can close once the Job is gone."""
    name = queue(capability={"cpu": 1})
    launcher = start(work(), queue=name, cpu="2", closed_s=12)
    launcher.until("waiting: ")
    close(space, name)
    launcher.until(f"waiting: the queue {name} is Closing")
    error = fails(launcher, space, 2)
    assert f"the queue {name} is Closing, and the Job has waited in it for 1" in error
    assert "Have it opened, or correct cluster.queue" in error
    waits = [line for line in launcher.output.splitlines() if "waiting: " in line]
    assert len(waits) == len(set(waits)), waits
    eventually(lambda: space.queue_state(name) == "Closed", "the queue is closed")


def test_a_quota_that_is_too_small(space: Space, start: Start) -> None:
    space.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", "namespace": space.name},
            "spec": {"hard": {"requests.memory": "1Gi"}},
        }
    )
    launcher = start(work(), memory="2Gi")
    error = fails(launcher, space, 2)
    assert "quota small allows requests.memory=1Gi" in error
    assert "requests.memory=2Gi" in error


def test_an_unknown_priority_class(space: Space, start: Start) -> None:
    error = fails(start(work(), priority_class="none"), space, 2)
    assert "cluster.priority_class" in error


def test_no_room_within_the_time(space: Space, start: Start) -> None:
    launcher = start(work(), cpu="999", timeout_s=12)
    error = fails(launcher, space, 1)
    assert "the Job was not done within 12 s" in error
    assert "overused cpu" in error
    assert "waiting: " in launcher.output
