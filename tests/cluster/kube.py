"""What the tests ask of a cluster, through kubectl, and the objects that they put into it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from assay.volcano.api import Api, jobs, pods, request

ROOT = Path(__file__).parents[2]
# a checkout has its own, which names it
IMAGE = f"assay-worker:{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
ACCOUNT = "pipeline-runner"
SECRET = "assay-store"
STORE = "minio://assay-cluster-tests"
Object = dict[str, Any]


def rules_in(name: str) -> list[Object]:
    """Return the rules that a file of manifests/ gives, so that every test shows that they
    suffice."""
    text = (ROOT / "manifests/base" / name).read_text()
    return list(next(yaml.safe_load_all(text))["rules"])


RULES = rules_in("rbac.yaml")  # a launcher's, in its namespace
CLUSTER_RULES = rules_in("preflight.yaml")  # and outside of it
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running cluster: its `kubectl`, the `kubeconfig` of its administrator, the certificate of
    its authority, and the store in it, as pods reach it and as this machine does."""

    kubectl: str
    kubeconfig: Path
    ca: Path
    store: Mapping[str, str]
    store_here: Mapping[str, str]

    def run(self, *arguments: str, text: str = "", check: bool = True) -> str:
        """Run kubectl and return what it prints."""
        command = [self.kubectl, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def apply(self, *objects: Object, server_side: bool = False) -> None:
        """Make the objects what is asked for; large ones have to be compared by the server."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        options = ["--server-side", "--force-conflicts"] if server_side else []
        self.run("apply", *options, "-f", "-", text=json.dumps(items))

    def get(self, kind: str, namespace: str, *arguments: str) -> list[Object]:
        """Return the objects of a kind in a namespace."""
        found = self.run("get", kind, "-n", namespace, "-o", "json", *arguments)
        return list(json.loads(found)["items"])

    def behind(self, address: str, port: int) -> Cluster:
        """Return the same with the store reached at a port of this machine, as pods know it by
        `address`."""
        there, here = (
            {"AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"} for host in (address, "127.0.0.1")
        )
        return replace(self, store={**self.store, **there}, store_here={**self.store_here, **here})

    def set_gpus(self, count: int) -> None:
        """Have the node say that it has so many GPUs."""
        (node,) = json.loads(self.run("get", "nodes", "-o", "json"))["items"]
        amount = {"nvidia.com/gpu": str(count)}
        patch = json.dumps({"status": {"capacity": amount, "allocatable": amount}})
        options = ("--subresource=status", "--type=merge", "-p", patch)
        self.run("patch", "node", node["metadata"]["name"], *options)


@dataclass(frozen=True, kw_only=True)
class Space:
    """A namespace of a test's own, with a service account that has the launcher's rights, and as
    an `api` that asks with them from this machine."""

    cluster: Cluster
    name: str
    api: Api

    def get(self, kind: str, *arguments: str) -> list[Object]:
        """Return the objects of a kind."""
        return self.cluster.get(kind, self.name, *arguments)

    def queue_state(self, name: str) -> str:
        """Return the state of a queue, which lies in no namespace."""
        return self.cluster.run("get", "queue", name, "-o", "jsonpath={.status.state}")

    def jobs(self) -> list[str]:
        """Return the names of the Volcano Jobs."""
        found = request(self.api, "GET", jobs(self.api))["items"]
        return [job["metadata"]["name"] for job in found or []]

    def pods(self) -> list[Object]:
        """Return the pods; without kubectl, which costs much where one asks often."""
        return list(request(self.api, "GET", pods(self.api))["items"] or [])


@contextmanager
def space(
    cluster: Cluster,
    name: str,
    folder: Path,
    rules: Sequence[Object] = RULES,
    cluster_rules: Sequence[Object] = CLUSTER_RULES,
) -> Iterator[Space]:
    """Make a namespace for the block, and delete it after."""
    meta = {"name": ACCOUNT, "namespace": name}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        *_rights("Role", meta, meta, rules),
        *_rights("ClusterRole", {"name": name}, meta, cluster_rules),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": name},
            "stringData": dict(cluster.store),
        },
    )
    account = folder / name
    account.mkdir(parents=True)
    token = cluster.run("create", "token", ACCOUNT, "-n", name, "--duration=4h")
    (account / "token").write_text(token)
    (account / "namespace").write_text(name)
    (account / "ca.crt").write_bytes(cluster.ca.read_bytes())
    try:
        yield Space(
            cluster=cluster, name=name, api=Api(host="127.0.0.1", port=6443, account=account)
        )
    finally:
        made = (f"{kind}/{name}" for kind in ("namespace", "clusterrolebinding", "clusterrole"))
        cluster.run("delete", "--wait=false", *made)


def _rights(kind: str, meta: Object, account: Object, rules: Sequence[Object]) -> list[Object]:
    """Return a role and what binds it to a service account."""
    of = {"apiVersion": f"{RBAC}/v1", "metadata": meta}
    role = {"apiGroup": RBAC, "kind": kind, "name": meta["name"]}
    subjects = [{"kind": "ServiceAccount", **account}]
    return [
        {**of, "kind": kind, "rules": list(rules)},
        {**of, "kind": f"{kind}Binding", "roleRef": role, "subjects": subjects},
    ]


def mounted(*more: Path) -> dict[str, list[Object]]:
    """Return volumes and mounts that put this machine's programs and Python environment, and `more`
    folders, into a pod, as dsl.TaskConfig has them: the image of the tests is empty."""
    paths = dict.fromkeys(
        [
            Path("/usr"),
            Path(sys.base_prefix).resolve(),
            Path(sys.prefix).resolve(),
            ROOT,
            *more,
        ]
    )
    volumes, mounts = [], []
    for number, path in enumerate(paths):
        name = f"machine-{number}"
        volumes.append({"name": name, "hostPath": {"path": str(path), "type": "Directory"}})
        mounts.append({"name": name, "mountPath": str(path), "readOnly": True})
    return {"volumes": volumes, "volume_mounts": mounts}


def environment() -> dict[str, str]:
    """Return the environment of a container that runs this checkout."""
    return {
        "PATH": os.pathsep.join(["/python", f"{Path(sys.prefix).resolve() / 'bin'}", "/usr/bin"]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "HOME": "/tmp",  # noqa: S108  in the pod
        "OMP_NUM_THREADS": "1",
    }
