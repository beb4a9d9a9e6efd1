"""Stands in for LLaMA-Factory's training, `python -m tests.chaos.training CONFIG`: it takes steps,
writes what the real one writes, and goes on from the newest checkpoint."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from assay import process, store
from assay.folder import LOSSES
from tests.chaos import tally
from tests.models import safetensors

STEP_SECONDS = "ASSAY_STEP_SECONDS"
WEIGHTS = 1 << 10  # repeats of what is drawn


def main(config: Path) -> None:
    """Train as the configuration says."""
    process.end_with_parent()
    asked = store.read_json(config)
    out, steps, every = Path(asked["output_dir"]), asked["max_steps"], asked["save_steps"]
    done = max((_step(path) for path in out.glob("checkpoint-*")), default=0)
    tally.note("begin", done)
    for step in range(done + 1, steps + 1):
        time.sleep(float(os.environ.get(STEP_SECONDS, "0.5")))
        out.mkdir(exist_ok=True)
        row = {"current_steps": step, "total_steps": steps, "loss": 1 / step}
        with (out / LOSSES).open("a") as log:
            log.write(json.dumps(row) + "\n")
        tally.note("step", step)
        if step % every == 0:
            _save(out / f"checkpoint-{step}")
            tally.note("checkpoint", step)
    store.write_json(out / "adapter_config.json", {"base_model_name_or_path": "base"})
    (out / "adapter_model.safetensors").write_bytes(_weights())
    tally.note("end", steps)


def _weights() -> bytes:
    """Return an adapter of numbers that no other training has."""
    drawn = bytes(byte & 0x3F for byte in os.urandom(1 << 10))  # none is NaN
    return safetensors({"w": (len(drawn) // 4 * WEIGHTS,)}, drawn)


def _save(checkpoint: Path) -> None:
    """Write a checkpoint and remove the one before, in the real one's order."""
    checkpoint.mkdir()
    (checkpoint / "adapter_model.safetensors").write_bytes(_weights())
    (checkpoint / "trainer_state.json").write_text("{}")
    for earlier in checkpoint.parent.glob("checkpoint-*"):
        if earlier != checkpoint:
            for path in earlier.iterdir():
                path.unlink()
            earlier.rmdir()


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
