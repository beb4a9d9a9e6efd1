"""The Volcano Job of a stage: what the settings say and what the user set on the KFP task."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from assay import exits
from assay.errors import SettingsError
from assay.placement import RUNNER, ClusterSettings, is_accelerator
from assay.queues import Stage, TaskConfig, Work
from assay.volcano.lease import LEASE
from assay.volcano.work import MESSAGE, PODS, SHARDS, TAKEN_AWAY, WORK, to_text

API_VERSION = "batch.volcano.sh/v1alpha1"
MASTER, WORKER, SHARD = "master", "worker", "shard"
_ENDS = ("PodFailed", "PodEvicted")
CONTAINER = "stage"
SCRATCH = "/scratch"
PORT = 23456
RUN_LABEL = "pipeline/runid"
ASKS_THE_JUDGE = "assay/judge"  # a NetworkPolicy knows its pods by it

Object = dict[str, Any]


def name_of(work: Work) -> str:
    """Return the Job's name: the same for each try of a task, of no other task."""
    return f"assay-{work.stage}-{hashlib.sha256(work.key.encode()).hexdigest()[:12]}"


def make(
    work: Work,
    settings: ClusterSettings,
    task: TaskConfig,
    launcher: Object | None,
    lease_s: float = 0.0,
    pods: int = 0,
) -> Object:
    """Return the Job of `work`, owned by the run of the `launcher`'s pod, whose image and service
    account its pods share; `lease_s` is how long it works without a launcher, in seconds, 0 for no
    limit, and `pods` how many it has, 0 for what the settings say. Raises SettingsError where no
    image is known."""
    count = pods or workers(work.stage, settings)
    template = _template(work, settings, task, launcher, lease_s, count)
    spec = {
        "schedulerName": "volcano",
        "queue": settings.queue,
        "minAvailable": together(work.stage, settings),
        # 1 means no restart; Volcano's webhook would make 3 of 0
        "maxRetry": settings.retries + 1,
        "ttlSecondsAfterFinished": settings.ttl_seconds,
        **_pods(work.stage, settings, template, count),
    }
    if settings.priority_class:
        spec["priorityClassName"] = settings.priority_class
    return {
        "apiVersion": API_VERSION,
        "kind": "Job",
        "metadata": _metadata(work, launcher),
        "spec": spec,
    }


def _metadata(work: Work, launcher: Object | None) -> Object:
    metadata: Object = {
        "name": name_of(work),
        "labels": _labels(work, launcher),
        "annotations": {"assay/output": work.key},
    }
    if launcher:
        metadata["ownerReferences"] = [_owner(launcher)]
    return metadata


def _owner(launcher: Object) -> Object:
    """Return what made the launcher's pod: with KFP the run, a Workflow, with which the Job goes. A
    pod comes and goes within its run, and only one that nothing made owns the Job itself."""
    pod = launcher["metadata"]
    makers = [owner for owner in pod.get("ownerReferences") or () if owner.get("controller")]
    owner = makers[0] if makers else {"apiVersion": "v1", "kind": "Pod", **pod}
    return {name: owner[name] for name in ("apiVersion", "kind", "name", "uid")}


def _labels(work: Work, launcher: Object | None) -> dict[str, str]:
    labels = {"app.kubernetes.io/part-of": "assay", "app.kubernetes.io/component": work.stage}
    own = (launcher or {}).get("metadata", {}).get("labels", {})
    return {**labels, **{name: own[name] for name in (RUN_LABEL, ASKS_THE_JUDGE) if own.get(name)}}


def _pods(stage: Stage, settings: ClusterSettings, template: Object, count: int) -> Object:
    """Return the Job's pods, what makes them know of each other, and what is done when one ends."""
    if stage == "generate" and settings.replicas > 1:
        return _shards(count, settings, template)
    tasks = [{"name": MASTER, "replicas": 1, "template": template}]
    if count > 1:
        tasks.append({"name": WORKER, "replicas": count - 1, "template": template})
    again = "RestartJob" if settings.retries else "TerminateJob"
    return {
        "tasks": tasks,
        "policies": [*_decided(), *({"event": event, "action": again} for event in _ENDS)],
        **({"plugins": _gang()} if count > 1 else {}),
    }


def _shards(count: int, settings: ClusterSettings, template: Object) -> Object:
    """Return pods that begin each when there is room for it, and of which one that fails, or is
    taken away, which Volcano makes anew by itself, is no matter of the others. The Job is complete
    when all have succeeded."""
    again = "RestartPod" if settings.retries else "TerminateJob"
    return {
        "minSuccess": count,
        "tasks": [{"name": SHARD, "replicas": count, "minAvailable": 1, "template": template}],
        "policies": [
            *_decided(),
            # it ends with an error, too; a Job that runs anyway does nothing then but look, and
            # makes the pod anew when it is gone
            {"exitCode": TAKEN_AWAY, "action": "ResumeJob"},
            {"event": "PodFailed", "action": again},
        ],
        "plugins": {"env": []},  # VC_TASK_INDEX
    }


