"""What it costs a training that its checkpoints go to the store beside it: the same training with
a work area and without, in turn, against a local MinIO.

`python -m tests.bench.store.bench_beside [MEGABYTES] [STEPS] [ROUNDS]`. The training is pinned to a
core, as one on a GPU has its own; what sends, and here MinIO too, have the others. A checkpoint is
in the store "beside the next steps" when it is there before they end.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from assay import store
from assay.store import s3
from tests import minio as server

BUCKET = "bench"
LOOK_SECONDS = 2.0  # looks at the store take of the cores that are measured
UNFINISHED = store.Contents(checkpoints="checkpoint-*", complete="trainer_state.json")


@dataclass(kw_only=True)
class Training:
    """How long the steps took, and after which time each checkpoint was in the store (`sent`), in
    seconds; the sender's own seconds of a core (`cpu`)."""

    steps: float
    whole: float
    sent: list[float]
    cpu: float


def train(folder: Path, uri: str, steps: int, megabytes: int) -> Training:
    """Train, with a work area at `uri` unless that is ""."""
    command = [sys.executable, "-m", "tests.bench.store.computing", str(folder)]
    command += [str(steps), str(megabytes)]
    area = store.Area(folder, uri, UNFINISHED) if uri else None
    begun, before = time.monotonic(), _cpu()
    sent: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        if area:
            area.start()
        while child.poll() is None:
            time.sleep(LOOK_SECONDS)
            if area and len(sent) < len(_there(uri)):
                sent.append(time.monotonic() - begun)
        assert child.stdout
        taken, whole = float(child.stdout.read()), time.monotonic() - begun
    if area:
        area.remove()
    return Training(steps=taken, whole=whole, sent=sent, cpu=_cpu() - before)


def _there(uri: str) -> set[str]:
    """The checkpoints that have been whole in the store so far."""
    names = {name.split("/")[1] for name in store.listed(uri) if name.startswith("checkpoints/")}
    _SEEN.update(f"{uri}/{n}" for n in names if store.exists(f"{uri}/checkpoints/{n}"))
    return {name for name in _SEEN if name.startswith(f"{uri}/")}


_SEEN: set[str] = set()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(megabytes: int, steps: int, times: int) -> None:
    """Measure in turn, and print the ratio."""
    of_training, *others = sorted(os.sched_getaffinity(0))
    os.environ["TRAINING_CORE"] = str(of_training)
    os.sched_setaffinity(0, others)
    rounds: list[tuple[Training, Training]] = []
    with tempfile.TemporaryDirectory() as name, server.serve(Path(name) / "minio") as minio:
        os.environ.update(minio.environment)
        s3.client("minio").create_bucket(Bucket=BUCKET)
        for number in range(times):
            uri = f"minio://{BUCKET}/{number}"
            order = ("", uri) if number % 2 else (uri, "")
            done = {
                at: train(Path(name) / f"{number}{bool(at)}", at, steps, megabytes) for at in order
            }
            rounds.append((done[uri], done[""]))
    print(f"a training with two checkpoints of {megabytes} MB, {times} rounds in turn")
    for with_area, without in rounds:
        sent = ", ".join(f"{at:.0f} s" for at in with_area.sent)
        print(
            f"  steps {with_area.steps:.1f} s, without a store {without.steps:.1f} s; checkpoints "
            f"in the store after {sent} of {with_area.whole:.0f} s; sending took "
            f"{with_area.cpu:.1f} s of a core"
        )
    ratio = median(with_area.steps / without.steps for with_area, without in rounds)
    print(f"  the steps take {ratio - 1:+.1%} of their time with a work area (at most +3%)")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(2048, 2400, 3)[len(given) :])
