from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from assay.kubeflow import client
from assay.kubeflow.client import Kfp
from assay.kubeflow.connection import Connection
from tests.kfp.kfp_server import KfpServer
from tests.kfp.served import serve
from tests.kfp.virtual_time import VirtualTime

CONFIG = {
    "dataset": {"eval": "s3://bucket/eval.json"},
    "model": "s3://bucket/model",
    "judge": {"endpoint": "https://judge.example/v1", "model": "big"},
}


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection comes from the machine that the tests run on."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    for name in ("KF_PIPELINES_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="time")
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """What every connection goes by, the command line's too."""
    made = VirtualTime()
    monkeypatch.setattr(client, "connect", partial(client.connect, clock=made.clock))
    return made


@pytest.fixture
def server(time: VirtualTime, monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    with serve() as running:
        running.time = time.read
        monkeypatch.setenv("ASSAY_KFP_ENDPOINT", running.url)
        monkeypatch.setenv("ASSAY_KFP_UI", running.url)
        yield running


@pytest.fixture
def kfp(server: KfpServer) -> Kfp:
    return client.connect(Connection(endpoint=server.url))


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "nightly.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path
