"""Everything that the settings ask of the judges, for the answers of one side or of both."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from assay import progress, store
from assay.judge.cost import price_of
from assay.judge.ledger import budget_of_run
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
    with store.held(out):
        job = JudgeJob(
            samples=samples,
            predictions=predictions,
            out=out,
            settings=settings,
            budget=budget_of_run(settings, out, samples),
            only_failed=only_failed,
            listen=listen,
        )
        # whom each of them asks, and for what, is looked at before the first is paid
        asked = {mode: mode.judges(settings, len(job.sides)) for mode in MODES}
        for judge in itertools.chain(*asked.values()):
            price_of(judge.model, judge.prices, judge.max_cost)
        for mode in filter(asked.get, MODES):
            mode.judge(job)
