"""The overlay `minio`, applied: its Job makes the user, and a worker has that user's keys alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.errors import StoreError
from tests import minio
from tests.cluster import kube
from tests.cluster.kube import Object, Space
from tests.cluster.launchers import DONE, Start, work

MANIFESTS = Path(__file__).parents[2] / "manifests"
FOLDER = "/minio"
# what a worker's shell does in the place of a worker: the script's own variable is not for Python
WORKER = """
unset SCRIPT
env | grep -o '^MINIO_ROOT[A-Z_]*' && echo it has the keys of the root
python -c "
from pathlib import Path
from assay import store
Path('file').write_text('of the worker')
store.publish(Path('file'), 's3://assay/of/the-worker')
try:
    store.publish(Path('file'), 's3://not-assay/file')
except Exception as error:
    print('refused:', error)
"
"""


def here() -> list[Object]:
    """Return the patches that put this machine's programs into the overlay's pods, whose image is
    empty, and files of the pod in the place of a volume: the node has no StorageClass."""
    mounted = kube.mounted()
    binary = {"name": "program", "hostPath": {"path": str(Path(minio.binary()).parent)}}
    add = [
        *(("volumes/-", volume) for volume in (*mounted["volumes"], binary)),
        *(("containers/0/volumeMounts/-", mount) for mount in mounted["volume_mounts"]),
        ("containers/0/volumeMounts/-", {"name": "program", "mountPath": FOLDER}),
        ("containers/0/env/-", {"name": "PATH", "value": f"{FOLDER}:{kube.environment()['PATH']}"}),
        ("containers/0/resources", {}),
    ]
    added = [
        {"op": "add", "path": f"/spec/template/spec/{where}", "value": what} for where, what in add
    ]
    data = {"op": "replace", "path": "/spec/template/spec/volumes/0"}
    folder = [{**data, "value": {"name": "data", "emptyDir": {}}}]
    claim = {"$patch": "delete", "apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return [
        {"target": {"kind": "Deployment"}, "patch": json.dumps([*added, *folder])},
        {"target": {"kind": "Job"}, "patch": json.dumps(added)},
        {"patch": json.dumps({**claim, "metadata": {"name": "assay-minio"}})},
    ]


@pytest.fixture(name="applied")
def overlay_in_a_space(space: Space, tmp_path: Path) -> dict[str, str]:
    """Applies the overlay without what is the whole cluster's; gives the keys that it made."""
    copy = tmp_path / "manifests"
    shutil.copytree(MANIFESTS, copy, ignore=shutil.ignore_patterns("*.env"))
    subprocess.run(["sh", str(copy / "overlays/minio/keys.sh")], check=True)
    image, tag = kube.IMAGE.split(":")
    own = {
        "namespace": space.name,
        "resources": ["../overlays/minio"],
        "images": [
            {"name": f"assay-{name}", "newName": image, "newTag": tag} for name in ("minio", "cpu")
        ],
        "patches": here(),
    }
    (copy / "own").mkdir()
    (copy / "own/kustomization.yaml").write_text(yaml.safe_dump(own))
    made = yaml.safe_load_all(space.cluster.run("kustomize", str(copy / "own")))
    space.cluster.apply(
        *(found for found in made if "Cluster" not in found["kind"] and found["kind"] != "Queue")
    )
    files = (copy / "overlays/minio" / name for name in ("minio.env", "store.env"))
    return dict(line.split("=", 1) for path in files for line in path.read_text().split())


def in_reach(space: Space, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process reach the overlay's MinIO with the user's keys."""
    (service,) = (one for one in space.get("service") if one["metadata"]["name"] == "assay-minio")
    address = f"http://{service['spec']['clusterIP']}:9000"
    for name, value in {**keys, "AWS_ENDPOINT_URL_S3": address}.items():
        monkeypatch.setenv(name, value)


def test_a_worker_has_the_keys_of_a_user_that_may_use_the_bucket_alone(
    space: Space,
    start: Start,
    applied: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complete = ("--for=condition=complete", "job/assay-minio-user", "--timeout=90s")
    space.cluster.run("wait", "-n", space.name, *complete)
    launcher = start(work(), script=WORKER + DONE)
    assert launcher.wait() == 0, launcher.output
    assert "refused: s3://not-assay/file: the store says AccessDenied" in launcher.output
    assert "keys of the root" not in launcher.output
    in_reach(space, applied, monkeypatch)
    assert store.fetch("s3://assay/of/the-worker", tmp_path / "back").read_text() == "of the worker"
    with pytest.raises(StoreError, match="AccessDenied"):
        store.make_bucket("s3://another")
    secrets = {secret["metadata"]["name"]: secret["data"] for secret in space.get("secret")}
    assert set(secrets[kube.SECRET]) == {
        "AWS_ENDPOINT_URL_S3",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
