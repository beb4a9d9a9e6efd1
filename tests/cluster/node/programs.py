"""The node's programs: Debian's packages, and Go programs built once from pinned modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.node.places import folder

GO = Path(__file__).parent / "go"
DEBIAN = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "iproute2",
    "conntrack",
    "socat",
    "openssl",
)
VERSION = "v1.34.4"
STAMP = " ".join(
    f"-X k8s.io/{package}.gitVersion={VERSION}"
    for package in ("component-base/version", "client-go/pkg/version")
)
KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
)
VOLCANO = {
    "scheduler": "volcano-scheduler",
    "controller-manager": "volcano-controller-manager",
    "webhook-manager": "volcano-webhook-manager",
}
MODULES = {
    "etcd": {"go.etcd.io/etcd/server/v3": "etcd"},
    "kubernetes": {f"k8s.io/kubernetes/cmd/{name}": name for name in KUBERNETES},
    "volcano": {f"volcano.sh/volcano/cmd/{source}": name for source, name in VOLCANO.items()},
    "coredns": {".": "coredns"},
}


def missing() -> list[str]:
    """Return what the node needs of the machine and cannot install, in words."""
    lacks = []
    if sys.platform != "linux":
        lacks.append("Linux")
    elif os.geteuid() != 0:
        lacks.append("root")
    if not shutil.which("go"):
        lacks.append("Go")
    if not (shutil.which("apt-get") or shutil.which("containerd")):
        lacks.append("containerd")
    return lacks


def install() -> None:
    """Install and build what is not there yet: about 12 minutes from nothing, on two cores."""
    if not all(shutil.which(name) for name in ("containerd", "runc", "iptables", "openssl")):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", *DEBIAN], environment)
    for name, programs in MODULES.items():
        _build(name, programs, STAMP if name == "kubernetes" else "")


def module_folder(name: str) -> Path:
    """Return a module's source, for the manifests that it brings."""
    work = folder("go") / name
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", f"{name}.sh/{name}"],
        cwd=work,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(listed.stdout.strip())


def _build(name: str, programs: Mapping[str, str], stamp: str) -> None:
    work = folder("go") / name
    if not (work / "go.sum").exists():
        shutil.copytree(GO / name, work, dirs_exist_ok=True)
        _run(["go", "mod", "tidy"], cwd=work)
    for package, binary in programs.items():
        if not (target := folder("bin") / binary).exists():
            flags = ["-trimpath", "-ldflags", f"-s -w {stamp}", "-o", str(target)]
            environment = {**os.environ, "CGO_ENABLED": "0"}
            _run(["go", "build", *flags, package], environment, work)


def _run(
    command: list[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    print(*command[:3], command[-1], flush=True)
    subprocess.run(command, env=environment, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
