"""A Job that can never start: the error names the cause and the remedy, and no Job stays behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import image, kube
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Launcher, Start, eventually, fails, work
from tests.cluster.node import machine
from tests.loopback import Quiet, serving


class Registry(Quiet):
    """Has no image."""

    def do_GET(self) -> None:  # noqa: N802
        self.reply(b"{}", 404)

    do_HEAD = do_GET  # noqa: N815


@pytest.fixture(name="registry")
def empty_registry() -> Iterator[str]:
    with serving(Registry) as address:
        yield address.removeprefix("http://")


def test_an_image_that_is_missing(space: Space, start: Start, registry: str) -> None:
    launcher = start(work(), image=f"{registry}/none:1")
    error = fails(launcher, space, 2)
    assert f"{registry}/none:1: not found" in error
    assert "Check cluster.image" in error


def test_a_registry_that_is_away_is_waited_for(space: Space, start: Start) -> None:
    launcher = start(work(), image="127.0.0.1:1/none:1", timeout_s=45)
    error = fails(launcher, space, 1)
    assert "was not done within 45 s: pod " in error
    assert "connection refused" in error


@pytest.mark.parametrize(
    ("user", "task", "told", "remedy"),
    [
        ("0", {}, "image will run as root", "Give the image a USER by its number"),
        ("assay", {}, "non-numeric user (assay)", "Give the image a USER by its number"),
        # without this machine's programs in it
        ("65532", {"volumes": [], "volume_mounts": []}, '"python": exec', "set cluster.image"),
    ],
)
def test_an_image_that_is_none_of_assays(
    space: Space,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    task: dict[str, Any],
    told: str,
    remedy: str,
) -> None:
    name = f"another-{user}:1"
    monkeypatch.setattr(image, "USER", user)
    image.write_archive(name, tmp_path / "image.tar", {}, ["/bin/sh"])
    machine.import_image(tmp_path / "image.tar")
    error = fails(start(work(), image=name, task=task), space, 2)
    assert told in error
    assert remedy in error


def started_with(start: Start, volume: dict[str, Any]) -> Launcher:
    """Start a launcher on whose task a volume was set."""
    mounted = kube.mounted()
    mount = {"name": "own", "mountPath": "/own"}
    task = {
        "volumes": [*mounted["volumes"], {"name": "own", **volume}],
        "volume_mounts": [*mounted["volume_mounts"], mount],
    }
    return start(work(), script=DONE, task=task)


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        (
            {"secret": {"secretName": kube.SECRET, "items": [{"key": "none", "path": "p"}]}},
            "references non-existent secret key: none",
        ),
        ({"persistentVolumeClaim": {"claimName": "none"}}, 'claim "none" not found'),
    ],
)
def test_a_volume_that_is_missing(
    space: Space, start: Start, volume: dict[str, Any], told: str
) -> None:
    error = fails(started_with(start, volume), space, 2)
    assert told in error
    assert "Check the Secrets, ConfigMaps and volumes that the task names" in error


def test_a_secret_that_is_missing(space: Space, start: Start) -> None:
    key = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "none", "key": "token"}}}
    launcher = start(work(), task={"env": [key]})
    error = fails(launcher, space, 2)
    assert 'secret "none" not found' in error


def test_a_queue_that_is_unknown(space: Space, start: Start) -> None:
    error = fails(start(work(), queue="none"), space, 2)
    assert "none" in error
    assert "Correct cluster.queue" in error


def close(space: Space, name: str) -> None:
    """Close a queue as `vcctl queue operate` does."""
    uid = space.cluster.run("get", "queue", name, "-o", "jsonpath={.metadata.uid}")
    of = {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "name": name, "uid": uid}
    command = {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"name": f"{space.name}-close", "namespace": "default"},
        "action": "CloseQueue",
        "target": of,
    }
    space.cluster.apply(command)


def test_a_queue_that_is_closed(space: Space, start: Start, queue: Callable[..., str]) -> None:
    name = queue()
    close(space, name)
    eventually(lambda: space.queue_state(name) == "Closed", "the queue is closed")
    error = fails(start(work(), queue=name), space, 2)
    assert name in error
    assert "or open it" in error


def test_a_queue_that_is_closed_while_a_job_waits_in_it(
    space: Space, start: Start, queue: Callable[..., str]
) -> None:
    """Volcano goes on saying what it said before; the queue can close once the Job is gone."""
    name = queue(capability={"cpu": 1})
    launcher = start(work(), queue=name, cpu="2", closed_s=12)
    launcher.until("waiting: ")
    close(space, name)
    launcher.until(f"waiting: the queue {name} is Closing")
    error = fails(launcher, space, 2)
    assert f"the queue {name} is Closing, and the Job has waited in it for 1" in error
    assert "Have it opened, or correct cluster.queue" in error
    waits = [line for line in launcher.output.splitlines() if "waiting: " in line]
    assert len(waits) == len(set(waits)), waits
    eventually(lambda: space.queue_state(name) == "Closed", "the queue is closed")


def test_a_quota_that_is_too_small(space: Space, start: Start) -> None:
    space.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", "namespace": space.name},
            "spec": {"hard": {"requests.memory": "1Gi"}},
        }
    )
    launcher = start(work(), memory="2Gi")
    error = fails(launcher, space, 2)
    assert "quota small allows requests.memory=1Gi" in error
    assert "requests.memory=2Gi" in error


def test_an_unknown_priority_class(space: Space, start: Start) -> None:
    error = fails(start(work(), priority_class="none"), space, 2)
    assert "cluster.priority_class" in error


def test_no_room_within_the_time(space: Space, start: Start) -> None:
    launcher = start(work(), cpu="999", timeout_s=12)
    error = fails(launcher, space, 1)
    assert "the Job was not done within 12 s" in error
    assert "overused cpu" in error
    assert "waiting: " in launcher.output
