"""What must hold when it is over: each check returns a line for whatever does not."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from assay import store
from tests.chaos import tally
from tests.chaos.life import Life
from tests.cluster.kube import Space
from tests.cluster.launchers import eventually

KEPT_SECONDS = 5.0  # by then what was done or paid for is in the store
UPLOAD_SECONDS = 10.0  # a checkpoint is looked at twice before it is sent

Away = Sequence[tuple[float, float]]


def each_succeeded_or_says_why(lives: Iterable[Life]) -> list[str]:
    """Return the runs that failed without a word."""
    return [
        f"{life.run.name} has not succeeded and does not say why: {life.causes}"
        for life in lives
        if not life.succeeded and not (life.causes and all(life.causes))
    ]


def nothing_is_done_twice(lives: Iterable[Life], away: Away) -> list[str]:
    """Return the tries that began at 0 again, or behind work that had to be in the store."""
    return [
        f"{life.run.name}, {stage}: {line}"
        for life in lives
        for stage in ("finetune", "generate")
        for line in _done_twice(tally.read(life.tasks.tally(stage)), stage, away)
    ]


def _done_twice(acts: Sequence[tally.Act], stage: str, away: Away) -> list[str]:
    saved = "checkpoint" if stage == "finetune" else "step"
    limit = UPLOAD_SECONDS if stage == "finetune" else KEPT_SECONDS
    lines = []
    for begin in (act for act in acts if act.what == "begin"):
        before = [act for act in acts if act.at < begin.at and act.process != begin.process]
        last = max((act.at for act in before), default=0.0)
        safe = [a for a in before if a.what == saved and last - a.at - _gone(a.at, away) > limit]
        kept = max((act.step for act in safe), default=0)
        if begin.step < kept:
            lines.append(f"began at {begin.step}, and {kept} was done long before")
        if any(act.what == "end" and last - act.at > limit for act in before):
            lines.append("began after it had come to its end")
    return lines


def _gone(since: float, away: Away) -> float:
    """Return how long, at most, something of that time was kept waiting by outages."""
    return sum(end - max(begin, since) + KEPT_SECONDS for begin, end in away if end > since)


def nothing_is_paid_twice(paid: Mapping[str, Sequence[float]], cut: Away, away: Away) -> list[str]:
    """Return the samples that were paid for again though their verdict had long come: `paid` are
    the times of each, `cut` is when a judging or its answers were cut off, `away` the store's."""
    return [
        f"{sample} was paid for {len(times)} times, {again - first:.0f} s apart"
        for sample, times in paid.items()
        for first, again in itertools.pairwise(times)
        if not any(
            begin <= first + KEPT_SECONDS + _gone(first, away) and first <= end
            for begin, end in cut
        )
    ]


def nothing_is_left(space: Space, lives: Iterable[Life]) -> list[str]:
    """End the runs, and return what stays behind of them on the cluster and in the store."""
    lives = list(lives)
    lines = [
        f"{life.tasks.root}/{name} is left over"
        for life in lives
        if life.succeeded
        for name in store.listed(life.tasks.root)
        if ".partial" in name or ".lease" in name
    ]
    for life in lives:
        life.run.end()
    try:
        eventually(lambda: not space.jobs() and not space.pods(), "", 90)
    except AssertionError:
        left = [*space.jobs(), *(pod["metadata"]["name"] for pod in space.pods())]
        lines += [f"{name} is an orphan" for name in left]
    return lines


def nothing_is_secret(secrets: Iterable[str], lives: Iterable[Life], folder: Path) -> list[str]:
    """Return where a secret stands: in a log, or in what the store has of the runs."""
    lines = []
    for life in lives:
        everything = store.fetch(life.tasks.root, folder / life.run.name)
        texts = {str(path): path.read_bytes() for path in everything.rglob("*") if path.is_file()}
        texts |= {name: said.encode() for name, said in life.logs.items()}
        lines += [
            f"a secret is in {name}"
            for name, text in texts.items()
            if any(secret.encode() in text for secret in secrets)
        ]
    return lines
