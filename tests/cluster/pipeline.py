"""A pipeline on the cluster, task by task: each in a pod of its own, with the command of the
compiled YAML and the executor input that KFP's driver would give it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from assay import store
from assay.compiled import pipeline
from tests.cluster import kube
from tests.cluster.kube import Object, Space
from tests.cluster.launchers import eventually

RESULT = "/tmp/executor_output.json"  # noqa: S108  in the pod
TASK_CONFIG = "task_config"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished task: its parameters, its artifacts as the next task gets them, and its log."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Object]
    log: str


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A run of the compiled pipeline `name` in a namespace, its artifacts under `root`."""

    space: Space
    root: str
    folder: Path
    name: str = "finetune_and_evaluate"
    spec: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        loaded = next(yaml.safe_load_all(pipeline(self.name).read_text()))
        object.__setattr__(self, "spec", loaded)

    def run(
        self,
        component: str,
        parameters: Mapping[str, Any],
        artifacts: Mapping[str, Object],
        label: str = "",
    ) -> Done:
        """Run a task of `component` to its end and return what came of it."""
        label = label or component
        given = self._input(component, parameters, artifacts, label)
        result = f"{self.root}/{label}/executor_output.json"
        container = self._container(component)
        task = {
            "command": container["command"],
            "arguments": container["args"],
            "input": given,
            "result": result,
        }
        name = f"task-{label}".replace("_", "-")
        self.space.cluster.apply(_pod(self.space, name, json.dumps(task)))
        eventually(lambda: self._phase(name) in ("Succeeded", "Failed"), f"{name}'s end", 1200)
        log = self.space.cluster.run("logs", name, "-n", self.space.name)
        assert self._phase(name) == "Succeeded", log
        return self._done(given, result, log)

    def _phase(self, pod: str) -> str:
        found = {one["metadata"]["name"]: one for one in self.space.pods()}
        return str(found[pod]["status"]["phase"])

    def _done(self, given: Object, result: str, log: str) -> Done:
        said = store.read_json(store.fetch(result, self.folder / given["label"]))
        artifacts = {
            name: {
                **holder["artifacts"][0],
                **said.get("artifacts", {}).get(name, holder)["artifacts"][0],
            }
            for name, holder in given["outputs"]["artifacts"].items()
        }
        return Done(parameters=said.get("parameterValues", {}), artifacts=artifacts, log=log)

    def _input(
        self,
        component: str,
        parameters: Mapping[str, Any],
        artifacts: Mapping[str, Object],
        label: str,
    ) -> Object:
        definition = self.spec["components"][f"comp-{component.replace('_', '-')}"]
        inputs = definition["inputDefinitions"].get("parameters", {})
        values = {k: v["defaultValue"] for k, v in inputs.items() if "defaultValue" in v}
        values |= {k: v for k, v in parameters.items() if k in inputs}
        outputs = definition.get("outputDefinitions", {})
        made = {
            name: {
                "name": name,
                "uri": f"{self.root}/{label}/{name}",
                "type": one["artifactType"],
                "metadata": {},
            }
            for name, one in outputs.get("artifacts", {}).items()
        }
        files = {name: {"outputFile": f"/tmp/out/{name}"} for name in outputs.get("parameters", {})}  # noqa: S108
        return {
            "label": label,
            "inputs": {"parameterValues": values, "artifacts": _listed(artifacts)},
            "outputs": {"artifacts": _listed(made), "parameters": files, "outputFile": RESULT},
        }

    def _container(self, component: str) -> Object:
        executors = self.spec["deploymentSpec"]["executors"]
        found: Object = executors[f"exec-{component.replace('_', '-')}"]["container"]
        return found


def _listed(artifacts: Mapping[str, Object]) -> Object:
    return {name: {"artifacts": [artifact]} for name, artifact in artifacts.items()}


def _pod(space: Space, name: str, task: str) -> Object:
    mounted = kube.mounted()
    folders = [{"name": "minio", "mountPath": "/minio"}]
    container = {
        "name": "main",
        "image": kube.IMAGE,
        "command": ["python", "-m", "tests.cluster.kfp_task", task],
        "env": [
            {
                "name": "KFP_POD_NAME",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
            },
            {"name": "XDG_CACHE_HOME", "value": "/tmp/cache"},  # noqa: S108
        ],
        "envFrom": [{"secretRef": {"name": kube.SECRET}}],
        "volumeMounts": [*mounted["volume_mounts"], *folders],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": space.name,
            "labels": {"pipeline/runid": "run-1"},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": kube.ACCOUNT,
            "containers": [container],
            "volumes": [*mounted["volumes"], {"name": "minio", "emptyDir": {}}],
        },
    }
