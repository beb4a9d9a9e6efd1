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
    for resource in kustomization["resources"]:
        target = (path.parent / resource).resolve()
        assert target.is_file() or (target / "kustomization.yaml").is_file(), resource
    made = [
        name for found in kustomization.get("configMapGenerator", []) for name in found["files"]
    ]
    listed = {*kustomization["resources"], *made, path.name}
    assert {file.name for file in path.parent.glob("*.yaml")} <= listed


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
    assert not [name for name in tracked if name.endswith("store.env")]
    assert not of_kind("Secret")
    example = settings(MANIFESTS / "overlays/s3/store.env.example")
    assert example["AWS_ACCESS_KEY_ID"] == example["AWS_SECRET_ACCESS_KEY"] == ""


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_launcher_of_kfp_reads_the_secret_that_the_overlay_makes(overlay: Path) -> None:
    (kustomization,) = documents(overlay / "kustomization.yaml")
    (generated,) = kustomization["secretGenerator"]
    assert generated["options"]["disableNameSuffixHash"] is True
    (launcher,) = documents(overlay / "kfp-launcher.yaml")
    scheme = launcher["data"]["defaultPipelineRoot"].split(":")[0]
    store = yaml.safe_load(launcher["data"]["providers"])[scheme]["default"]
    reference = store["credentials"]["secretRef"]
    assert reference["secretName"] == generated["name"] == "assay-store"
    assert reference["accessKeyKey"] == "AWS_ACCESS_KEY_ID"
    assert reference["secretKeyKey"] == "AWS_SECRET_ACCESS_KEY"


def test_the_examples_of_one_store_agree() -> None:
    (launcher,) = documents(MANIFESTS / "overlays/s3/kfp-launcher.yaml")
    store = yaml.safe_load(launcher["data"]["providers"])["s3"]["default"]
    example = settings(MANIFESTS / "overlays/s3/store.env.example")
    assert store["endpoint"] == example["AWS_ENDPOINT_URL_S3"]
    assert store["region"] == example["AWS_REGION"]


def test_the_keys_of_minio_are_random_and_kept(tmp_path: Path) -> None:
    def generate(folder: Path) -> dict[str, str]:
        folder.mkdir(exist_ok=True)
        script = folder / "keys.sh"
        script.write_bytes((MANIFESTS / "overlays/minio/keys.sh").read_bytes())
        subprocess.run(["sh", str(script)], check=True)
        assert (folder / "store.env").stat().st_mode & 0o077 == 0
        return settings(folder / "store.env")

    first, again, other = (generate(tmp_path / name) for name in ("a", "a", "b"))
    assert first == again
    assert first["AWS_SECRET_ACCESS_KEY"] != other["AWS_SECRET_ACCESS_KEY"]
    assert len(first["AWS_SECRET_ACCESS_KEY"]) == 40
    assert len(first["AWS_ACCESS_KEY_ID"]) == 20
    (service,) = of_kind("Service")
    port = service["spec"]["ports"][0]["port"]
    assert first["AWS_ENDPOINT_URL_S3"] == f"http://{service['metadata']['name']}:{port}"


@pytest.mark.parametrize(("kind", "image"), [("Deployment", "minio"), ("Job", "cpu")])
def test_a_pod_runs_at_the_packages_version_with_nothing_it_does_not_need(
    kind: str, image: str
) -> None:
    (owner,) = of_kind(kind)
    pod = owner["spec"]["template"]["spec"]
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
    (job,) = of_kind("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:3] == ["assay", "schedule", "apply"]


def test_documents_name_the_judges_secret_as_the_pipelines_do() -> None:
    text = (ROOT / "docs/cluster.md").read_text()
    entry, *_ = JUDGE_VARIABLES
    assert re.search(rf"create secret generic assay-judge --from-file={entry}=", text)


def settings(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().split())
