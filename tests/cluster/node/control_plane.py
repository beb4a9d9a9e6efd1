"""Kubernetes' own programs on the node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cluster.kube import Cluster
from tests.cluster.node.places import (
    DNS_IP,
    NODE,
    POD_CIDR,
    SERVICE_CIDR,
    folder,
    kubeconfig,
)
from tests.cluster.node.processes import start, wait


def start_api_server(address: str) -> None:
    """Start kube-apiserver."""
    pki = folder("pki")
    start(
        "apiserver",
        folder("bin") / "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={address}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
    )


def start_controllers() -> None:
    """Start the controller manager, the scheduler and kube-proxy."""
    pki, programs = folder("pki"), folder("bin")
    common = ("--leader-elect=false", "--bind-address=127.0.0.1")
    start(
        "controller-manager",
        programs / "kube-controller-manager",
        f"--kubeconfig={kubeconfig('controller')}",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials",
        *common,
    )
    scheduler = (programs / "kube-scheduler", f"--kubeconfig={kubeconfig('scheduler')}")
    start("scheduler", *scheduler, *common)
    start("kube-proxy", programs / "kube-proxy", f"--config={_written('proxy', _proxy())}")


def start_kubelet(address: str, cluster: Cluster) -> None:
    """Start the kubelet, and wait until the node is ready."""
    start(
        "kubelet",
        folder("bin") / "kubelet",
        f"--config={_written('kubelet', _kubelet())}",
        f"--kubeconfig={kubeconfig('kubelet')}",
        f"--hostname-override={NODE}",
        f"--node-ip={address}",
        "--root-dir=/var/lib/kubelet",
    )
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    ready = ("get", "node", NODE, "-o", f"jsonpath={path}")
    wait("the node", lambda: cluster.run(*ready, check=False) == "True")


def _proxy() -> dict[str, Any]:
    connections = {"maxPerCore": 0, "min": 0}
    connections |= dict.fromkeys(("tcpEstablishedTimeout", "tcpCloseWaitTimeout"), "0s")  # type: ignore[arg-type]
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(kubeconfig("proxy"))},
        "conntrack": connections,
    }


def _kubelet() -> dict[str, Any]:
    pki = folder("pki")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,  # 1.34 runs on cgroup v1 where it is told to
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "imageGCHighThresholdPercent": 100,
        "containerLogMaxSize": "1Gi",  # where containerd rotates a log, it may split a line
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
    }


def _written(name: str, config: dict[str, Any]) -> Path:
    path, text = folder("conf") / f"{name}.yaml", json.dumps(config)
    if not path.exists() or path.read_text() != text:  # kube-proxy ends when its file is written
        path.write_text(text)
    return path
