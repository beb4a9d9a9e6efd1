"""What the pipeline's first task refuses by what the API server tells of the cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import config, plan, preflight, store
from assay.errors import InputError
from assay.volcano import capacity
from assay.volcano import queue as volcano
from assay.volcano.api import Api, ApiError

pytestmark = pytest.mark.usefixtures("any_hub")

Check = Callable[..., None]
NODE = {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "4"}
QUEUE = "/apis/scheduling.volcano.sh/v1beta1/queues/research"
NODES = "/api/v1/nodes"
FINETUNE = {"base_model": "org/base", "template": "qwen3"}


def queue(state: str = "Open", **capability: Any) -> dict[str, Any]:
    return {"spec": {"capability": capability}, "status": {"state": state}}


def nodes(*allocatable: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "items": [
            {"metadata": {"name": f"node-{number}"}, "status": {"allocatable": one}}
            for number, one in enumerate(allocatable, 1)
        ]
    }


@pytest.fixture(name="check")
def make_check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """The check on a cluster that answers `answers`: an object, an error, or 404."""
    monkeypatch.setattr(store, "exists", lambda _: False)
    monkeypatch.setattr(volcano, "here", lambda: Api(host="none", port=0, account=Path("none")))
    monkeypatch.setattr(volcano, "has_volcano", lambda _: True)

    def check(
        cluster: dict[str, Any],
        answers: dict[str, Any] | None = None,
        *,
        tunes: bool = True,
        artifacts: str = "s3://b/samples",
    ) -> None:
        known = {QUEUE: queue(), NODES: nodes(NODE, NODE), **(answers or {})}

        def request(api: Api, method: str, path: str, query: Any = None) -> Any:
            found = known.get(path, ApiError(404, "not found"))
            if isinstance(found, ApiError):
                raise found
            return found

        monkeypatch.setattr(capacity, "request", request)
        what = {"finetune": FINETUNE} if tunes else {"model": "org/model"}
        given = {"dataset": {"train": "t", "eval": "e"}, "mode": "auto", **what}
        asked = config.parse({**given, "cluster": {"queue": "research", **cluster}})
        preflight.check_cluster(plan.make(asked), artifacts)

    return check


@pytest.mark.parametrize(
    ("cluster", "answers"),
    [
        ({}, {}),
        ({"nodes": 8}, {}),
        ({"nodes": 2, "gpus": 4, "cpu": "16", "memory": "64Gi"}, {}),
        ({"nodes": 3, "gpus": 4, "autoscaled": True}, {}),
        ({"nodes": 3, "gpus": 0, "cpu": "100m"}, {NODES: nodes({"cpu": "300m"})}),
        ({"gpus": 0, "cpu": "0"}, {NODES: nodes()}),
        ({"nodes": 9, "gpus": 0}, {NODES: nodes()}),
        ({"gpus": 1}, {NODES: nodes({"amd.com/gpu": "8"})}),
        ({"gpus": 4}, {QUEUE: queue(**{"nvidia.com/gpu": "4", "cpu": "1"})}),
        (
            {"priority_class": "batch"},
            {"/apis/scheduling.k8s.io/v1/priorityclasses/batch": {"v": 1}},
        ),
        ({}, {QUEUE: {"spec": {}}}),
    ],
)
def test_what_may_fit_is_let_through(
    check: Check, cluster: dict[str, Any], answers: dict[str, Any]
) -> None:
    check(cluster, answers)


def labelled(taints: list[dict[str, str]], **labels: str) -> dict[str, Any]:
    found = nodes(NODE)
    found["items"][0]["metadata"]["labels"] = labels
    found["items"][0]["spec"] = {"taints": taints}
    return found


GPU_TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("cluster", "taints", "told"),
    [
        ({}, [], ""),
        ({}, [GPU_TAINT], "hold 0 of 1 workers: name gpu=yes:NoSchedule in cluster.tolerations"),
        ({"tolerations": [{"key": "gpu", "value": "yes"}]}, [GPU_TAINT], ""),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, [GPU_TAINT], ""),
        ({"tolerations": [{"operator": "Exists"}]}, [GPU_TAINT], ""),
        ({"tolerations": [{"key": "gpu", "value": "no"}]}, [GPU_TAINT], "name gpu=yes:NoSchedule"),
        (
            {"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]},
            [GPU_TAINT],
            "name gpu=yes:NoSchedule",
        ),
        ({}, [{"key": "gpu", "effect": "PreferNoSchedule"}], ""),
        ({}, [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}], ""),
    ],
)
def test_a_taint_that_nobody_tolerates_here_is_told(
    check: Check,
    capsys: pytest.CaptureFixture[str],
    cluster: dict[str, Any],
    taints: list[dict[str, str]],
    told: str,
) -> None:
    """And refused by nobody: what the pipeline sets on the task is not known here."""
    check(cluster, {NODES: labelled(taints)})
    said = capsys.readouterr().out
    assert told in said
    assert bool(told) == bool(said)


@pytest.mark.parametrize("gpus", [0, 1])
def test_labels_that_no_node_has(check: Check, gpus: int) -> None:
    there = {NODES: labelled([], pool="gpu", zone="a")}
    check({"gpus": gpus, "node_selector": {"pool": "gpu"}}, there)
    with pytest.raises(InputError, match=r"no node .* labels pool=gpu, zone=b\. Correct cluster\."):
        check({"gpus": gpus, "node_selector": {"pool": "gpu", "zone": "b"}}, there)
    check({"gpus": gpus, "node_selector": {"pool": "cpu"}, "autoscaled": True}, there)


@pytest.mark.parametrize(
    ("cluster", "answers", "message"),
    [
        ({"queue": "resarch"}, {}, r"no queue resarch\. Correct cluster\.queue"),
        ({}, {QUEUE: queue("Closed")}, r"the queue research is Closed\. .*or open it"),
        ({"priority_class": "none"}, {}, r"no priority class none\. Correct cluster\.prio"),
        (
            {"gpus": 5},
            {},
            r"1 x \(5 nvidia\.com/gpu\), .* hold 0; .*one has is 4 nvidia\.com/gpu\.",
        ),
        ({"nodes": 9}, {}, r"9 x .*hold 8;.*cluster\.autoscaled"),
        ({"memory": "65Gi"}, {}, r"65Gi memory\).*is 4 nvidia\.com/gpu, 64Gi memory"),
        ({"cpu": "17"}, {NODES: nodes()}, r"hold 0; .*is 0 nvidia\.com/gpu, 0 cpu"),
        (
            {"nodes": 2, "memory": "16Gi"},
            {QUEUE: queue(memory="31Gi")},
            r"research for 2 x 16Gi memory, and its capability is 31Gi",
        ),
    ],
)
def test_what_could_never_run_is_refused(
    check: Check, cluster: dict[str, Any], answers: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check(cluster, answers)


EIGHT = [8, 8.0, "8", "+8", "8.", "8e0", "80e-1", "0.8E1", "8000m", "0.008k", "8000000000n"]
NONE = ["lots", "8 Gi", "8GB", "", None, True, [8], {"value": 8}, float("nan"), "1e2.5", "\u0668"]


def limited(amount: Any) -> dict[str, Any]:
    return {QUEUE: queue(**{"nvidia.com/gpu": amount, "ephemeral-storage": "lots"})}


def holding(amount: Any) -> dict[str, Any]:
    return {NODES: nodes(None, {"nvidia.com/gpu": amount, "pods": "lots"})}


@pytest.mark.parametrize("amount", EIGHT)
@pytest.mark.parametrize(
    ("answers", "message"),
    [(limited, "1 x 9 nvidia.com/gpu, .* is {}"), (holding, "one has is {} nvidia")],
)
def test_an_amount_of_the_cluster_may_have_any_form(
    check: Check, amount: Any, answers: Callable[[Any], dict[str, Any]], message: str
) -> None:
    roomy = {NODES: nodes({"nvidia.com/gpu": "16"})}
    check({"gpus": 8}, {**roomy, **answers(amount)})
    with pytest.raises(InputError, match=message.format(re.escape(str(amount)))):
        check({"gpus": 9}, {**roomy, **answers(amount)})


@pytest.mark.parametrize("amount", NONE, ids=repr)
@pytest.mark.parametrize(
    ("answers", "owner"), [(limited, "queue research"), (holding, "node node-2")]
)
def test_what_is_no_amount_is_named_with_its_owner(
    check: Check, amount: Any, answers: Callable[[Any], dict[str, Any]], owner: str
) -> None:
    what = f"{owner} has {str(amount)!r} as its nvidia.com/gpu, which is no quantity"
    with pytest.raises(InputError, match=re.escape(what)):
        check({"gpus": 1}, answers(amount))


def test_a_queue_may_be_bounded_as_its_manifest_says(check: Check) -> None:
    manifest = (Path(__file__).parents[3] / "manifests/base/queue.yaml").read_text()
    example = re.search(r"such as (nvidia\.com/gpu: \S+)\.\n", manifest)
    assert example
    spec = {"spec": {"capability": yaml.safe_load(example[1])}}
    check({"gpus": 4, "nodes": 2}, {QUEUE: spec})
    with pytest.raises(InputError, match="its capability is 8"):
        check({"gpus": 3, "nodes": 3}, {QUEUE: spec})


def test_an_amount_next_to_nothing_is_counted(check: Check) -> None:
    check({"gpus": 0, "cpu": "1e-30"}, {NODES: nodes({"cpu": "1e400"})})


def test_generation_alone_asks_for_one_pod_with_all_its_gpus(check: Check) -> None:
    check({"nodes": 99, "gpus": 4}, tunes=False)
    with pytest.raises(InputError, match=r"1 x \(5 nvidia\.com/gpu\)"):
        check({"gpus": 5}, tunes=False)


def test_an_accelerator_is_counted_by_its_name(check: Check) -> None:
    ascends = {NODES: nodes({"huawei.com/Ascend910": "8", "cpu": "64"})}
    check({"gpus": 8, "accelerator": "huawei.com/Ascend910"}, ascends)
    with pytest.raises(InputError, match=r"one has is 8 huawei\.com/Ascend910\. Ask for less"):
        check({"gpus": 9, "accelerator": "huawei.com/Ascend910"}, ascends)
    wanted = r"Set cluster\.accelerator to what the nodes have \(huawei\.com/Ascend910\)"
    for other in ("nvidia.com/gpu", "nvidia.com/mig-1g.10gb"):
        with pytest.raises(InputError, match=wanted):
            check({"gpus": 1, "accelerator": other}, ascends)


def test_each_problem_has_a_line(check: Check) -> None:
    with pytest.raises(InputError) as refused:
        check({"queue": "none", "priority_class": "none", "gpus": 99})
    lines = str(refused.value).splitlines()
    assert ["queue" in lines[0], "priority" in lines[1], "gpu" in lines[2]] == [True] * 3
    assert len(lines) == 3


def test_where_a_right_is_missing_a_line_says_so(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    said = 'queues "research" is forbidden: User "u" cannot get resource "queues"'
    check({}, {QUEUE: ApiError(403, said)})
    assert capsys.readouterr().out == (
        f"preflight: not checked: {said}; manifests/ gives the right\n"
    )


def test_artifacts_have_to_be_where_workers_can_read_them(check: Check) -> None:
    with pytest.raises(InputError, match=r"/samples is not in a store that the workers"):
        check({}, artifacts="/samples")


def test_outside_of_a_cluster_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    given = {"dataset": {"eval": "e"}, "mode": "auto", "model": "m"}
    preflight.check_cluster(
        plan.draft(config.parse({**given, "cluster": {"queue": "none"}})), "/samples"
    )
    with pytest.raises(InputError, match="in no cluster with it"):
        preflight.check_cluster(
            plan.draft(config.parse({**given, "cluster": {"runner": "volcano"}})), "/samples"
        )
