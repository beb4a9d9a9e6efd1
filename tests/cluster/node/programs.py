"""The node's programs: Debian's packages, and Go programs built once from modules that go.sum pins
with their hashes (`go mod tidy` in go/ writes it again for another version)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

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
# Go's package of each program; what they share is compiled once
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "coredns": "assay.test/node",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "volcano-controller-manager": "volcano.sh/volcano/cmd/controller-manager",
    "volcano-scheduler": "volcano.sh/volcano/cmd/scheduler",
    "volcano-webhook-manager": "volcano.sh/volcano/cmd/webhook-manager",
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
    """Install and build what is not there yet."""
    if not all(shutil.which(name) for name in ("containerd", "runc", "iptables", "openssl")):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", *DEBIAN], environment)
    _build()


def module_folder(name: str) -> Path:
    """Return a module's source, for the manifests that it brings."""
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", f"{name}.sh/{name}"],
        cwd=GO,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(listed.stdout.strip())


def _build() -> None:
    """Build the programs in one go, which links one while it compiles another; all of them again
    where a version changed."""
    target, built = folder("bin"), folder("bin") / "go.sum"
    versions = (GO / "go.sum").read_bytes()
    if not built.exists() or built.read_bytes() != versions:
        for binary in PACKAGES:
            (target / binary).unlink(missing_ok=True)
    wanted = {name: package for name, package in PACKAGES.items() if not (target / name).exists()}
    if wanted:
        with TemporaryDirectory(dir=target) as made:
            flags = ["-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", f"-s -w {STAMP}"]
            environment = {**os.environ, "CGO_ENABLED": "0"}
            _run(["go", "build", *flags, "-o", f"{made}/", *wanted.values()], environment, GO)
            for binary, package in wanted.items():
                (Path(made) / _made_as(package)).rename(target / binary)
        built.write_bytes(versions)


def _made_as(package: str) -> str:
    """Return how Go names a package's program: after its last folder that is no version."""
    return next(part for part in reversed(package.split("/")) if not re.fullmatch(r"v\d+", part))


def _run(
    command: list[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    print(*command[:3], command[-1], flush=True)
    subprocess.run(command, env=environment, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
