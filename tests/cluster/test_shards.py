"""A generation by many pods, a share each: the answers are those of one pod, whatever happens to
some of the pods. In the place of the model the workers run tests.chaos.answering."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Container
from pathlib import Path

import pytest

from tests.chaos.tasks import Tasks
from tests.cluster.kube import Space
from tests.cluster.launchers import Launcher, Start, eventually
from tests.cluster.shares import (
    PODS,
    SAMPLES,
    answers,
    assert_goes_on,
    assert_whole,
    by_pod,
    expected,
    steps,
    workers_of,
)


@pytest.mark.timeout(240)
def test_pods_answer_as_one_does_and_begin_as_there_is_room(
    space: Space, tasks: Tasks, start: Start, gpus: Callable[[int], None], tmp_path: Path
) -> None:
    one, many = tasks.answered_at("one"), tasks.answered_at("many")
    worker = {**tasks.worker("generate"), "gpus": 1}
    gpus(2)
    first = start(one, **worker)
    launcher = start(many, replicas=PODS, **worker)
    assert first.wait(180) == 0, first.output
    assert launcher.wait(180) == 0, launcher.output
    assert answers(one, tmp_path) == expected(tasks)
    assert_whole(tasks, many, launcher, tmp_path)
    acts = [act for acts in by_pod(tasks).values() for act in acts]
    assert sum(act.what == "step" for act in acts) == 2 * SAMPLES
    assert f"generate (candidate): {SAMPLES}/{SAMPLES} samples" in launcher.output
    phases = [
        pod["status"]["phase"]
        for pod in space.pods()
        if pod["metadata"]["name"].startswith(f"{launcher.job}-shard-")
    ]
    assert phases == ["Succeeded"] * PODS
    assert {job["status"]["state"]["phase"] for job in space.get("vcjob")} == {"Completed"}


@pytest.mark.timeout(240)
def test_pods_that_are_killed_go_on_alone(
    space: Space, tasks: Tasks, start: Start, tmp_path: Path
) -> None:
    """One is deleted at once, the process of another is killed, and the launcher is killed too."""
    work = tasks.answered_at("many")

    def launch() -> Launcher:
        return start(work, replicas=PODS, retries=1, **tasks.worker("generate"))

    before = launch()
    killed = in_the_middle(tasks, ())
    os.kill(workers_of(tasks)[killed], signal.SIGKILL)
    deleted = in_the_middle(tasks, killed)
    force = ("--force", "--grace-period=0", "--wait=false")
    space.cluster.run("delete", "pod", f"{before.job}-shard-{deleted}", "-n", space.name, *force)
    before.process.kill()
    launcher = launch()
    assert launcher.wait(180) == 0, launcher.output
    assert "going on with Job" in launcher.output
    assert_whole(tasks, work, launcher, tmp_path)
    for index, acts in by_pod(tasks).items():
        begun = [act for act in acts if act.what == "begin"]
        times = 2 if index in (killed, deleted) else 1
        assert len(begun) == times, f"shard {index} began {begun}"
        assert_goes_on(acts)


def in_the_middle(tasks: Tasks, but: Container[str]) -> str:
    """Return a share, none of those in `but`, when it has answered a few samples and not all."""
    each = SAMPLES // PODS
    halfway: list[str] = []

    def is_any() -> bool:
        shares = ((index, steps(acts)) for index, acts in by_pod(tasks).items() if index not in but)
        halfway[:] = [index for index, done in shares if each // 3 < done < each - 5]
        return bool(halfway)

    eventually(is_any, "answers")
    return halfway[0]
