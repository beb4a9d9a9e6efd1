"""What runs below Kubernetes: the network, containerd, etcd, DNS and MinIO."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import minio
from tests.cluster.node.places import (
    NODE,
    POD_CIDR,
    SERVICE_CIDR,
    STORE_PASSWORD,
    STORE_PORT,
    STORE_USER,
    folder,
    kubeconfig,
)
from tests.cluster.node.processes import answers, start, wait

PAUSE = "localhost/pause:1"
PAUSE_SOURCE = """package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
"""
# restrict_oom_score_adj: without CAP_SYS_RESOURCE no process may lower its oom_score_adj
CONTAINERD = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""
COREFILE = """.:5353 {{
  bind {address}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig} node
  }}
}}
"""


def network() -> None:
    """Let pods out. Service addresses never leave the machine: kube-proxy rewrites them, and a
    bridge catches the rest."""
    for command in (
        "sysctl -qw net.ipv4.ip_forward=1",
        "mount --make-rshared /",
        "ip link add svc0 type bridge",  # is there already, after the first time
        "ip link set svc0 up",
        f"ip route replace {SERVICE_CIDR} dev svc0",
    ):
        subprocess.run(command.split(), check=False, capture_output=True)


def etcd() -> None:
    """Start etcd; what it keeps needs no disk that is safe."""
    client = "http://127.0.0.1:2379"
    urls = ["--listen-client-urls", client, "--advertise-client-urls", client]
    urls += ["--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync"]
    start("etcd", folder("bin") / "etcd", "--data-dir", folder("etcd"), *urls)
    wait("etcd", lambda: answers(f"{client}/health"))


def store() -> None:
    """Start MinIO for pods and tests alike."""
    secrets = {"MINIO_ROOT_USER": STORE_USER, "MINIO_ROOT_PASSWORD": STORE_PASSWORD}
    where = ["--address", f"0.0.0.0:{STORE_PORT}", "--console-address", "127.0.0.1:9001"]
    start("minio", minio.binary(), "server", *where, folder("minio"), environment=secrets)
    wait("MinIO", lambda: answers(f"http://127.0.0.1:{STORE_PORT}/minio/health/ready"))


def dns(address: str) -> None:
    """Start CoreDNS, which pods reach as kube-dns."""
    path = folder("conf") / "Corefile"
    path.write_text(COREFILE.format(address=address, kubeconfig=kubeconfig()))
    start("coredns", folder("bin") / "coredns", "-conf", path)


def containerd() -> None:
    """Start containerd, with the one image that every pod needs."""
    cni = folder("conf") / "cni"
    cni.mkdir(exist_ok=True)
    (cni / "10-bridge.conflist").write_text(json.dumps(_pod_network()))
    path = folder("conf") / "containerd.toml"
    path.write_text(CONTAINERD.format(pause=PAUSE, cni=cni))
    start("containerd", "containerd", "--config", path)
    wait("containerd", _containerd_answers)
    if PAUSE not in images():
        _make_pause()


def _containerd_answers() -> bool:
    return subprocess.run(["ctr", "version"], capture_output=True, check=False).returncode == 0


def images() -> list[str]:
    """Return the names of the images that the node has."""
    listed = subprocess.run(
        ["ctr", "-n", "k8s.io", "images", "ls", "-q"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()


def import_image(archive: Path) -> None:
    """Give the node the image in an archive."""
    command = ["ctr", "-n", "k8s.io", "images", "import", str(archive)]
    subprocess.run(command, check=True, capture_output=True)


def _pod_network() -> dict[str, object]:
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ipam,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": f"pods-of-{NODE}", "plugins": [bridge, ports]}


def _make_pause() -> None:
    """Build and import the sandbox image: a static program that waits."""
    from tests.cluster import image

    with TemporaryDirectory() as temporary:
        source, program = Path(temporary) / "main.go", Path(temporary) / "pause"
        source.write_text(PAUSE_SOURCE)
        build = ["env", "CGO_ENABLED=0", "go", "build", "-o", str(program), str(source)]
        subprocess.run(build, check=True, capture_output=True)
        archive = Path(temporary) / "image.tar"
        image.write_archive(PAUSE, archive, {"pause": program.read_bytes()}, ["/pause"])
        import_image(archive)
