"""What the pipeline's first task refuses by what the API server tells of the cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import config, plan, preflight, store
from assay.errors import InputError
from assay.volcano import capacity
from assay.volcano import queue as volcano
from assay.volcano.api import Api, ApiError

Check = Callable[..., None]
NODE = {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "4"}
QUEUE = "/apis/scheduling.volcano.sh/v1beta1/queues/research"
NODES = "/api/v1/nodes"
FINETUNE = {"base_model": "org/base", "template": "qwen3"}


def queue(state: str = "Open", **capability: str) -> dict[str, Any]:
    return {"spec": {"capability": capability}, "status": {"state": state}}


def nodes(*allocatable: dict[str, str]) -> dict[str, Any]:
    return {"items": [{"status": {"allocatable": one}} for one in allocatable]}


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


def test_generation_alone_asks_for_one_pod_with_one_gpu(check: Check) -> None:
    check({"nodes": 99, "gpus": 99}, tunes=False)


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
