"""A node that goes away under a worker."""

from __future__ import annotations

import pytest

from tests.cluster.kube import Space
from tests.cluster.launchers import Start, eventually, work
from tests.cluster.node import bring, places, processes

UNREACHABLE = "node.kubernetes.io/unreachable"


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
    assert (
        "taken off node1: its node was lost or given up (DeletionByTaintManager" in launcher.error
    )
    assert f"pod {launcher.job}-master-0" in launcher.error
    assert "  begin" in launcher.error
    assert bring.is_up()
    eventually(lambda: not space.jobs(), "no Job is left", 120)
