"""The node's own certificate authority, and a kubeconfig for each program that asks its API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster.node.places import API_PORT, KUBERNETES_IP, NODE, folder, kubeconfig

SUBJECTS = {
    "apiserver": "/CN=apiserver",
    "admin": "/O=system:masters/CN=admin",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "controller": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
}


def make(address: str) -> None:
    """Make whatever is not there yet; `address` is the machine's."""
    pki = folder("pki")
    if (pki / "ca.crt").exists():
        return
    new = ["-newkey", "rsa:2048", "-nodes"]
    _openssl("req", "-x509", *new, "-days", "3650", "-subj", "/CN=assay-test",
             "-keyout", pki / "ca.key", "-out", pki / "ca.crt")  # fmt: skip
    _openssl("genrsa", "-out", pki / "sa.key", "2048")
    _openssl("rsa", "-in", pki / "sa.key", "-pubout", "-out", pki / "sa.pub")
    names = [f"IP:{ip}" for ip in ("127.0.0.1", KUBERNETES_IP, address)]
    names += ["DNS:localhost", "DNS:kubernetes.default.svc", f"DNS:{NODE}"]
    extensions = pki / "extensions"
    extensions.write_text(
        f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    for name, subject in SUBJECTS.items():
        request = pki / f"{name}.csr"
        _openssl("req", *new, "-subj", subject, "-keyout", pki / f"{name}.key", "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", pki / "ca.crt", "-CAkey", pki / "ca.key",
                 "-CAcreateserial", "-days", "3650", "-extfile", extensions,
                 "-out", pki / f"{name}.crt")  # fmt: skip
        _write_kubeconfig(name, pki)


def _write_kubeconfig(name: str, pki: Path) -> None:
    server = {
        "server": f"https://127.0.0.1:{API_PORT}",
        "certificate-authority": str(pki / "ca.crt"),
    }
    user = {
        "client-certificate": str(pki / f"{name}.crt"),
        "client-key": str(pki / f"{name}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "clusters": [{"name": "node", "cluster": server}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": name}}],
    }
    kubeconfig(name).write_text(json.dumps(config))


def _openssl(*arguments: object) -> None:
    command = ["openssl", *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True, capture_output=True)
