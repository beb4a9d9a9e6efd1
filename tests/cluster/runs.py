"""Runs as the cluster has them: a Workflow, and launchers in pods that it made.

No Argo runs here. Of a Workflow only its object counts, which owns the pods and the Jobs; what Argo
does with the pods, the tests do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from assay.queues import Work
from assay.volcano import job
from tests.cluster import kube
from tests.cluster.kube import Object, Space
from tests.cluster.launchers import described, eventually

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
    """A run in a namespace, by its Workflow's name and uid."""

    space: Space
    name: str
    uid: str

    def launch(self, wanted: Work, pod: str = "launcher", **asked: Any) -> str:
        """Make the pod of a launcher of `wanted`, as Argo does, and return its Job's name."""
        script, settings = asked.pop("script", ""), asked
        spec = described(wanted, script, {}, {}, settings)
        self.space.cluster.apply(_pod(self, pod, json.dumps(spec)))
        return job.name_of(wanted)

    def log(self, pod: str = "launcher") -> str:
        """Return what a launcher has written so far."""
        return self.space.cluster.run("logs", pod, "-n", self.space.name, check=False)

    def until(self, text: str, pod: str = "launcher") -> None:
        """Wait until a launcher has written `text`."""
        eventually(lambda: text in self.log(pod), f"{text!r} of {pod}: {self.log(pod)}", 180)

    def phase(self, pod: str = "launcher") -> str:
        """Return the phase of a launcher's pod, "" where there is none."""
        phases = {one["metadata"]["name"]: one["status"]["phase"] for one in self.space.pods()}
        return str(phases.get(pod, ""))

    def end(self) -> None:
        """Delete the Workflow, as KFP does some time after its run."""
        self.space.cluster.run("delete", "workflow", self.name, "-n", self.space.name)


def begin(space: Space) -> Run:
    """Begin a run."""
    space.cluster.apply(DEFINITION)
    space.cluster.run(
        "wait", "--for=condition=Established", f"crd/{DEFINITION['metadata']['name']}"
    )
    meta = {"name": "run", "namespace": space.name}
    made = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Workflow", "metadata": meta}
    space.cluster.apply(made)
    named = ("workflow", "run", "-n", space.name, "-o", "jsonpath={.metadata.uid}")
    return Run(space=space, name="run", uid=space.cluster.run("get", *named))


def _pod(run: Run, name: str, spec: str) -> Object:
    mounted = kube.mounted()
    owner = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Workflow", "name": run.name}
    container = {
        "name": "main",
        "image": kube.IMAGE,
        "command": ["python", "-u", "-m", "tests.cluster.launch", "none"],
        "env": [
            {"name": "SPEC", "value": spec},
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
