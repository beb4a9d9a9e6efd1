"""Where the node keeps its programs, keys, configuration and logs, and the addresses it uses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODE = "node1"
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
KUBERNETES_IP, DNS_IP = "10.96.0.1", "10.96.0.10"
API_PORT, STORE_PORT = 6443, 9000
STORE_NAMESPACE, STORE_SERVICE = "kubeflow", "minio-service"
STORE_USER, STORE_PASSWORD = "minio", "minio123"


def cache() -> Path:
    """Return the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


def state() -> Path:
    """Return the folder of everything that the node keeps."""
    return Path(os.environ.get("ASSAY_CLUSTER") or cache() / "assay/cluster")


def folder(name: str) -> Path:
    """Return a folder of the node's state: bin, pki, conf, log, pids, locks, etcd or minio."""
    path = state() / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def address() -> str:
    """Return the machine's address, under which pods reach what runs on it."""
    shown = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[0]


def kubeconfig(name: str = "admin") -> Path:
    """Return the kubeconfig of one of the node's programs, or of its administrator."""
    return folder("conf") / f"{name}.kubeconfig"


@contextmanager
def held(name: str, *, alone: bool = True) -> Iterator[None]:
    """Hold what several processes use under `name` for the block, alone or together with others
    that do not want it alone; wait for it first."""
    import fcntl  # where there is a node there is one

    with (folder("locks") / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
