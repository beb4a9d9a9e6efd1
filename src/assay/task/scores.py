"""The tasks that score the answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import durable, progress, run, scoring
from assay.folder import SAMPLES
from assay.settings import build
from assay.task.handover import whole


def score(
    name: str,
    mode: str,
    given: Mapping[str, Any],
    samples: Path,
    sides: Mapping[str, Path],
    out: Path,
    listen: progress.Listener,
    *,
    place: str = "",
) -> None:
    """Have the sides that have predictions scored by the scoring stage `name`, into `out`/<side>/,
    which goes to `place`; where the mode does not want it, leave `out` empty."""
    scorer = scoring.named(name)
    out.mkdir(parents=True, exist_ok=True)
    if mode not in scorer.modes:
        print(f"mode {mode}: no {scorer.title.lower()}", flush=True)
        return
    wanted: Any = build(scorer.settings, whole(given), name)
    with durable.as_it_comes(name, out, place):
        scorer.score(samples / SAMPLES, run.answered(sides), out, wanted, listen=listen)
