"""A training for benchmarks: `python -m tests.bench.store.computing FOLDER STEPS MEGABYTES` takes
steps of always the same work on the core TRAINING_CORE and writes checkpoints that cannot be
compressed, after a fifth and after three fifths of them; it prints how many seconds the steps
took."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

CHUNK = 1 << 20


def main(folder: Path, steps: int, megabytes: int) -> None:
    """Take the steps; writing a checkpoint counts as no step."""
    os.sched_setaffinity(0, {int(os.environ["TRAINING_CORE"])})
    weights = np.random.default_rng(0).random((700, 700))
    block, taken = os.urandom(CHUNK), 0.0
    for step in range(1, steps + 1):
        begun = time.monotonic()
        for _ in range(4):
            weights = np.tanh(weights @ weights / 700)
        taken += time.monotonic() - begun
        if step in (steps // 5, steps * 3 // 5):
            _save(folder / f"checkpoint-{step}", block, megabytes)
    print(taken)


def _save(checkpoint: Path, block: bytes, megabytes: int) -> None:
    checkpoint.mkdir(parents=True)
    with (checkpoint / "model.safetensors").open("wb") as file:
        for number in range(megabytes):
            file.write(number.to_bytes(8) + block[8:])
    (checkpoint / "trainer_state.json").write_text("{}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
