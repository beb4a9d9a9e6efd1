"""From the start of a launcher to its worker's first breath, beside `kubectl apply` of it.

`python tests/bench/cluster/bench_cluster.py [ROUNDS]` takes both in turn on the tests' own node and
prints the medians and their difference; then how long a worker's line takes to the launcher's log,
and how many requests a second following takes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from assay.placement import ClusterSettings
from assay.queues import TaskConfig
from assay.volcano import job
from tests.cluster import api_proxy, image, kube, launchers
from tests.cluster.kube import Space
from tests.cluster.launchers import DONE, eventually, work
from tests.cluster.node import bring, machine, programs

NOW = "date +'now %s.%N'"
LINES = 40


def launched(space: Space, folder: Path, number: int) -> float:
    """Return the seconds from starting a launcher, its interpreter included, to its worker."""
    began = time.time()
    launcher = launchers.start(space, folder, work(f"launched-{number}"), script=f"{NOW}; {DONE}")
    assert launcher.wait() == 0, launcher.output
    return first_breath(launcher.output) - began


def applied(space: Space, number: int) -> float:
    """Return the seconds from starting kubectl with the same Job to its worker."""
    wanted = manifest(space, number)
    name = wanted["metadata"]["name"]
    began = time.time()
    space.cluster.apply(wanted)
    logs = ("logs", f"{name}-master-0", "-n", space.name)
    eventually(lambda: "now " in space.cluster.run(*logs, check=False), "the worker's log")
    return first_breath(space.cluster.run(*logs)) - began


def manifest(space: Space, number: int) -> dict[str, Any]:
    variables = [{"name": "SCRIPT", "value": f"{NOW}; {DONE}"}]
    task = TaskConfig(**kube.mounted(), env=variables)  # type: ignore[arg-type]
    settings = ClusterSettings(image=kube.IMAGE, gpus=0)
    wanted = job.make(work(f"applied-{number}"), settings, task, None)
    wanted["metadata"]["namespace"] = space.name
    return wanted


def first_breath(log: str) -> float:
    return next(float(line.split()[1]) for line in log.splitlines() if line.startswith("now "))


def line_delays(space: Space, folder: Path) -> tuple[list[float], float]:
    """Return the seconds that each line of a worker takes, and the requests a second meanwhile."""
    script = f"for i in $(seq {LINES}); do {NOW}; sleep 0.5; done; {DONE}"
    with api_proxy.serve() as proxy:
        api = replace(space.api, port=proxy.port)
        launcher = launchers.start(space, folder, work("lines"), script=script, api=api)
        launcher.until("now ")
        asked, began, delays = len(proxy.requests), time.monotonic(), []
        seen = 1
        while launcher.process.poll() is None:
            lines = [line for line in launcher.output.splitlines() if line.startswith("now ")]
            delays += [time.time() - float(line.split()[1]) for line in lines[seen:]]
            seen = len(lines)
            time.sleep(0.01)
        return delays, (len(proxy.requests) - asked) / (time.monotonic() - began)


def main(rounds: int) -> None:
    """Print the table."""
    if lacks := programs.missing():
        print(f"needs {', '.join(lacks)}")
        return
    programs.install()
    cluster = bring.cluster() if bring.is_up() else bring.up()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image.write(kube.IMAGE, folder / "image.tar", kube.environment())
        machine.import_image(folder / "image.tar")
        with kube.space(cluster, f"bench-{time.time():.0f}", folder / "accounts") as space:
            pairs = [(launched(space, folder, i), applied(space, i)) for i in range(rounds)]
            ours, theirs = (median(times) for times in zip(*pairs, strict=True))
            print(f"launcher to worker {ours:.2f} s, kubectl apply to worker {theirs:.2f} s, "
                  f"{ours - theirs:+.2f} s (medians of {rounds})")  # fmt: skip
            delays, rate = line_delays(space, folder)
            print(f"a line to the log {median(delays):.2f} s, at most {max(delays):.2f} s")
            print(f"requests while following {rate:.2f} a second")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
