"""The Job of a stage: what the settings say, and what the user set on the task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay import placement
from assay.errors import SettingsError
from assay.placement import ClusterSettings, Toleration
from assay.queues import TaskConfig, Work
from assay.share import WHOLE, Share
from assay.volcano import job, shards
from assay.volcano.work import from_text

LAUNCHER: dict[str, Any] = {
    "metadata": {"name": "launcher", "uid": "u", "labels": {"pipeline/runid": "r"}},
    "spec": {
        "serviceAccountName": "pipeline-runner",
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {"name": "wait", "image": "argo"},
            {"name": "main", "image": "team/assay-gpu:1", "imagePullPolicy": "IfNotPresent"},
        ],
    },
}
TASK = TaskConfig(
    resources={"limits": {"nvidia.com/gpu": "4", "memory": "8Gi"}, "requests": {"memory": "4Gi"}},
    env=[{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}],
    node_selector={"pool": "gpu"},
    tolerations=[{"key": "gpu", "operator": "Exists"}],
    affinity={"nodeAffinity": {}},
    volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    volume_mounts=[{"name": "data", "mountPath": "/data"}],
)


def work(stage: Any = "finetune") -> Work:
    outputs = {"model": f"s3://b/{stage}/model", "training": f"s3://b/{stage}/training"}
    return Work(stage=stage, samples="s3://b/samples", outputs=outputs, arguments={"settings": {}})


def made(stage: Any = "finetune", task: TaskConfig = TASK, **settings: Any) -> dict[str, Any]:
    return job.make(work(stage), ClusterSettings(**settings), task, LAUNCHER)


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return dict(manifest["spec"]["tasks"][0]["template"]["spec"])


def test_what_is_set_on_the_task_is_the_pods() -> None:
    pod = pod_of(made())
    (container,) = pod["containers"]
    assert (pod["nodeSelector"], pod["tolerations"]) == (TASK.node_selector, TASK.tolerations)
    assert pod["affinity"] == TASK.affinity
    assert TASK.env
    assert TASK.env[0] in container["env"]
    assert TASK.volumes
    assert TASK.volumes[0] in pod["volumes"]
    assert TASK.volume_mounts
    assert TASK.volume_mounts[0] in container["volumeMounts"]
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert limits == {"nvidia.com/gpu": "4", "memory": "8Gi"}
    assert requests == {"nvidia.com/gpu": "4", "memory": "4Gi"}


def test_nodes_are_chosen_by_the_task_and_by_the_settings() -> None:
    settings = ClusterSettings(
        node_selector={"pool": "cpu", "zone": "a"},
        tolerations=(Toleration(key="spot", operator="Exists", effect="NoSchedule"),),
    )
    pod = pod_of(job.make(work(), settings, TASK, LAUNCHER))
    own = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}
    assert pod["nodeSelector"] == {"pool": "gpu", "zone": "a"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}, own]
    pod = pod_of(job.make(work(), settings, TaskConfig(), LAUNCHER))
    assert (pod["nodeSelector"], pod["tolerations"]) == (settings.node_selector, [own])
    assert {"nodeSelector", "tolerations"} & pod_of(made(task=TaskConfig())).keys() == set()


def test_the_settings_add_what_the_task_does_not_say() -> None:
    bare = TaskConfig()
    (container,) = pod_of(made(task=bare, gpus=2, cpu="8", memory="16Gi"))["containers"]
    asked = {"nvidia.com/gpu": "2", "cpu": "8", "memory": "16Gi"}
    assert container["resources"] == {"limits": asked, "requests": asked}
    (container,) = pod_of(made("generate", task=bare, gpus=8))["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    (container,) = pod_of(made(task=bare, gpus=0))["containers"]
    assert container["resources"] == {}


@pytest.mark.parametrize(
    "name",
    [
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "nvidia.com/mig-1g.10gb",
        "volcano.sh/vgpu-number",
        "amd.com/gpu",
        "gpu.intel.com/i915",
        "huawei.com/Ascend910",
        "huawei.com/npu",
        "google.com/tpu",
        "habana.ai/gaudi",
        "aws.amazon.com/neuroncore",
        "cambricon.com/mlu",
    ],
)
@pytest.mark.parametrize("stage", ["finetune", "generate"])
def test_an_accelerator_of_any_maker_is_asked_for_by_its_name(stage: str, name: str) -> None:
    placement.check(ClusterSettings(accelerator=name))
    bare = made(stage, task=TaskConfig(), accelerator=name, gpus=2)
    assert pod_of(bare)["containers"][0]["resources"]["limits"] == {name: "2"}
    set_on_task = TaskConfig(resources={"limits": {name: "4"}})
    limits = pod_of(made(stage, task=set_on_task))["containers"][0]["resources"]["limits"]
    assert limits == {name: "4"}, "no other maker's is added"


@pytest.mark.parametrize(
    "name",
    [
        "rdma/hca_shared_devices_a",
        "vpc.amazonaws.com/efa",
        "cpu",
        "volcano.sh/vgpu-memory",
        "volcano.sh/vgpu-cores",
        "nvidia.com/gpumem",
        "nvidia.com/gpumem-percentage",
        "nvidia.com/gpucores",
        "huawei.com/Ascend910A-memory",
    ],
)
def test_what_computes_nothing_leaves_the_gpus_asked_for(name: str) -> None:
    task = TaskConfig(resources={"limits": {name: "1"}})
    limits = pod_of(made(task=task, gpus=2))["containers"][0]["resources"]["limits"]
    assert limits == {name: "1", "nvidia.com/gpu": "2"}


@pytest.mark.parametrize(
    "name", ["gpu", "", "Ascend910", "nvidia.com/", "kubernetes.io/gpu", "nvidia.com/gpu: 2"]
)
def test_what_is_no_extended_resource_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no extended resource of Kubernetes"):
        placement.check(ClusterSettings(accelerator=name))


def test_a_gang_has_a_master_and_workers() -> None:
    spec = made(nodes=3)["spec"]
    assert [(task["name"], task["replicas"]) for task in spec["tasks"]] == [
        ("master", 1),
        ("worker", 2),
    ]
    assert spec["minAvailable"] == 3
    assert set(spec["plugins"]) == {"pytorch", "svc"}
    alone = made("generate", nodes=3)["spec"]
    assert (len(alone["tasks"]), alone["minAvailable"], "plugins" in alone) == (1, 1, False)


@pytest.mark.parametrize(("retries", "action"), [(0, "TerminateJob"), (2, "RestartJob")])
def test_retries(retries: int, action: str) -> None:
    spec = made(retries=retries)["spec"]
    assert spec["maxRetry"] == retries + 1
    *decided, failed, evicted = spec["policies"]
    # what the user corrects, and what nobody waits for any more
    assert decided == [{"exitCode": code, "action": "TerminateJob"} for code in (2, 5)]
    others = (failed, evicted)
    assert [policy["event"] for policy in others] == ["PodFailed", "PodEvicted"]
    assert {policy["action"] for policy in others} == {action}


def variables(manifest: dict[str, Any]) -> dict[str, str]:
    (container,) = pod_of(manifest)["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


@pytest.mark.parametrize(("retries", "again"), [(0, "TerminateJob"), (2, "RestartPod")])
def test_the_pods_of_a_generation_need_no_other_and_restart_alone(retries: int, again: str) -> None:
    manifest = made("generate", replicas=4, nodes=3, retries=retries)
    spec = manifest["spec"]
    (shard,) = spec["tasks"]
    assert (shard["name"], shard["replicas"], shard["minAvailable"]) == ("shard", 4, 1)
    assert (spec["minAvailable"], spec["minSuccess"], spec["maxRetry"]) == (1, 4, retries + 1)
    assert spec["plugins"] == {"env": []}
    # one that is taken away is made anew by Volcano itself, and counts for nothing
    *decided, taken_away, failed = spec["policies"]
    assert [policy["exitCode"] for policy in decided] == [2, 5]
    assert taken_away == {"exitCode": 143, "action": "ResumeJob"}
    assert failed == {"event": "PodFailed", "action": again}
    assert "(4 pods, " in variables(manifest)["ASSAY_RUNNER"]


@pytest.mark.parametrize(
    ("stage", "index", "settings", "share"),
    [
        ("generate", "0", {"replicas": 4}, Share(index=0, of=4)),
        ("generate", "3", {"replicas": 4}, Share(index=3, of=4)),
        ("generate", "0", {}, WHOLE),
        ("finetune", "2", {"replicas": 4, "nodes": 3}, WHOLE),
    ],
)
def test_each_pod_knows_its_share(
    stage: str, index: str, settings: dict[str, Any], share: Share
) -> None:
    told = {**variables(made(stage, **settings)), "VC_TASK_INDEX": index}
    assert shards.own(from_text(told["ASSAY_WORK"]), told) == [share]


def test_fewer_pods_do_the_same_shards() -> None:
    """As many as a quota lets be made; each share is done once, whoever does it."""
    settings = ClusterSettings(replicas=5)
    manifest = job.make(work("generate"), settings, TASK, LAUNCHER, pods=2)
    spec = manifest["spec"]
    assert (spec["tasks"][0]["replicas"], spec["minSuccess"], spec["minAvailable"]) == (2, 2, 1)
    told = variables(manifest)
    assert "(2 pods, " in told["ASSAY_RUNNER"]
    of = [shards.own(work("generate"), {**told, "VC_TASK_INDEX": f"{at}"}) for at in range(2)]
    assert [[share.index for share in own] for own in of] == [[0, 2, 4], [1, 3]]
    assert {share.of for own in of for share in own} == {5}


def test_one_pod_is_what_it_was() -> None:
    assert "minSuccess" not in made("generate", replicas=1)["spec"]
    assert [task["name"] for task in made("finetune", replicas=4)["spec"]["tasks"]] == ["master"]


@pytest.mark.parametrize("name", ["nodes", "replicas"])
def test_several_pods_inline_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"cluster\.{name} is 2 and .* is one pod"):
        placement.check(ClusterSettings(runner="inline", **{name: 2}))  # type: ignore[arg-type]


def test_a_mesh_gives_a_worker_no_sidecar() -> None:
    """One would outlive the worker, and the Job would never end."""
    for task in made(nodes=2)["spec"]["tasks"]:
        assert task["template"]["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


WORKFLOW = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "run", "uid": "w"}
POD = {"apiVersion": "v1", "kind": "Pod", "name": "launcher", "uid": "u"}


@pytest.mark.parametrize(
    ("makers", "owner"),
    [
        (None, POD),
        ([], POD),
        ([{**WORKFLOW, "controller": True, "blockOwnerDeletion": True}], WORKFLOW),
        ([{**POD, "name": "other", "uid": "o"}, {**WORKFLOW, "controller": True}], WORKFLOW),
        ([{**WORKFLOW, "controller": False}], POD),
    ],
)
def test_the_job_belongs_to_what_made_its_launcher(
    makers: list[dict[str, Any]] | None, owner: dict[str, str]
) -> None:
    metadata = {**LAUNCHER["metadata"], "ownerReferences": makers}
    launcher = {**LAUNCHER, "metadata": metadata}
    manifest = job.make(work(), ClusterSettings(), TaskConfig(), launcher)
    assert manifest["metadata"]["ownerReferences"] == [owner]


def test_the_job_tells_its_run_queue_and_pods() -> None:
    manifest = made(queue="research", priority_class="batch")
    assert manifest["metadata"]["labels"]["pipeline/runid"] == "r"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "assay"
    assert (manifest["spec"]["queue"], manifest["spec"]["priorityClassName"]) == (
        "research",
        "batch",
    )
    pod = pod_of(manifest)
    (container,) = pod["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (
        "team/assay-gpu:1",
        "IfNotPresent",
    )
    assert pod["serviceAccountName"] == "pipeline-runner"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["automountServiceAccountToken"] is False


def test_the_worker_reads_the_same_work() -> None:
    told = variables(made())
    assert from_text(told["ASSAY_WORK"]) == work()
    assert told["ASSAY_RUNNER"].startswith("Volcano Job assay-finetune-")


def test_one_name_a_task() -> None:
    assert job.name_of(work()) == job.name_of(work())
    assert job.name_of(work()) != job.name_of(work("generate"))
    assert len(f"{job.name_of(work('generate'))}-worker-999") <= 63


def test_without_a_pod_of_its_own_the_image_has_to_be_named() -> None:
    with pytest.raises(SettingsError, match=r"cluster\.image is missing"):
        job.make(work(), ClusterSettings(), TaskConfig(), None)
    manifest = job.make(work(), ClusterSettings(image="mine:1"), TaskConfig(), None)
    assert "ownerReferences" not in manifest["metadata"]
    assert pod_of(manifest)["containers"][0]["image"] == "mine:1"
    json.dumps(manifest)
