"""A namespace's quota that others use, or that lets only some of a generation's pods be made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assay.placement import ClusterSettings
from assay.queues import TaskConfig
from assay.volcano import job
from tests.chaos.tasks import Tasks
from tests.cluster import kube
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Start, fails, work
from tests.cluster.shares import PODS, SAMPLES, answers, by_pod, expected, steps

IN_FLIGHT = 2  # of each of two pods: what it did in the seconds before it was ended
VOLCANO_GIVES_UP_S = 164  # it tries 15 times, from 5 ms on, each time after twice as long


def limit(space: Space, **amounts: str) -> None:
    space.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", "namespace": space.name},
            "spec": {"hard": {name.replace("_", "."): amount for name, amount in amounts.items()}},
        }
    )


@pytest.mark.timeout(400)
def test_the_pods_that_it_lets_be_made_answer_all(
    space: Space, tasks: Tasks, start: Start, tmp_path: Path
) -> None:
    """Some answers are given twice: those in flight when the Job was made anew."""
    limit(space, pods="2")
    many = tasks.answered_at("many")
    slow = replace(tasks, step_seconds=2.5)
    launcher = start(many, replicas=PODS, **slow.worker("generate"))
    assert launcher.wait(300) == 0, launcher.output
    assert "quota small lets 2 of 4 pods be made: these alone answer all" in launcher.output
    assert answers(many, tmp_path) == expected(tasks)
    assert sum(map(steps, by_pod(tasks).values())) <= SAMPLES + 2 * IN_FLIGHT


@pytest.mark.timeout(500)
def test_a_job_waits_for_longer_than_volcano_does(space: Space, start: Start) -> None:
    limit(space, requests_memory="64Mi")
    first = start(work("first"), script=f"sleep {VOLCANO_GIVES_UP_S + 20}; {DONE}", memory="64Mi")
    first.until("running")
    second = start(work("second"), script=DONE, memory="64Mi")
    second.until("waiting: ")
    assert second.wait(400) == 0, second.output
    assert "exceeded quota: small" in second.output
    assert "Volcano has ended the Job: " in second.output
    assert "; the Job waits in its queue again" in second.output


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ({"limits_memory": "8Gi"}, "quota small takes no worker without limits.memory"),
        ({"count/jobs_batch_volcano_sh": "0"}, "allows count/jobs.batch.volcano.sh=0"),
    ],
)
def test_what_it_never_allows(
    space: Space, start: Start, amounts: dict[str, str], told: str
) -> None:
    limit(space, **amounts)
    assert told in fails(start(work(), script=DONE), space, 2)


def test_a_gang_that_it_never_holds_together(space: Space, start: Start) -> None:
    limit(space, requests_memory="96Mi")
    error = fails(start(work(), script=DONE, memory="64Mi", nodes=2), space, 2)
    assert "2 workers ask for 2 x requests.memory=64Mi" in error


def test_a_namespace_that_takes_no_pod_with_such_a_volume(space: Space, start: Start) -> None:
    """A worker as Assay makes it is taken by the strictest level; a folder of the node is not."""
    level = "pod-security.kubernetes.io/enforce=restricted"
    space.cluster.run("label", "namespace", space.name, level)
    made = job.make(work(), ClusterSettings(image=kube.IMAGE), TaskConfig(), None)
    template = {**made["spec"]["tasks"][0]["template"], "apiVersion": "v1", "kind": "Pod"}
    template["metadata"] = {**template["metadata"], "name": "worker", "namespace": space.name}
    taken = space.cluster.run("create", "--dry-run=server", "-f", "-", text=json.dumps(template))
    assert taken == "pod/worker created (server dry run)\n"
    error = fails(start(work(), script=DONE), space, 2)
    assert 'violates PodSecurity "restricted:latest"' in error
    assert "hostPath" in error
    assert "on the task" in error
