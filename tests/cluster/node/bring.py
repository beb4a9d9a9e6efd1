"""Bring the node up and down."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cluster import image, kube
from tests.cluster.kube import Cluster, Object
from tests.cluster.node import certificates, machine, places, processes, programs
from tests.cluster.node.control_plane import start_api_server, start_controllers, start_kubelet
from tests.cluster.node.places import (
    DNS_IP,
    STORE_NAMESPACE,
    STORE_PASSWORD,
    STORE_PORT,
    STORE_SERVICE,
    STORE_USER,
    folder,
)
from tests.cluster.node.volcano import start_volcano


def cluster() -> Cluster:
    """Return the node as the tests use it, running or not."""
    keys = {
        "AWS_ACCESS_KEY_ID": STORE_USER,
        "AWS_SECRET_ACCESS_KEY": STORE_PASSWORD,
        "AWS_REGION": "us-east-1",
    }
    service = f"http://{STORE_SERVICE}.{STORE_NAMESPACE}:{STORE_PORT}"
    here = f"http://127.0.0.1:{STORE_PORT}"
    return Cluster(
        kubectl=str(folder("bin") / "kubectl"),
        kubeconfig=places.kubeconfig(),
        ca=folder("pki") / "ca.crt",
        store={**keys, "AWS_ENDPOINT_URL_S3": service},
        store_here={**keys, "AWS_ENDPOINT_URL_S3": here},
    )


def is_up() -> bool:
    """Return whether the whole node runs; what starts last is Volcano's admission."""
    started = [path.name for path in folder("pids").iterdir()]
    return "volcano-admission" in started and all(map(processes.is_running, started))


def up() -> Cluster:
    """Start whatever does not run yet: about 15 seconds from nothing."""
    address, node = places.address(), cluster()
    certificates.make(address)
    machine.network()
    machine.etcd()
    machine.store()
    machine.containerd()
    start_api_server(address)
    processes.wait(
        "the API server", lambda: node.run("get", "--raw", "/readyz", check=False) == "ok"
    )
    start_controllers()
    start_kubelet(address, node)
    machine.dns(address)
    node.run("create", "namespace", STORE_NAMESPACE, check=False)  # may be there
    dns = [("dns", 53, 5353, "UDP"), ("dns-tcp", 53, 5353, "TCP")]
    http = [("http", STORE_PORT, STORE_PORT, "TCP")]
    node.apply(*_service("kube-system", "kube-dns", address, dns, DNS_IP))
    node.apply(*_service(STORE_NAMESPACE, STORE_SERVICE, address, http))
    start_volcano(node)
    return node


def ready(folder: Path) -> Cluster:
    """Return the node, running and with the image of this checkout's tests, which is written to
    `folder` first."""
    with places.held("setup"):
        if not is_up():
            programs.install()
            up()
        image.write(kube.IMAGE, folder / "image.tar", kube.environment())
        machine.import_image(folder / "image.tar")
    return cluster()


def down(*, wipe: bool = False) -> None:
    """Stop the node; with `wipe` forget what its etcd and MinIO hold."""
    for path in sorted(folder("pids").iterdir(), reverse=True):
        processes.stop(path.name)
    if wipe:
        for name in ("etcd", "minio"):
            shutil.rmtree(folder(name))


def _service(
    namespace: str,
    name: str,
    address: str,
    ports: list[tuple[str, int, int, str]],
    cluster_ip: str | None = None,
) -> list[Object]:
    """Return a Service whose one endpoint is a program on this machine."""
    meta = {"name": name, "namespace": namespace}
    outside = [{"name": n, "port": port, "protocol": proto} for n, port, _, proto in ports]
    inside = [{"name": n, "port": port, "protocol": proto} for n, _, port, proto in ports]
    spec: Object = {"ports": outside, **({"clusterIP": cluster_ip} if cluster_ip else {})}
    subset = {"addresses": [{"ip": address}], "ports": inside}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]},
    ]
