"""What the shares of a generation by many pods come to, whose model tests.chaos.answering stands in
for."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from assay import store
from assay.folder import GENERATION, PREDICTIONS
from assay.queues import Work
from tests.chaos import tally
from tests.chaos.answering import answer_to
from tests.chaos.tally import Act
from tests.chaos.tasks import Tasks
from tests.cluster.launchers import Launcher, last_line

PODS, SAMPLES = 4, 96
KEPT_SECONDS = 5.0  # by then an answer is in the store


def answers(work: Work, folder: Path) -> bytes:
    """Return the file of answers that was published, which is then in a folder of its name."""
    return (store.fetch(work.key, folder) / PREDICTIONS).read_bytes()


def expected(tasks: Tasks) -> bytes:
    """Return what one pod writes: the stand-in's answers in the order of the samples."""
    name = tasks.root.rpartition("/")[2]
    rows = (answer_to(f"{name}-{at}") for at in range(SAMPLES))
    return b"".join(store.to_json(row) + b"\n" for row in rows)


def by_pod(tasks: Tasks) -> dict[str, list[Act]]:
    """Return what the stand-ins did, by the pod that they were in."""
    found: dict[str, list[Act]] = {}
    for act in tally.read(tasks.tally("generate")):
        found.setdefault(act.process.split("/")[0].rpartition("-")[2], []).append(act)
    return found


def assert_whole(tasks: Tasks, work: Work, launcher: Launcher, folder: Path) -> None:
    """All is there that one pod would have left, and nothing besides."""
    assert answers(work, folder) == expected(tasks)
    record = store.read_json(folder / "many" / GENERATION)
    assert record["samples"] == SAMPLES
    assert record["digest"] == last_line(launcher)["digest"]
    assert f"({PODS} pods, " in record["runner"]
    left = [name for name in store.listed(tasks.root) if ".partial" in name or ".lease" in name]
    assert left == [], launcher.output


def steps(acts: list[Act]) -> int:
    """Return how many answers those are."""
    return sum(act.what == "step" for act in acts)


def assert_goes_on(acts: list[Act]) -> None:
    """What a pod had answered some seconds before it was killed is not answered again."""
    first, *again = [act for act in acts if act.what == "begin"]
    assert first.step == 0
    for begin in again:
        done = [act for act in acts if act.what == "step" and act.process != begin.process]
        kept = [act.step for act in done if done[-1].at - act.at > KEPT_SECONDS]
        assert begin.step >= max(kept, default=0)
        assert begin.step > 0, "it began anew"


def workers_of(tasks: Tasks) -> dict[str, int]:
    """Return the processes of the workers, by the share that each has, as its environment names
    it."""
    mine, found = str(tasks.tally("generate")).encode(), dict[str, int]()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            around = (path / "environ").read_bytes()
            is_worker = b"tests.chaos.worker" in (path / "cmdline").read_bytes()
            share = re.search(rb"VC_TASK_INDEX=(\d+)\0", around)
            if is_worker and mine in around and share:
                found[share[1].decode()] = int(path.name)
    return found
