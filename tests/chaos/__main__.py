"""`make chaos`, or `python -m tests.chaos [--seconds N] [--runs N] [--seed N]`: so many runs at a
time on the real cluster, for so long, while faults come at random; then what must hold is checked.

The seed is printed, and gives the same faults again, as far as what there is at that moment does.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from assay import store
from tests.chaos import promises
from tests.chaos.faults import Faults
from tests.chaos.life import Life
from tests.chaos.outages import Gate, before
from tests.chaos.tasks import KEY, Tasks
from tests.cluster import kube, runs
from tests.cluster.kube import Space
from tests.cluster.node import bring, places
from tests.faults.endpoint import Answer, chat, scores, serving

SECONDS, RUNS = 600.0, 5
END_SECONDS = 420.0  # what there still is goes on in peace
SETTINGS = {"retries": 3, "lease_s": 60}
JUDGE_KEY = "sk-of-the-chaos"


@dataclass(kw_only=True)
class Chaos:
    """The place of it all: the `space`, the `gates` before what goes away, the judge's address,
    what it was `paid`, and the runs so far."""

    space: Space
    gates: dict[str, Gate]
    endpoint: str
    folder: Path
    paid: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lives: list[Life] = field(default_factory=list)

    def begin_a_life(self) -> Life:
        """Begin a run."""
        name = f"run-{len(self.lives)}"
        place = self.folder / name
        place.mkdir()
        root = f"{kube.STORE}/{self.space.name}/{name}"
        tasks = Tasks(root=root, folder=place, timeout_s=10.0)
        tasks.publish(samples=30)
        api = {
            "KUBERNETES_SERVICE_HOST": places.address(),
            "KUBERNETES_SERVICE_PORT": str(self.gates["the API server"].port),
            KEY: JUDGE_KEY,
        }
        run = runs.begin(self.space, name, api)
        life = Life(run=run, tasks=tasks, endpoint=self.endpoint, settings=dict(SETTINGS))
        self.lives.append(life)
        return life


@contextmanager
def arena(folder: Path) -> Iterator[Chaos]:
    """Yield the place of it all, on the node that the cluster's tests use."""
    paid: dict[str, list[float]] = defaultdict(list)

    def answer(body: dict[str, Any]) -> Answer:
        (sample,) = set(re.findall(r"Say <([\w-]+)>", str(body["messages"])))
        paid[sample].append(time.time())
        return chat(scores(), delay=0.4)

    with ExitStack() as stack:
        cluster = bring.ready(folder)
        os.environ.update(cluster.store_here)
        store.make_bucket(kube.STORE)
        judge = stack.enter_context(serving(answer, keep=False))
        ports = {
            "the store": places.STORE_PORT,
            "the API server": places.API_PORT,
            "the judge": urlsplit(judge.url).port or 0,
        }
        gates = {name: stack.enter_context(before(port)) for name, port in ports.items()}
        reached = f"http://{places.address()}:{gates['the store'].port}"
        gated = replace(cluster, store={**cluster.store, "AWS_ENDPOINT_URL_S3": reached})
        name = f"chaos-{os.getpid()}"
        space = stack.enter_context(kube.space(gated, name, folder / "accounts"))
        endpoint = f"http://{places.address()}:{gates['the judge'].port}/v1"
        yield Chaos(space=space, gates=gates, endpoint=endpoint, folder=folder, paid=paid)


def go(chaos: Chaos, seconds: float, at_a_time: int, seed: int) -> Faults:
    """Have so many runs at a time, one after the other, while faults come; then let them end."""
    end = time.monotonic() + seconds
    beginning = threading.Lock()

    def lives() -> None:
        while time.monotonic() < end:
            with beginning:
                life = chaos.begin_a_life()
            life.live()
            how = "succeeded" if life.succeeded else "failed"
            print(f"{time.strftime('%H:%M:%S')} {life.run.name} {how}", *life.causes, flush=True)

    threads = [threading.Thread(target=lives, daemon=True) for _ in range(at_a_time)]
    for thread in threads:
        thread.start()
    choice = random.Random(seed)
    faults = Faults(space=chaos.space, lives=chaos.lives, gates=chaos.gates, choice=choice)
    faults.until(end)
    last = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(0.0, last - time.monotonic()))
    return faults


def broken(chaos: Chaos, faults: Faults) -> dict[str, list[str]]:
    """Return each promise with what breaks it."""
    away = chaos.gates["the store"].away
    kills = [(begun, over) for begun, over, what in faults.did if what.startswith("judging")]
    cut = [*kills, *chaos.gates["the judge"].away]
    lives = chaos.lives
    secrets = (places.STORE_PASSWORD, JUDGE_KEY)
    return {
        "each run succeeded or says why": promises.each_succeeded_or_says_why(lives),
        "nothing is done twice": promises.nothing_is_done_twice(lives, away),
        "no verdict is paid twice": promises.nothing_is_paid_twice(chaos.paid, cut, away),
        "nothing is left": promises.nothing_is_left(chaos.space, lives),
        "no secret is told": promises.nothing_is_secret(secrets, lives, chaos.folder / "all"),
    }


def main(seconds: float, at_a_time: int, seed: int) -> int:
    """Do it all, print what came of it, and return the exit code."""
    print(f"chaos of {seconds:.0f} s, {at_a_time} runs at a time, --seed {seed}", flush=True)
    with TemporaryDirectory(prefix="assay-chaos-") as folder, arena(Path(folder)) as chaos:
        Path(folder).chmod(0o755)
        faults = go(chaos, seconds, at_a_time, seed)
        found = broken(chaos, faults)
        done = sum(life.succeeded for life in chaos.lives)
        print(f"\n{len(faults.did)} faults; {done} of {len(chaos.lives)} runs succeeded")
        again = sum(len(times) - 1 for times in chaos.paid.values())
        print(f"{len(chaos.paid)} verdicts were paid for, {again} of them again as in flight")
    for promise, lines in found.items():
        print(f"{'broken' if lines else 'kept':6} {promise}", *lines, sep="\n    ")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    sys.exit(main(given.seconds, given.runs, given.seed))
