"""One node for all tests, a namespace for each."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import image, kube, launchers
from tests.cluster.kube import Cluster, Space
from tests.cluster.launchers import Launcher, Start

SPACES = itertools.count()


@pytest.fixture(scope="session", name="cluster")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = Path(os.environ["ASSAY_CLUSTER"])
    keys = {
        "AWS_ACCESS_KEY_ID": "minio",
        "AWS_SECRET_ACCESS_KEY": "minio123",
        "AWS_REGION": "us-east-1",
    }
    cluster = Cluster(
        kubectl=str(folder / "bin/kubectl"),
        kubeconfig=folder / "conf/admin.kubeconfig",
        ca=folder / "pki/ca.crt",
        store={**keys, "AWS_ENDPOINT_URL_S3": "http://minio-service.kubeflow:9000"},
        store_here={**keys, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"},
    )
    archive = tmp_path_factory.mktemp("image") / "image.tar"
    image.write(kube.IMAGE, archive, kube.environment())
    subprocess.run(
        ["ctr", "-n", "k8s.io", "images", "import", archive], check=True, capture_output=True
    )
    return cluster


@pytest.fixture(name="space")
def own_space(cluster: Cluster, tmp_path: Path) -> Iterator[Space]:
    """A namespace of the test's own."""
    with kube.space(cluster, f"assay-{os.getpid()}-{next(SPACES)}", tmp_path / "accounts") as made:
        yield made


@pytest.fixture(name="start")
def start_launcher(space: Space, tmp_path: Path) -> Iterator[Start]:
    """Starts launchers in the test's namespace, which end with the test."""
    started: list[Launcher] = []

    def start(*arguments: Any, **settings: Any) -> Launcher:
        started.append(launchers.start(space, tmp_path, *arguments, **settings))
        return started[-1]

    yield start
    for launcher in started:
        launcher.process.kill()
        launcher.process.wait()
