"""A Job that fails, or cannot even start: the error names the cause, and no Job stays behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.kube import Space
from tests.cluster.launchers import Launcher, Start, eventually, work
from tests.cluster.node import bring, places, processes

UNREACHABLE = "node.kubernetes.io/unreachable"


def fails(launcher: Launcher, space: Space, code: int, seconds: float = 120) -> str:
    """Return the error of a launcher that ends with `code` and leaves no Job."""
    assert launcher.wait(seconds) == code, launcher.output
    eventually(lambda: not space.jobs(), "no Job is left")
    return launcher.error


def test_a_worker_that_fails(space: Space, start: Start) -> None:
    # as the real worker does: of two streams the runtime keeps no order
    script = "exec 2>&1; for i in $(seq 20); do echo line $i; done; echo bad luck >&2; exit 3"
    launcher = start(work(), script=script)
    error = fails(launcher, space, 1)
    assert "the worker failed with exit code 3" in error
    assert f"(pod {launcher.job}-master-0, exit code 3)" in error
    assert error.rstrip().endswith("bad luck")
    assert "line 1\n" in launcher.output


def test_a_worker_that_says_what_to_correct(space: Space, start: Start) -> None:
    """The real worker, on samples that are not there."""
    launcher = start(work(samples="minio://nowhere/samples", settings={}))
    error = fails(launcher, space, 2)
    assert "the store says NoSuchBucket" in error
    assert f"(pod {launcher.job}-master-0, exit code 2)" in error
    assert "Check the bucket's name" in error


def test_a_worker_that_is_killed_for_memory(space: Space, start: Start) -> None:
    launcher = start(work(), script="echo begin; tail /dev/zero", memory="64Mi")
    error = fails(launcher, space, 1)
    assert "OOMKilled" in error
    assert "its limit is 64Mi" in error
    assert "begin" in error
    assert "Raise the memory" in error


def test_a_worker_that_is_evicted(space: Space, start: Start) -> None:
    """The kubelet evicts a pod that fills more of the disk than it may."""
    limits = {"resources": {"limits": {"ephemeral-storage": "2Mi"}}}
    script = "echo begin; head -c 20000000 /dev/zero > /scratch/big; sleep 600"
    launcher = start(work(), script=script, task=limits)
    error = fails(launcher, space, 1, 240)
    assert "Evicted" in error
    assert "ephemeral local storage" in error
    assert f"pod {launcher.job}-master-0" in error


def test_a_pod_that_is_deleted(space: Space, start: Start) -> None:
    launcher = start(work(), script="echo begin; exec sleep 600")
    launcher.until("begin")
    space.cluster.run("delete", "pod", "-n", space.name, f"{launcher.job}-master-0", "--wait=false")
    error = fails(launcher, space, 1)
    assert f"pod {launcher.job}-master-0" in error


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_a_node_that_goes_away(space: Space, start: Start) -> None:
    """Its kubelet is silent, and Kubernetes wants its pods gone. The taint is the one that gives a
    node up; Kubernetes would not do that to a cluster's only node, and takes it off again within
    seconds."""
    taint = ("taint", "node", places.NODE, f"{UNREACHABLE}:NoExecute")
    patience = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}
    task = {"tolerations": [{**patience, "tolerationSeconds": 0}]}
    launcher = start(work(), script="echo begin; exec sleep 600", task=task)
    launcher.until("begin")
    processes.stop("kubelet")
    try:
        space.cluster.run(*taint)
        assert launcher.wait(240) == 1, launcher.output
    finally:
        space.cluster.run(*taint[:-1], f"{taint[-1]}-", check=False)  # it may be gone by itself
        bring.up()
    assert "taken off node1 (DeletionByTaintManager" in launcher.error
    assert f"pod {launcher.job}-master-0" in launcher.error
    assert "  begin" in launcher.error
    assert bring.is_up()
    eventually(lambda: not space.jobs(), "no Job is left", 120)


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


def test_a_queue_that_is_closed(space: Space, start: Start, queue: Callable[..., str]) -> None:
    name = queue()
    uid = space.cluster.run("get", "queue", name, "-o", "jsonpath={.metadata.uid}")
    of = {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "name": name, "uid": uid}
    close = {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"name": f"{space.name}-close", "namespace": "default"},
        "action": "CloseQueue",
        "target": of,
    }
    space.cluster.apply(close)
    eventually(lambda: space.queue_state(name) == "Closed", "the queue is closed")
    error = fails(start(work(), queue=name), space, 2)
    assert name in error
    assert "or open it" in error


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


@pytest.mark.parametrize("retries", [0, 1])
def test_restarts_are_as_many_as_were_asked_for(space: Space, start: Start, retries: int) -> None:
    # it lives a while: at a restart its pod is taken away at once, and with it the log
    launcher = start(work(), script="echo tried; sleep 3; exit 1", retries=retries)
    fails(launcher, space, 1)
    assert launcher.output.split("\nassay:")[0].count("tried") == 1 + retries
