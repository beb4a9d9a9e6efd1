"""The manifests, as a real cluster takes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import kube

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
MAY = (
    *(f"{verb} jobs.batch.volcano.sh" for verb in ("create", "get", "list", "watch", "delete")),
    *(f"{verb} podgroups.scheduling.volcano.sh" for verb in ("list", "watch")),
    *(f"{verb} pods" for verb in ("get", "list", "watch")),
    "get pods/log",
    "list events",
)
MAY_ANYWHERE = (
    "get queues.scheduling.volcano.sh",
    "get priorityclasses.scheduling.k8s.io",
    "list nodes",
)
MAY_NOT = (
    *(f"{verb} queues.scheduling.volcano.sh" for verb in ("list", "create")),
    *(f"{verb} nodes" for verb in ("get", "update", "patch")),
    "update jobs.batch.volcano.sh",
    "patch jobs.batch.volcano.sh",
    "create pods",
    "delete pods",
    "get secrets",
    "create pods/exec",
    "update queues.scheduling.volcano.sh",
)


@pytest.fixture(name="manifests")
def with_keys(tmp_path: Path) -> Path:
    """The manifests as a user has them, with the store's keys beside each overlay."""
    copy = tmp_path / "manifests"
    shutil.copytree(MANIFESTS, copy)
    for overlay in (copy / "overlays").iterdir():
        (overlay / "store.env").write_text("AWS_ACCESS_KEY_ID=key\nAWS_SECRET_ACCESS_KEY=secret\n")
    return copy


def in_namespace(folder: Path, resource: str, name: str) -> Path:
    """Write a kustomization of a user's own, over one of ours."""
    folder.mkdir()
    own = {"namespace": name, "resources": [resource]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return folder


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_server_takes_every_object(
    cluster: Any, space: Any, manifests: Path, overlay: str
) -> None:
    own = in_namespace(manifests / "own", f"../overlays/{overlay}", space.name)
    said = cluster.run("apply", "--dry-run=server", "-k", str(own)).splitlines()
    wanted = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
    wanted += ["Queue", "ConfigMap", "Secret", "LimitRange"]
    wanted += ["Deployment", "Service", "PersistentVolumeClaim"] if overlay == "minio" else []
    assert len(said) == len(wanted), said
    for kind in wanted:
        assert any(line.split("/")[0].split(".")[0] == kind.lower() for line in said), kind


def test_the_server_takes_the_schedules_job(cluster: Any, space: Any, manifests: Path) -> None:
    own = in_namespace(manifests / "own", "../schedule", space.name)
    said = cluster.run("apply", "--dry-run=server", "-k", str(own)).splitlines()
    assert [line.split("/")[0] for line in said] == ["configmap", "job.batch"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_launchers_account_may_do_what_the_role_says_and_nothing_else(
    cluster: Any, manifests: Path, tmp_path: Path, overlay: str
) -> None:
    name = f"assay-rights-{tmp_path.name[-8:].strip('_').lower().replace('_', '-')}"
    cluster.run("create", "namespace", name)
    try:
        cluster.run("create", "serviceaccount", "pipeline-runner", "-n", name)
        settings = manifests / "overlays" / overlay / "kustomization.yaml"
        settings.write_text(
            settings.read_text().replace("namespace: kubeflow", f"namespace: {name}")
        )
        made = cluster.run("kustomize", str(settings.parent))
        rights = [one for one in yaml.safe_load_all(made) if one["apiVersion"] == f"{kube.RBAC}/v1"]
        assert len(rights) == 4
        cluster.apply(*rights)
        account = f"--as=system:serviceaccount:{name}:pipeline-runner"

        def may(action: str, namespace: str = name) -> bool:
            verb, kind = action.split()
            kind, _, sub = kind.partition("/")
            check = ["auth", "can-i", verb, kind, account, "-n", namespace]
            check += [f"--subresource={sub}"] if sub else []
            return bool(cluster.run(*check, check=False).strip() == "yes")

        assert not [action for action in MAY if not may(action)]
        assert not [action for action in MAY_ANYWHERE if not may(action)]
        assert not [action for action in MAY_NOT if may(action)]
        assert not [action for action in MAY if may(action, "default")]
    finally:
        cluster.run("delete", "namespace", name, "--wait=false")
        cluster.run("delete", "clusterrolebinding", f"assay-preflight:{name}", check=False)
        cluster.run("delete", "clusterrole", "assay-preflight", check=False)
