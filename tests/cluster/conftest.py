"""One node for all tests, a namespace for each; several files' tests run at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from assay import config, plan, preflight, store
from assay.demo.base_model import base_model
from assay.volcano import queue
from tests.chaos.tasks import Tasks
from tests.cluster import kube, launchers, shares
from tests.cluster.data import BASE
from tests.cluster.kube import Cluster, Object, Space
from tests.cluster.launchers import Launcher, Start
from tests.cluster.node import bring, places, programs
from tests.needs import need

SPACES = itertools.count()
NEEDS_NO_NODE = "test_images.py"
Preflight = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest, and end with what has to wait until the node is free; what
    needs no node goes on meanwhile."""

    def place(item: pytest.Item) -> tuple[bool, bool, float]:
        limit = item.get_closest_marker("timeout")
        alone = item.get_closest_marker("alone") is not None
        return alone, NEEDS_NO_NODE in item.nodeid, -limit.args[0] if limit else 0

    items.sort(key=place)


class EachTest(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each worker of pytest-xdist a test at a time, and to one all tests of the image, which
    the first of them builds."""

    def _split_scope(self, nodeid: str) -> str:
        return NEEDS_NO_NODE if NEEDS_NO_NODE in nodeid else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> EachTest:
    """Have the tests in the order above, not those files first that have most."""
    config.option.loadscopereorder = False
    return EachTest(config, log)


@pytest.fixture(scope="session", name="node")
def running_node(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The node, which stays up after the tests for the next ones."""
    lacks = programs.missing()
    need(not lacks, f"a cluster needs {', '.join(lacks)}")
    return bring.ready(tmp_path_factory.mktemp("image"))


@pytest.fixture(name="cluster")
def shared_cluster(node: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The node, together with other tests unless this one is marked as alone."""
    with places.held("node", alone=request.node.get_closest_marker("alone") is not None):
        yield node


@pytest.fixture(name="gpus")
def own_gpus(cluster: Cluster) -> Iterator[Callable[[int], None]]:
    """Says how many GPUs the node has, for one test at a time; in the end none."""
    with places.held("gpus"):
        yield cluster.set_gpus
        cluster.set_gpus(0)


@pytest.fixture(name="space")
def own_space(cluster: Cluster, tmp_path: Path) -> Iterator[Space]:
    """A namespace of the test's own."""
    with kube.space(cluster, f"assay-{os.getpid()}-{next(SPACES)}", tmp_path / "accounts") as made:
        yield made


@pytest.fixture(name="queue")
def own_queue(space: Space) -> Iterator[Callable[..., str]]:
    """Makes an open queue of the test's own, with this specification, and returns its name."""
    name = f"{space.name}-queue"

    def make(**spec: object) -> str:
        made: Object = {
            "apiVersion": "scheduling.volcano.sh/v1beta1",
            "kind": "Queue",
            "metadata": {"name": name},
            "spec": {"weight": 1, **spec},
        }
        space.cluster.apply(made)
        launchers.eventually(lambda: space.queue_state(name) == "Open", "the queue is open")
        return name

    yield make
    space.cluster.run("delete", "queue", name, "--ignore-not-found")


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


@pytest.fixture(name="store_here")
def reachable_store(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster's store, with its bucket, as this process reaches it."""
    for name, value in cluster.store_here.items():
        monkeypatch.setenv(name, value)
    store.make_bucket(kube.STORE)


@pytest.fixture(name="tasks")
def published_tasks(space: Space, store_here: None, tmp_path: Path) -> Tasks:
    """Samples and a model in the store, for workers that may write to a folder of the node."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # the pod's user has to get there
    tasks = Tasks(root=f"{kube.STORE}/{space.name}", folder=tmp_path, step_seconds=0.3)
    tasks.publish(samples=shares.SAMPLES)
    return tasks


@pytest.fixture(name="root")
def artifact_root(space: Space, store_here: None) -> str:
    """The URI that a test's artifacts go under; the base model is in the store too."""
    with places.held("base"):
        store.publish(base_model(), BASE)
    return f"{kube.STORE}/{space.name}"


@pytest.fixture(name="preflight_in")
def preflight_in_a_space(store_here: None, monkeypatch: pytest.MonkeyPatch) -> Preflight:
    """Asks the cluster as the pipeline's first task does, for a fine-tune with these settings, with
    a launcher's rights in a namespace and the keys that its pod gets."""

    def check(space: Space, **settings: Any) -> None:
        monkeypatch.setattr(queue, "here", lambda: space.api)
        asked = {
            "dataset": {"train": "s3://none/train", "eval": "s3://none/eval"},
            "finetune": {"base_model": f"org/base@{'0' * 40}", "template": "qwen3"},
            "mode": "auto",
            "cluster": {"gpus": 0, **settings},
        }
        preflight.check_cluster(plan.make(config.parse(asked)), f"{kube.STORE}/{space.name}")

    return check
