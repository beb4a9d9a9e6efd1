"""The example of NetworkPolicies selects the pods of runs by the labels that they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.compiled import pipeline
from assay.placement import ClusterSettings
from assay.queues import Stage, TaskConfig, Work
from assay.volcano import job

POLICIES = Path(__file__).parents[2] / "manifests/components/network/policies.yaml"
RUN = {"pipeline/runid": "r"}  # KFP's label on each pod of a run
TASK = {**RUN, "pipelines.kubeflow.org/v2_component": "true"}
ANY = {"kube-dns", "assay-minio", "192.0.2.0/28"}
KUBEFLOW = {"192.0.2.16/28", "ml-pipeline", "metadata-grpc-server"}
JUDGE = {"192.0.2.32/28"}
MODEL = {"192.0.2.48/28", "support-7b"}


def worker(stage: Stage) -> dict[str, str]:
    """Return the labels of a worker of this run."""
    work = Work(stage=stage, samples="s3://b/samples", outputs={"model": "s3://b/m"}, arguments={})
    launcher = {"metadata": {"name": "launcher", "uid": "u", "labels": TASK}, "spec": {}}
    made = job.make(work, ClusterSettings(image="assay"), TaskConfig(), launcher)
    (task,) = made["spec"]["tasks"]
    return dict(task["template"]["metadata"]["labels"])


def task(name: str, of: str = "finetune_and_evaluate") -> dict[str, str]:
    """Return the labels of a task's own pod."""
    *_, platforms = yaml.safe_load_all(pipeline(of).read_text())
    executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    own = executors.get(f"exec-{name}", {}).get("podMetadata", {}).get("labels", {})
    return {**TASK, **own}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a selector takes a pod with these labels."""
    needed = [found["key"] for found in selector.get("matchExpressions", ())]
    matched = selector.get("matchLabels", {}).items()
    return matched <= labels.items() and all(key in labels for key in needed)


def chosen(labels: dict[str, str], way: str) -> list[dict[str, Any]]:
    """Return the policies that bound this way of a pod."""
    specs = [policy["spec"] for policy in yaml.safe_load_all(POLICIES.read_text())]
    return [
        spec
        for spec in specs
        if way in spec["policyTypes"] and selects(spec["podSelector"], labels)
    ]


def reached(labels: dict[str, str]) -> set[str]:
    """Return what a pod may reach: an address, or what the pods there are labeled as."""
    peers = [
        peer for spec in chosen(labels, "Egress") for rule in spec["egress"] for peer in rule["to"]
    ]
    return {
        peer["ipBlock"]["cidr"]
        if "ipBlock" in peer
        else list(peer["podSelector"]["matchLabels"].values())[-1]
        for peer in peers
    }


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (worker("finetune"), ANY | {"finetune"}),
        (worker("generate"), ANY),
        (task("finetune"), ANY | KUBEFLOW | JUDGE),  # which may choose the checkpoint
        (task("generate"), ANY | KUBEFLOW | MODEL),
        (task("generate-2"), ANY | KUBEFLOW | MODEL),
        (task("generate", "evaluate"), ANY | KUBEFLOW | MODEL),
        (task("report"), ANY | KUBEFLOW),
        (task("judge"), ANY | KUBEFLOW | JUDGE),
        (task("judge", "evaluate"), ANY | KUBEFLOW | JUDGE),
        (task("preflight"), ANY | KUBEFLOW | JUDGE | MODEL),
        (task("preflight", "evaluate"), ANY | KUBEFLOW | JUDGE | MODEL),
    ],
)
def test_a_pod_of_a_run_reaches_what_it_needs(labels: dict[str, str], expected: set[str]) -> None:
    assert reached(labels) == expected


@pytest.mark.parametrize("labels", [worker("finetune"), worker("generate"), task("judge"), TASK])
def test_nobody_reaches_a_pod_of_a_run_but_the_workers_of_a_gang(labels: dict[str, str]) -> None:
    specs = chosen(labels, "Ingress")
    assert specs  # one bounds it, or all may come
    allowed = [rule for spec in specs for rule in spec.get("ingress", ())]
    assert bool(allowed) == (labels.get("app.kubernetes.io/component") == "finetune")


@pytest.mark.parametrize("labels", [{}, {"app": "ml-pipeline"}, {"notebook-name": "mine"}])
def test_what_is_no_run_is_left_alone(labels: dict[str, str]) -> None:
    assert not chosen(labels, "Ingress")
    assert not chosen(labels, "Egress")
