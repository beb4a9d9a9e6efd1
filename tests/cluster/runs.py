"""Runs as the cluster has them: a Workflow, and launchers in pods that it made.

No Argo runs here. Of a Workflow only its object counts, which owns the pods and the Jobs; what Argo
does with the pods, the tests do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from assay.queues import Work
from assay.volcano import job
from tests.cluster import kube
from tests.cluster.kube import Object, Space
from tests.cluster.launchers import described, eventually

NOTHING: Mapping[str, Any] = MappingProxyType({})
GROUP = "argoproj.io"
DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"workflows.{GROUP}"},
    "spec": {
        "group": GROUP,
        "names": {"kind": "Workflow", "plural": "workflows", "singular": "workflow"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in a namespace, by its Workflow's name and uid. `environment` is that of its pods."""

    space: Space
    name: str
    uid: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def launch(
        self,
        wanted: Work,
        pod: str = "launcher",
        *,
        script: str = "",
        environment: Mapping[str, str] = NOTHING,
        task: Mapping[str, Any] = NOTHING,
        **settings: Any,
    ) -> str:
        """Make the pod of a launcher of `wanted`, as Argo does, and return its Job's name.
        `environment` is the worker's, `task` what a user has set on the task."""
        spec = json.dumps(described(wanted, script, environment, task, settings))
        self.run(pod, ["python", "-u", "-m", "tests.cluster.launch", "none"], {"SPEC": spec})
        return job.name_of(wanted)

    def run(self, pod: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Make a pod of the run, as Argo does, which runs `command`."""
        around = {**self.environment, **environment}
        self.space.cluster.apply(_pod(self, pod, command, around))

    def log(self, pod: str = "launcher") -> str:
        """Return what a launcher has written so far."""
        return self.space.cluster.run("logs", pod, "-n", self.space.name, check=False)

    def until(self, text: str, pod: str = "launcher") -> None:
        """Wait until a launcher has written `text`."""
        eventually(lambda: text in self.log(pod), f"{text!r} of {pod}: {self.log(pod)}", 180)

    def phase(self, pod: str = "launcher") -> str:
        """Return the phase of a launcher's pod, "" where there is none."""
        found = self._found(pod)
        return str(found["status"]["phase"]) if found else ""

    def is_going(self, pod: str) -> bool:
        """Return whether a pod is gone, or is being deleted."""
        found = self._found(pod)
        return found is None or "deletionTimestamp" in found["metadata"]

    def _found(self, pod: str) -> Object | None:
        return next((one for one in self.space.pods() if one["metadata"]["name"] == pod), None)

    def end(self) -> None:
        """Delete the Workflow, as KFP does some time after its run."""
        self.space.cluster.run("delete", "workflow", self.name, "-n", self.space.name)


def begin(space: Space, name: str = "run", environment: Mapping[str, str] = NOTHING) -> Run:
    """Begin a run, whose pods have something in their environment."""
    space.cluster.apply(DEFINITION)
    space.cluster.run(
        "wait", "--for=condition=Established", f"crd/{DEFINITION['metadata']['name']}"
    )
    meta = {"name": name, "namespace": space.name}
    made = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Workflow", "metadata": meta}
    space.cluster.apply(made)
    named = ("workflow", name, "-n", space.name, "-o", "jsonpath={.metadata.uid}")
    uid = space.cluster.run("get", *named)
    return Run(space=space, name=name, uid=uid, environment=environment)


def _pod(run: Run, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Object:
    mounted = kube.mounted()
    owner = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Workflow", "name": run.name}
    container = {
        "name": "main",
        "image": kube.IMAGE,
        "command": list(command),
        "env": [
            *({"name": name, "value": value} for name, value in environment.items()),
            {
                "name": "KFP_POD_NAME",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
            },
        ],
        "envFrom": [{"secretRef": {"name": kube.SECRET}}],
        "volumeMounts": mounted["volume_mounts"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": run.space.name,
            "ownerReferences": [
                {**owner, "uid": run.uid, "controller": True, "blockOwnerDeletion": True}
            ],
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": kube.ACCOUNT,
            "containers": [container],
            "volumes": mounted["volumes"],
        },
    }
