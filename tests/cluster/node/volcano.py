"""Volcano on the node: its definitions and webhooks from its own manifest, its three programs as
processes of the machine."""

from __future__ import annotations

import base64
import shutil
import socket
from typing import Any

import yaml

from tests.cluster.kube import Cluster
from tests.cluster.node.places import folder, kubeconfig
from tests.cluster.node.processes import start, wait
from tests.cluster.node.programs import module_folder

ADMISSION = "https://127.0.0.1:8443"
ADMITTED = [f"/jobs/{what}" for what in ("mutate", "validate")]
ADMITTED += ["/podgroups/validate", "/queues/mutate", "/queues/validate"]
DEFINITIONS = ("jobs.batch", "queues.scheduling", "podgroups.scheduling", "commands.bus")


def start_volcano(cluster: Cluster) -> None:
    """Start Volcano. Its webhooks are configured before the program that answers them runs, which
    waits for them."""
    source = module_folder("volcano")
    manifest = (source / "installer/volcano-development.yaml").read_text()
    objects = [one for one in yaml.safe_load_all(manifest) if one]
    kinds = ("CustomResourceDefinition", "Namespace")
    cluster.apply(*(one for one in objects if one["kind"] in kinds), server_side=True)
    for name in DEFINITIONS:
        cluster.run("wait", "--for=condition=Established", f"crd/{name}.volcano.sh")
    _start_controllers()
    queue = ("get", "queue", "default", "-o", "name")
    wait("Volcano's default queue", lambda: bool(cluster.run(*queue, check=False)))
    cluster.apply(*filter(None, (_webhook(one) for one in objects)), server_side=True)
    _start_admission()


def _start_controllers() -> None:
    shutil.copy(
        module_folder("volcano") / "installer/helm/chart/volcano/config/volcano-scheduler.conf",
        folder("conf"),
    )
    common = (f"--kubeconfig={kubeconfig()}", "--logtostderr", "--leader-elect=false")
    start(
        "volcano-scheduler",
        folder("bin") / "volcano-scheduler",
        *common,
        f"--scheduler-conf={folder('conf')}/volcano-scheduler.conf",
        "--listen-address=127.0.0.1:8180",
        "--healthz-address=127.0.0.1:11251",
    )
    start(
        "volcano-controllers",
        folder("bin") / "volcano-controller-manager",
        *common,
        "--listen-address=127.0.0.1:8181",
        "--healthz-address=127.0.0.1:11253",
    )


def _start_admission() -> None:
    pki = folder("pki")
    start(
        "volcano-admission",
        folder("bin") / "volcano-webhook-manager",
        f"--kubeconfig={kubeconfig()}",
        "--logtostderr",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--ca-cert-file={pki}/ca.crt",
        "--listen-address=127.0.0.1",
        "--port=8443",
        f"--webhook-url={ADMISSION}",
        f"--enabled-admission={','.join(ADMITTED)}",
    )
    wait("Volcano's admission", _admits)


def _admits() -> bool:
    try:
        with socket.create_connection(("127.0.0.1", 8443), timeout=1):
            return True
    except OSError:
        return False


def _webhook(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return a webhook configuration that leads to this machine, or None where none is needed."""
    if not found["kind"].endswith("WebhookConfiguration"):
        return None
    path = found["webhooks"][0]["clientConfig"]["service"]["path"]
    if path not in ADMITTED:
        return None
    ca = base64.b64encode((folder("pki") / "ca.crt").read_bytes()).decode()
    for webhook in found["webhooks"]:
        webhook["clientConfig"] = {"url": ADMISSION + path, "caBundle": ca}
    return found
