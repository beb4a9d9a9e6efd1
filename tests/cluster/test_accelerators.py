"""Any accelerator by its name: a worker asks for what was asked, and nothing of another maker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import DONE, Start, work
from tests.cluster.node import places

NAMES = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/mig-1g.10gb",
    "amd.com/gpu",
    "huawei.com/Ascend910",
    "volcano.sh/vgpu-number",
    "gpu.intel.com/i915",
)


@pytest.fixture(name="offered")
def accelerators_of_the_node(cluster: Cluster) -> Iterator[None]:
    """The node says that it has two of each."""
    with places.held("gpus"):
        offer(cluster, "2")
        yield
        offer(cluster, "0")


def offer(cluster: Cluster, count: str) -> None:
    (node,) = json.loads(cluster.run("get", "nodes", "-o", "json"))["items"]
    amounts = dict.fromkeys(NAMES, count)
    patch = json.dumps({"status": {"capacity": amounts, "allocatable": amounts}})
    options = ("--subresource=status", "--type=merge", "-p", patch)
    cluster.run("patch", "node", node["metadata"]["name"], *options)


@pytest.mark.usefixtures("offered")
def test_each_is_asked_for_by_its_name_alone(space: Space, start: Start) -> None:
    launched = {
        name: start(work(name), script=DONE, accelerator=name, gpus=2, memory="32Mi")
        for name in NAMES
    }
    for name, launcher in launched.items():
        assert launcher.wait(180) == 0, f"{name}: {launcher.output}"
    asked = {
        pod["metadata"]["labels"]["volcano.sh/job-name"]: pod["spec"]["containers"][0]["resources"]
        for pod in space.pods()
    }
    for name, launcher in launched.items():
        amounts = {name: "2", "memory": "32Mi"}
        assert asked[launcher.job] == {"limits": amounts, "requests": amounts}
