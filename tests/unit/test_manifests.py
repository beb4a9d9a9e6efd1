"""The manifests are whole, give no more rights than the launcher needs, and hold no secret."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import __version__, config
from assay.judge.access import JUDGE_VARIABLES

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
KUSTOMIZATIONS = sorted(MANIFESTS.rglob("kustomization.yaml"))
OVERLAYS = [path.parent for path in KUSTOMIZATIONS if path.parent.parent.name == "overlays"]


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def objects() -> list[dict[str, Any]]:
    files = [path for path in MANIFESTS.rglob("*.yaml") if path not in KUSTOMIZATIONS]
    return [found for path in files for found in documents(path) if "kind" in found]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in objects() if found["kind"] == kind]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_what_a_kustomization_names_is_there(path: Path) -> None:
    (kustomization,) = documents(path)
    listed = kustomization["resources"]
    generated = [
        name.split("=")[-1]
        for kind in ("configMapGenerator", "secretGenerator")
        for found in kustomization.get(kind, [])
        for name in (*found.get("files", ()), *found.get("envs", ()))
    ]
    for resource in listed:
        target = (path.parent / resource).resolve()
        assert target.is_file() or (target / "kustomization.yaml").is_file(), resource
    assert {file.name for file in path.parent.glob("*.yaml")} <= {*listed, *generated, path.name}
    lacking = {name for name in generated if not (path.parent / name).is_file()}
    assert lacking <= ignored_by_git(path.parent, lacking)


def ignored_by_git(folder: Path, names: set[str]) -> set[str]:
    """Return which files would not be committed: those that hold what is a user's own."""
    command = ["git", "check-ignore", *(sorted(names) or ["none"])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def test_the_launcher_may_do_what_it_needs_and_no_more() -> None:
    look = {"get", "list", "watch"}
    assert allowed_by("Role") == {
        "batch.volcano.sh/jobs": look | {"create", "delete"},
        "scheduling.volcano.sh/podgroups": {"list", "watch"},
        "pods": look,
        "pods/log": {"get"},
        "events": {"list"},
    }
    assert allowed_by("ClusterRole") == {
        "scheduling.volcano.sh/queues": {"get"},
        "scheduling.k8s.io/priorityclasses": {"get"},
        "nodes": {"list"},
    }


def allowed_by(kind: str) -> dict[str, set[str]]:
    """Return the verbs that the one role of its kind allows, by resource."""
    (role,) = of_kind(kind)
    return {
        f"{group}/{resource}".lstrip("/"): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_the_role_is_bound_to_kfps_runner_in_its_own_namespace() -> None:
    (binding,) = of_kind("RoleBinding")
    assert binding["roleRef"]["name"] == of_kind("Role")[0]["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "pipeline-runner"}]


def test_the_base_names_no_namespace_but_what_each_overlay_replaces() -> None:
    text = "".join(path.read_text() for path in (MANIFESTS / "base").iterdir())
    assert set(re.findall("namespace: (.*)", text)) == {"NAMESPACE"}
    (binding,) = of_kind("ClusterRoleBinding")
    for overlay in OVERLAYS:
        (kustomization,) = documents(overlay / "kustomization.yaml")
        (replacement,) = kustomization["replacements"]
        assert replacement["source"]["name"] == of_kind("Role")[0]["metadata"]["name"]
        selected = {target["select"]["name"] for target in replacement["targets"]}
        assert selected == {binding["metadata"]["name"]}


def test_no_secret_is_in_the_repository() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "manifests"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not [name for name in tracked if name.endswith((".env", "registry.json"))]
    assert not of_kind("Secret")
    for path in MANIFESTS.rglob("store.env.example"):
        example = settings(path)
        assert example["AWS_ACCESS_KEY_ID"] == example["AWS_SECRET_ACCESS_KEY"] == ""


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_launcher_of_kfp_reads_the_secret_that_the_overlay_makes(overlay: Path) -> None:
    (kustomization,) = documents(overlay / "kustomization.yaml")
    generated, *_ = kustomization["secretGenerator"]
    assert generated["envs"] == ["store.env"]
    assert generated["options"]["disableNameSuffixHash"] is True
    (launcher,) = documents(overlay / "kfp-launcher.yaml")
    scheme = launcher["data"]["defaultPipelineRoot"].split(":")[0]
    store = yaml.safe_load(launcher["data"]["providers"])[scheme]["default"]
    reference = store["credentials"]["secretRef"]
    assert reference["secretName"] == generated["name"] == "assay-store"
    assert reference["accessKeyKey"] == "AWS_ACCESS_KEY_ID"
    assert reference["secretKeyKey"] == "AWS_SECRET_ACCESS_KEY"


@pytest.mark.parametrize("overlay", ["s3", "profile"])
def test_the_examples_of_one_store_agree(overlay: str) -> None:
    (launcher,) = documents(MANIFESTS / "overlays" / overlay / "kfp-launcher.yaml")
    store = yaml.safe_load(launcher["data"]["providers"])["s3"]["default"]
    example = settings(MANIFESTS / "overlays" / overlay / "store.env.example")
    assert store["endpoint"] == example["AWS_ENDPOINT_URL_S3"]
    assert store["region"] == example["AWS_REGION"]


def test_the_keys_of_minio_are_random_and_kept(tmp_path: Path) -> None:
    first, again, other = (generate_keys(tmp_path / name) for name in ("a", "a", "b"))
    assert first == again
    for key, secret in PAIRS_OF_KEYS:
        assert first[secret] != other[secret]
        assert (len(first[key]), len(first[secret])) == (20, 40)
    (service,) = of_kind("Service")
    port = service["spec"]["ports"][0]["port"]
    assert first["AWS_ENDPOINT_URL_S3"] == f"http://{service['metadata']['name']}:{port}"


def test_the_runs_have_not_the_keys_of_minios_root(tmp_path: Path) -> None:
    made = generate_keys(tmp_path / "new")
    (root_key, root_secret), (key, secret) = PAIRS_OF_KEYS
    assert made[root_key] != made[key]
    assert made[root_secret] != made[secret]
    launchers = [found for found in of_kind("ConfigMap") if "assay-minio\n" in str(found)]
    assert not launchers
    using = [name for name, pod in pods().items() if "{'name': 'assay-minio'}" in str(pod)]
    assert sorted(using) == ["assay-minio", "assay-minio-user"]


def test_keys_that_were_the_roots_become_the_users(tmp_path: Path) -> None:
    """Of a MinIO that was brought up when there was one pair of keys for all."""
    folder = tmp_path / "old"
    folder.mkdir()
    old = "AWS_ACCESS_KEY_ID=root\nAWS_SECRET_ACCESS_KEY=secret\n"
    (folder / "store.env").write_text(old)
    made = generate_keys(folder)
    assert (folder / "store.env").read_text() == old
    assert made["MINIO_ROOT_USER"] != "root"
    assert made["MINIO_ROOT_PASSWORD"] != "secret"


PAIRS_OF_KEYS = (
    ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)


def test_in_a_mesh_the_overlays_minio_has_no_sidecar() -> None:
    """As runs have none, which then could not reach it; and with one its Job would never end."""
    folder = MANIFESTS / "overlays/minio"
    found = [*documents(folder / "minio.yaml"), *documents(folder / "user.yaml")]
    templates = [one["spec"]["template"] for one in found if "template" in one["spec"]]
    assert len(templates) == 2
    for template in templates:
        assert template["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


def generate_keys(folder: Path) -> dict[str, str]:
    """Return all keys that the overlay's script leaves in a folder."""
    folder.mkdir(exist_ok=True)
    script = folder / "keys.sh"
    script.write_bytes((MANIFESTS / "overlays/minio/keys.sh").read_bytes())
    subprocess.run(["sh", str(script)], check=True)
    assert (folder / "minio.env").stat().st_mode & 0o077 == 0
    return settings(folder / "minio.env") | settings(folder / "store.env")


def pods() -> dict[str, dict[str, Any]]:
    """Return the pods of what the manifests run, by name."""
    owners = (*of_kind("Deployment"), *of_kind("Job"))
    return {owner["metadata"]["name"]: owner["spec"]["template"]["spec"] for owner in owners}


@pytest.mark.parametrize(
    ("name", "image"),
    [("assay-minio", "minio"), ("assay-minio-user", "cpu"), ("assay-schedule", "cpu")],
)
def test_a_pod_runs_at_the_packages_version_with_nothing_it_does_not_need(
    name: str, image: str
) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]
    assert container["image"] == f"assay-{image}:{__version__}"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_schedules_example_is_a_configuration() -> None:
    (schedule,) = documents(MANIFESTS / "schedule/schedule.yaml")
    assert config.load(MANIFESTS / "schedule" / schedule["config"])
    (container,) = pods()["assay-schedule"]["containers"]
    assert container["command"][:3] == ["assay", "schedule", "apply"]


def test_documents_name_the_judges_secret_as_the_pipelines_do() -> None:
    text = (ROOT / "docs/cluster.md").read_text()
    entry, *_ = JUDGE_VARIABLES
    assert re.search(rf"create secret generic assay-judge --from-file={entry}=", text)


def settings(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().split())
