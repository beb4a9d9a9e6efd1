"""A worker that fails, or is taken away: the error names the cause, and no Job stays behind."""

from __future__ import annotations

import pytest

from tests.cluster.kube import Space
from tests.cluster.launchers import Start, fails, work


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


@pytest.mark.parametrize("retries", [0, 1])
def test_restarts_are_as_many_as_were_asked_for(space: Space, start: Start, retries: int) -> None:
    # it lives a while: at a restart its pod is taken away at once, and with it the log
    launcher = start(work(), script="echo tried; sleep 3; exit 1", retries=retries)
    fails(launcher, space, 1)
    assert launcher.output.split("\nassay:")[0].count("tried") == 1 + retries
