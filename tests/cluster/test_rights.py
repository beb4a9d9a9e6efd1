"""The roles in manifests/ suffice, which every other test shows, and none has a right too much."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from assay.placement import ClusterSettings
from assay.queues import TaskConfig
from assay.volcano import job
from tests.cluster import kube, launchers
from tests.cluster.conftest import Preflight
from tests.cluster.kube import CLUSTER_RULES, RULES, Cluster, Object
from tests.cluster.launchers import DONE, work

# What a launcher needs a right for, where that is not what it always does.
OCCASIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("jobs", "delete"): {"script": "exit 1"},
    ("events", "list"): {"script": DONE, "cpu": "999"},
}
ALWAYS = {"script": f"echo begin; sleep 1; {DONE}"}


def rights(rules: list[Object]) -> list[tuple[str, str]]:
    return [(rule["resources"][0], verb) for rule in rules for verb in rule["verbs"]]


def without(rules: list[Object], resource: str, verb: str) -> list[Object]:
    """Return the rules less one verb."""
    rules = copy.deepcopy(rules)
    for rule in rules:
        if resource in rule["resources"]:
            rule["verbs"].remove(verb)
    return [rule for rule in rules if rule["verbs"]]


@pytest.mark.parametrize(
    ("resource", "verb"), rights(RULES), ids=lambda part: part.replace("/", "-")
)
def test_without_any_right_the_launcher_says_which_it_lacks(
    cluster: Cluster, tmp_path: Path, resource: str, verb: str
) -> None:
    name = f"less-{resource.replace('/', '-')}-{verb}"
    with kube.space(cluster, name, tmp_path, without(RULES, resource, verb)) as space:
        if (resource, verb) == ("jobs", "get"):  # for the Job of an earlier try
            settings = ClusterSettings(image=kube.IMAGE, gpus=0)
            made = job.make(work(), settings, TaskConfig(), None)
            made["metadata"]["namespace"] = name
            cluster.apply(made)
        occasion = OCCASIONS.get((resource, verb), ALWAYS)
        launcher = launchers.start(space, tmp_path, work(), **occasion)
        assert launcher.wait() != 0, launcher.output
    assert f'cannot {verb} resource "{resource}"' in launcher.output
    assert "Traceback" not in launcher.output


@pytest.mark.parametrize(("resource", "verb"), rights(CLUSTER_RULES))
def test_without_any_right_preflight_says_which_it_lacks(
    cluster: Cluster,
    tmp_path: Path,
    preflight_in: Preflight,
    capsys: pytest.CaptureFixture[str],
    resource: str,
    verb: str,
) -> None:
    """And goes on: it refuses only what it knows."""
    less = without(CLUSTER_RULES, resource, verb)
    with kube.space(cluster, f"less-{resource}-{verb}", tmp_path, cluster_rules=less) as space:
        preflight_in(space, gpus=0, cpu="1", priority_class="system-node-critical")
    (line,) = capsys.readouterr().out.splitlines()
    assert f'cannot {verb} resource "{resource}"' in line
