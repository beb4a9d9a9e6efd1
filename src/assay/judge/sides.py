"""Everything that the settings ask of the judges, for the answers of one side or of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay import progress, store
from assay.judge.mode import JudgeJob
from assay.judge.modes import MODES
from assay.judge.settings import JudgeSettings
from assay.progress import Listener


def judge_sides(
    samples: Path,
    predictions: Mapping[str, Path],
    out: Path,
    settings: JudgeSettings,
    *,
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Have the `predictions` of the sides judged into the run folder `out` in each mode that the
    settings want: each side's into <side>/verdicts.jsonl, by a panel's judges into panel/ beside
    it, and those of both compared in pairs.jsonl. Raises as `judge` does, and InUseError while
    another process works in `out`."""
    job = JudgeJob(
        samples=samples,
        predictions=predictions,
        out=out,
        settings=settings,
        only_failed=only_failed,
        listen=listen,
    )
    with store.held(out):
        # whom each of them asks is looked at before the first is paid
        wanted = [mode for mode in MODES if mode.judges(settings, len(job.sides))]
        for mode in wanted:
            mode.judge(job)
