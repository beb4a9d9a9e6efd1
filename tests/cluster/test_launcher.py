"""However a launcher ends, one Job at most is there, and in the end none that nobody wants."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import Any

import pytest

from assay.volcano.api import ApiError, jobs, pods, request, watch
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, Launcher, Start, eventually, last_line, work

FOREVER = "echo begin; exec sleep 600"


def job_of(space: Space, launcher: Launcher) -> dict[str, Any] | None:
    """Return the launcher's Job as it is now, or None."""
    try:
        return request(space.api, "GET", f"{jobs(space.api)}/{launcher.job}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def is_ended(space: Space, launcher: Launcher) -> bool:
    job = job_of(space, launcher)
    return job is None or "deletionTimestamp" in job["metadata"]


def uid_of(space: Space, launcher: Launcher) -> str:
    job = job_of(space, launcher)
    assert job is not None
    return str(job["metadata"]["uid"])


def test_sigterm_while_the_worker_runs(space: Space, start: Start) -> None:
    launcher = start(work(), script=FOREVER)
    launcher.until("begin")
    launcher.process.terminate()
    eventually(lambda: is_ended(space, launcher), "the Job is being deleted", 5)
    assert launcher.wait() != 0
    eventually(lambda: not space.pods(), "the worker is gone")


def test_sigterm_while_the_job_waits(space: Space, start: Start) -> None:
    launcher = start(work(), script=FOREVER, cpu="999")
    launcher.until("waiting: ")
    launcher.process.terminate()
    eventually(lambda: is_ended(space, launcher), "the Job is being deleted", 5)
    assert launcher.wait() != 0


def test_sigterm_as_soon_as_the_job_is_there(space: Space, start: Start) -> None:
    """Before the launcher has read the answer to its request, or seen any state of the Job."""
    launcher = start(work(), script=FOREVER)
    while job_of(space, launcher) is None:
        assert launcher.process.poll() is None, launcher.output
    launcher.process.terminate()
    eventually(lambda: is_ended(space, launcher), "the Job is being deleted", 5)
    assert launcher.wait() != 0


@pytest.mark.parametrize("seed", range(8))
def test_sigterm_at_any_moment(space: Space, start: Start, seed: int) -> None:
    launcher = start(work(), script=FOREVER)
    time.sleep(random.Random(seed).uniform(0.2, 2.0))
    launcher.process.send_signal(signal.SIGTERM)
    assert launcher.wait() != 0
    assert is_ended(space, launcher)
    time.sleep(1)
    eventually(lambda: job_of(space, launcher) is None, "no Job is left")


def test_a_live_job_of_an_earlier_try_is_taken_over(space: Space, start: Start) -> None:
    script = f"for i in $(seq 30); do echo step $i; sleep 0.3; done; {DONE}"
    first = start(work(), script=script)
    first.until("step 3")
    first.process.kill()
    uid = uid_of(space, first)
    second = start(work(), script=script)
    assert second.wait() == 0, second.output
    assert f"going on with Job {first.job} of an earlier try" in second.output
    assert uid_of(space, second) == uid
    steps = [line for line in second.output.splitlines() if line.startswith("step")]
    assert steps == [f"step {number}" for number in range(1, 31)]
    assert last_line(second) == {"digest": "d"}


def test_the_result_of_a_finished_job_is_used(space: Space, start: Start) -> None:
    first = start(work(), script=DONE)
    assert first.wait() == 0, first.output
    uid = uid_of(space, first)
    second = start(work(), script="echo again; exit 1")
    assert second.wait() == 0, second.output
    assert uid_of(space, second) == uid
    assert "again" not in second.output
    assert last_line(second) == last_line(first) == {"digest": "d"}


def test_a_dead_job_of_an_earlier_try_is_replaced(space: Space, start: Start) -> None:
    first = start(work(), script="echo begin; sleep 3; exit 1")
    first.until("begin")
    first.process.kill()
    uid = uid_of(space, first)

    def phase() -> str:
        return str((job_of(space, first) or {})["status"]["state"]["phase"])

    eventually(lambda: phase() == "Terminated", "the Job is dead")
    second = start(work(), script=DONE)
    assert second.wait() == 0, second.output
    assert f"replacing Job {first.job} of an earlier try (Terminated)" in second.output
    assert uid_of(space, second) != uid


def test_launchers_killed_at_random_moments(space: Space, start: Start) -> None:
    """Twenty tries of one task make one Job and one pod."""
    seen: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for change, found in watch(space.api, pods(space.api), {}):
                listed = (found["items"] or []) if change == "LIST" else [found]
                seen.update(pod["metadata"]["uid"] for pod in listed)
                if stop.is_set():
                    return

    threading.Thread(target=look, daemon=True).start()
    moments = random.Random(4)
    script = f"for i in $(seq 60); do echo step $i; sleep 0.5; done; {DONE}"
    for _ in range(20):
        launcher = start(work(), script=script)
        time.sleep(moments.uniform(0.2, 2.0))
        launcher.process.kill()
        assert len(space.jobs()) <= 1
    last = start(work(), script=script)
    assert last.wait(180) == 0, last.output
    assert last_line(last) == {"digest": "d"}
    stop.set()
    assert space.jobs() == [last.job]
    assert len(seen) == 1
