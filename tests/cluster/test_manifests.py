"""The manifests, as a real cluster takes them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import kube
from tests.cluster.node import places

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
ACCOUNTS = {"profile": "default-editor"}
# what each overlay and component makes
RIGHTS = ["role", "rolebinding", "clusterrole", "clusterrolebinding"]
EVERY = [*RIGHTS, "queue", "configmap", "secret", "limitrange"]
MINIO = ["deployment", "service", "persistentvolumeclaim", "job", "configmap", "secret"]
COMPONENTS = {
    "quota": ["resourcequota", "limitrange"],
    "network": ["networkpolicy"] * 5,
    "registry": ["serviceaccount", "secret"],
}
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
    """The manifests as a user has them, with keys beside each overlay and the registry's."""
    copy = tmp_path / "manifests"
    shutil.copytree(MANIFESTS, copy)
    for overlay in (copy / "overlays").iterdir():
        (overlay / "store.env").write_text("AWS_ACCESS_KEY_ID=key\nAWS_SECRET_ACCESS_KEY=secret\n")
    (copy / "overlays/minio/minio.env").write_text("MINIO_ROOT_USER=a\nMINIO_ROOT_PASSWORD=b\n")
    registry = {"auths": {"registry.example": {"auth": "dXNlcjpwYXNzd29yZA=="}}}
    (copy / "components/registry/registry.json").write_text(json.dumps(registry))
    return copy


def in_namespace(folder: Path, resource: str, name: str) -> Path:
    """Write a kustomization of a user's own, over one of ours."""
    folder.mkdir()
    own = {"namespace": name, "resources": [resource]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return folder


def with_components(overlay: Path, names: tuple[str, ...]) -> None:
    """Have an overlay take the components, where its comment says so."""
    path = overlay / "kustomization.yaml"
    listed = "components: [" + ", ".join(f"../../components/{name}" for name in names) + "]"
    every = re.compile(r"^# components: .*$", re.MULTILINE)
    assert all(f"../../components/{name}" in every.findall(path.read_text())[0] for name in names)
    path.write_text(every.sub(listed, path.read_text()))


@pytest.mark.parametrize("components", [(), *((name,) for name in COMPONENTS), tuple(COMPONENTS)])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_server_takes_every_object(
    cluster: Any, space: Any, manifests: Path, overlay: str, components: tuple[str, ...]
) -> None:
    with_components(manifests / "overlays" / overlay, components)
    own = in_namespace(manifests / "own", f"../overlays/{overlay}", space.name)
    said = cluster.run("apply", "--dry-run=server", "-k", str(own)).splitlines()
    wanted = EVERY + (MINIO if overlay == "minio" else [])
    wanted += [kind for name in components for kind in COMPONENTS[name]]
    assert Counter(re.split(r"[./]", line)[0] for line in said) == Counter(wanted)


@pytest.mark.parametrize("overlay", [*OVERLAYS, "../schedule"])
def test_a_private_registry_is_every_images_and_its_secret_every_accounts(
    cluster: Any, manifests: Path, overlay: str
) -> None:
    folder = manifests / "overlays" / overlay
    if overlay in OVERLAYS:
        with_components(folder, ("registry",))
    else:
        text = (folder / "kustomization.yaml").read_text()
        (folder / "kustomization.yaml").write_text(f"{text}components: [../components/registry]\n")
    made = list(yaml.safe_load_all(cluster.run("kustomize", str(folder))))
    pods = [
        found["spec"]["template"]["spec"] for found in made if "template" in found.get("spec", {})
    ]
    account = next(found for found in made if found["kind"] == "ServiceAccount")
    assert account["metadata"]["name"] == ACCOUNTS.get(overlay, "pipeline-runner")
    for puller in (account, *pods):
        assert puller["imagePullSecrets"] == [{"name": "assay-registry"}]
    images = [container["image"] for pod in pods for container in pod["containers"]]
    assert all(image.startswith("registry.example/team/assay-") for image in images)
    assert len(images) == {"minio": 2, "../schedule": 1}.get(overlay, 0)


def test_the_server_takes_the_schedules_job(cluster: Any, space: Any, manifests: Path) -> None:
    own = in_namespace(manifests / "own", "../schedule", space.name)
    said = cluster.run("apply", "--dry-run=server", "-k", str(own)).splitlines()
    assert [line.split("/")[0] for line in said] == ["configmap", "job.batch"]


@pytest.fixture(name="granted")
def cluster_wide_rights() -> Iterator[None]:
    """Keeps the ClusterRole, which is one for all overlays, for one test at a time."""
    with places.held("rights"):
        yield


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.usefixtures("granted")
def test_the_launchers_account_may_do_what_the_role_says_and_nothing_else(
    cluster: Any, manifests: Path, overlay: str
) -> None:
    name = f"assay-rights-{overlay}-{os.getpid()}"
    runner = ACCOUNTS.get(overlay, "pipeline-runner")
    cluster.run("create", "namespace", name)
    try:
        cluster.run("create", "serviceaccount", runner, "-n", name)
        settings = manifests / "overlays" / overlay / "kustomization.yaml"
        own = re.sub(
            "^namespace: .*", f"namespace: {name}", settings.read_text(), flags=re.MULTILINE
        )
        settings.write_text(own)
        made = cluster.run("kustomize", str(settings.parent))
        rights = [one for one in yaml.safe_load_all(made) if one["apiVersion"] == f"{kube.RBAC}/v1"]
        assert len(rights) == 4
        cluster.apply(*rights)
        account = f"--as=system:serviceaccount:{name}:{runner}"

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
