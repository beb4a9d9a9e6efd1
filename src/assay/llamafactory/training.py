"""The stage's end of the child process that trains: it is started, followed and ended here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assay import ending, process
from assay.llamafactory.job import ERROR


def run(config: Path, samples: Path, log: Path, on_tick: Callable[[], None]) -> None:
    """Train as `config` says on the `samples`. Raises what the child left, or StageError with the
    end of its log."""
    with ending.told(config.with_name(ERROR)):
        process.run(
            process.python("assay.llamafactory.train", str(config), str(samples)),
            log=log,
            what="LLaMA-Factory's training",
            on_tick=on_tick,
        )
