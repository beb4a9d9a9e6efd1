"""Where a stage runs, and what a worker of several tells torchrun."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import dispatch, placement
from assay.engine import devices
from assay.errors import InputError, SettingsError
from assay.placement import ClusterSettings
from assay.settings import build
from assay.volcano import worker
from assay.volcano.relay import Position

NOTHING: dict[str, Any] = {}


def test_outside_of_a_cluster_a_stage_runs_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert dispatch.place({"gpus": 2.0}, NOTHING).queue is None
    assert placement.runner() == "inline"
    with pytest.raises(InputError, match="this process is in no cluster with it"):
        dispatch.place({"runner": "volcano"}, NOTHING)


def test_a_cluster_setting_that_is_wrong_is_named() -> None:
    with pytest.raises(SettingsError, match=r"cluster\.que is not a setting.*Did you mean queue"):
        dispatch.place({"que": "x"}, NOTHING)
    with pytest.raises(SettingsError, match=r"cluster\.nodes is 2 and cluster\.runner is inline"):
        placement.check(ClusterSettings(runner="inline", nodes=2))
    with pytest.raises(SettingsError, match=r"cluster\.memory = '200GB' is no quantity"):
        placement.check(ClusterSettings(memory="200GB"))
    with pytest.raises(SettingsError, match=r"cluster\.cpu = '-1' is no quantity"):
        placement.check(ClusterSettings(cpu="-1"))


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("runner", "Volcano", "auto or inline or volcano"),
        ("queue", "", "default is the usual one"),
        ("queue", "a b", "lower case letters"),
        ("queue", "../default", "lower case letters"),
        ("queue", "Ä", "lower case letters"),
        ("queue", "x" * 254, "lower case letters"),
        ("priority_class", "High", "lower case letters"),
        ("store_secret", "", "assay-store is the usual one"),
        ("store_secret", "my_store", "lower case letters"),
        ("image", "a b", "without https://"),
        ("image", "https://r.example/x:1", "without https://"),
        ("image", "Team/x:1", "in lower case"),
        ("image", "x:", "Write it as"),
        ("accelerator", "gpu", "kubectl describe node"),
        ("accelerator", "kubernetes.io/gpu", "kubectl describe node"),
        ("accelerator", "requests.nvidia.com/gpu", "kubectl describe node"),
        ("accelerator", "a..b/c", "kubectl describe node"),
        ("accelerator", "nvidia.com/gpu-", "kubectl describe node"),
        ("cpu", "4Gi", "in cores, as 16, or in thousandths of one, as 500m"),
        ("cpu", "500 m", "Write it as 16 or 500m"),
        ("memory", "64", "with its unit, as 200Gi"),
        ("memory", "500m", "with its unit, as 200Gi"),
        ("memory", "200Gb", "memory as 200Gi"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_before(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        placement.check(build(ClusterSettings, {name: value}, "cluster"))
    assert f"cluster.{name} = {value!r} is " in refused.value.what
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", "root.team-a"),
        ("priority_class", ""),
        ("image", "assay-gpu:0.1.0"),
        ("image", "localhost:5000/team/assay_gpu:1"),
        ("image", "Registry.Example:443/a/b/c__d:V1_2@sha256:" + "0" * 64),
        ("image", "[::1]:5000/x"),
        ("accelerator", "nvidia.com/gpu.shared"),
        ("accelerator", "nvidia.com/mig-1g.10gb"),
        ("accelerator", "huawei.com/Ascend910"),
        ("accelerator", "volcano.sh/vgpu-number"),
        ("accelerator", "gpu.intel.com/i915"),
        ("cpu", "0"),
        ("cpu", "500m"),
        ("memory", "0"),
        ("memory", "4G"),
        ("memory", "17179869184"),
    ],
)
def test_what_kubernetes_takes_is_taken(name: str, value: str) -> None:
    placement.check(build(ClusterSettings, {name: value}, "cluster"))


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ({"node_selector": {"a b": "c"}}, "cluster.node_selector: a b: c is no label"),
        ({"node_selector": {"a": "c d"}}, "cluster.node_selector: a: c d is no label"),
        ({"node_selector": {"pool": 1}}, "cluster.node_selector.pool = 1: input should be a"),
        ({"tolerations": [{"key": "a b"}]}, "cluster.tolerations: 'a b' is no key of a taint"),
        ({"tolerations": [{}]}, "operator: Exists for any taint"),
        ({"tolerations": [{"key": "a", "value": "b c"}]}, "'b c' is no value of a taint"),
        (
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            "a has operator Exists and value b",
        ),
        ({"tolerations": [{"key": "a", "efect": "NoSchedule"}]}, "efect is not a setting"),
        ({"tolerations": [{"key": "a", "effect": "NoSchedul"}]}, "Did you mean NoSchedule"),
    ],
)
def test_a_label_or_a_taint_that_there_cannot_be_is_refused(
    nodes: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        placement.check(build(ClusterSettings, nodes, "cluster"))
    assert told in str(refused.value)


def test_labels_and_taints_as_clusters_have_them_are_taken() -> None:
    given = {
        "node_selector": {"cloud.google.com/gke-accelerator": "nvidia-l4", "spot": ""},
        "tolerations": [{"operator": "Exists"}, {"key": "nvidia.com/gpu", "value": "present"}],
    }
    placement.check(build(ClusterSettings, given, "cluster"))


@pytest.mark.parametrize("name", ["nodes", "replicas", "gpus", "retries", "ttl_seconds"])
@pytest.mark.parametrize("value", [-1, 2**31, 10**30])
def test_a_number_that_kubernetes_cannot_count_is_refused(name: str, value: int) -> None:
    with pytest.raises(SettingsError, match=rf"cluster\.{name} = {value}: input should be"):
        dispatch.place({name: value}, NOTHING)


def test_several_pods_are_torchruns_nodes() -> None:
    environment = {"WORLD_SIZE": "3", "RANK": "2", "MASTER_ADDR": "m", "NPROC_PER_NODE": "8"}
    assert worker._torchrun(environment) == 2
    assert environment == {
        "MASTER_ADDR": "m",
        "FORCE_TORCHRUN": "1",
        "NNODES": "3",
        "NODE_RANK": "2",
        "NPROC_PER_NODE": "8",
    }
    alone: dict[str, str] = {}
    assert (worker._torchrun(alone), alone) == (0, {})


def test_a_pod_trains_on_all_its_devices_whoever_made_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "in_sight", lambda: 8)  # as of Ascend910, without CUDA
    environment = {"WORLD_SIZE": "2", "RANK": "0"}
    worker._torchrun(environment)
    assert environment["NPROC_PER_NODE"] == "8"


def stamp(tenth: int) -> str:
    return f"2026-01-01T00:00:{tenth // 10:02}.{tenth % 10}Z"


@given(
    tenths=st.lists(st.integers(0, 39), max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40), max_size=4).map(sorted),
)
def test_a_log_that_is_taken_up_again_has_each_line_once(
    tenths: list[int], cuts: list[int]
) -> None:
    """As the kubelet gives it: from a whole second on, in the order of the file."""
    lines = [f"{stamp(tenth)} line {number}" for number, tenth in enumerate(tenths)]
    position = Position()
    shown: list[str] = []
    for cut in [*cuts, len(lines)]:
        since = position.resume().get("sinceTime", "").removesuffix("Z")
        stream = [line for line in lines[: max(cut, len(shown))] if line >= since]
        shown += [line for line in stream if position.is_new(line.split(" ")[0].encode())]
    assert shown == lines
