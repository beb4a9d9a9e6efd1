"""The pods of a task are found in what a real KFP 2.17.0 told of a run whose first pod was lost."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assay.kubeflow import argo
from tests.kfp.served import serve

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "kfp" / "run.json").read_text()
)


def details(nodes: list[dict[str, Any]]) -> list[Any]:
    return [
        SimpleNamespace(
            display_name=node["display_name"],
            child_tasks=[SimpleNamespace(**child) for child in node.get("child_tasks", [])],
        )
        for node in nodes
    ]


def test_every_pod_that_there_was_is_found_under_its_task() -> None:
    found = argo.pods(details(RECORDED["task_details"]))
    assert set(found) == {"say", "say-2"}
    there = set(RECORDED["pods"])
    assert {pod for pods in found.values() for pod in pods} & there == there
    for task, template in (("say", "system-container"), ("say-2", "retry-system-container")):
        (pod,) = there.intersection(found[task])
        assert pod.removeprefix("tiny-khh5s-").startswith(template)


def test_a_run_that_has_not_begun_has_none() -> None:
    assert argo.pods([]) == {}
    assert argo.pods(details([{"display_name": "root"}])) == {}


def test_the_last_attempt_comes_first() -> None:
    root = "flow(0).root(0).judge(0).executor"
    paths = ["flow", "flow(0)", "flow(0).root", "flow(0).root(0)", "flow(0).root(0).judge"]
    paths += ["flow(0).root(0).judge(0)", root, f"{root}(0)", f"{root}(1)"]
    children = [{"pod_name": f"flow-{argo.node_hash(path)}"} for path in paths]
    titles = ("root", "judge", "executor")
    nodes = [{"display_name": title, "child_tasks": children} for title in titles]
    first, *_ = argo.pods(details(nodes))["judge"]
    assert first == f"flow-system-container-impl-{argo.node_hash(f'{root}(1)')}"


def test_the_stand_in_tells_nodes_as_the_real_server_does() -> None:
    with serve() as server:
        run: dict[str, Any] = {"workflow": "flow", "state": "PENDING"}
        server.runs["1"] = run
        server.task("1", "judge", "RUNNING", "text")
    nodes = run["run_details"]["task_details"]
    assert sorted(set(nodes[0]) | {"child_tasks"}) == RECORDED["keys"]
    pods = argo.pods(details(nodes))["judge"]
    assert set(server.logs) & set(pods) == set(server.logs)