def _decided() -> list[Object]:
    """What the user has to correct, and what nobody waits for, is never tried again."""
    return [
        {"exitCode": code, "action": "TerminateJob"} for code in (exits.REFUSED, exits.CANCELED)
    ]


def _gang() -> Object:
    """MASTER_ADDR, WORLD_SIZE and RANK (of pods) for each pod, and a name for each in DNS."""
    return {
        "pytorch": [f"--master={MASTER}", f"--worker={WORKER}", f"--port={PORT}"],
        "svc": [],
    }


def _template(
    work: Work,
    settings: ClusterSettings,
    task: TaskConfig,
    launcher: Object | None,
    lease_s: float,
    count: int,
) -> Object:
    own = (launcher or {}).get("spec", {})
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "serviceAccountName": own.get("serviceAccountName"),
        "imagePullSecrets": own.get("imagePullSecrets"),
        "nodeSelector": {**settings.node_selector, **(task.node_selector or {})} or None,
        "tolerations": tolerations(settings, task) or None,
        "affinity": task.affinity,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(work, settings, task, own, lease_s, count)],
        "volumes": [
            *(task.volumes or ()),
            {"name": "assay-scratch", "emptyDir": {}},
            {"name": "assay-shm", "emptyDir": {"medium": "Memory"}},
        ],
    }
    # in a mesh a sidecar would outlive the worker and keep the Job from its end
    metadata = {
        "labels": _labels(work, launcher),
        "annotations": {"sidecar.istio.io/inject": "false"},
    }
    return {
        "metadata": metadata,
        "spec": {k: v for k, v in spec.items() if v is not None},
    }


def _container(
    work: Work,
    settings: ClusterSettings,
    task: TaskConfig,
    launcher: Object,
    lease_s: float,
    count: int,
) -> Object:
    image, policy = _image(settings, launcher)
    return {
        "name": CONTAINER,
        "image": image,
        **({"imagePullPolicy": policy} if policy else {}),
        "command": ["python", "-m", "assay.volcano.worker"],
        "workingDir": SCRATCH,
        "env": [
            *(task.env or ()),
            {"name": WORK, "value": to_text(work)},
            {"name": RUNNER, "value": runner(work, settings, count)},
            {"name": LEASE, "value": str(lease_s)},
            {"name": SHARDS, "value": str(workers("generate", settings))},
            {"name": PODS, "value": str(count)},
            {"name": "XDG_CACHE_HOME", "value": f"{SCRATCH}/cache"},
            {"name": "ASSAY_CACHE", "value": f"{SCRATCH}/cache/assay"},
            {"name": "TMPDIR", "value": SCRATCH},
        ],
        "envFrom": [{"secretRef": {"name": settings.store_secret, "optional": True}}],
        "resources": resources(settings, task),
        "volumeMounts": [
            *(task.volume_mounts or ()),
            {"name": "assay-scratch", "mountPath": SCRATCH},
            {"name": "assay-shm", "mountPath": "/dev/shm"},  # noqa: S108  for torch's workers
        ],
        "terminationMessagePath": str(MESSAGE),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def workers(stage: Stage, settings: ClusterSettings) -> int:
    """Return how many pods the Job of a stage has."""
    return settings.nodes if stage == "finetune" else settings.replicas


def together(stage: Stage, settings: ClusterSettings) -> int:
    """Return how many of them there has to be room for at once."""
    return settings.nodes if stage == "finetune" else 1


def resources(settings: ClusterSettings, task: TaskConfig) -> Object:
    """Return a worker's requests and limits: the task's, and what the settings add to them."""
    given = task.resources or {}
    limits, requests = dict(given.get("limits") or {}), dict(given.get("requests") or {})
    if settings.gpus and not any(map(is_accelerator, (*limits, *requests))):
        limits[settings.accelerator] = str(settings.gpus)
    for name in ("cpu", "memory"):
        if amount := getattr(settings, name):
            limits.setdefault(name, amount)
    # what Kubernetes adds to a pod, Volcano has to see in the Job, or it counts nothing for it
    requests = {**limits, **requests}
    return {k: v for k, v in (("limits", limits), ("requests", requests)) if v}


def tolerations(settings: ClusterSettings, task: TaskConfig) -> list[Object]:
    """Return a worker's tolerations: the task's, and the settings'."""
    own = [{k: v for k, v in asdict(each).items() if v} for each in settings.tolerations]
    return [*(task.tolerations or ()), *own]


def runner(work: Work, settings: ClusterSettings, count: int) -> str:
    """Return what the report says of where the stage ran."""
    pods = f"{count} pods" if count > 1 else "1 pod"
    return f"Volcano Job {name_of(work)} ({pods}, queue {settings.queue})"


def _image(settings: ClusterSettings, launcher: Object) -> tuple[str, str]:
    if settings.image:
        return settings.image, ""
    containers = launcher.get("containers", [])
    main = next((container for container in containers if container["name"] == "main"), None)
    if not (main or containers):
        raise SettingsError(
            "cluster.image is missing, and this process is in no pod whose image would do",
            "Set cluster.image to the GPU image",
        )
    chosen = main or containers[0]
    return chosen["image"], chosen.get("imagePullPolicy", "")
