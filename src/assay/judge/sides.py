"""Everything that the settings ask of the judges, for the answers of one side or of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay import progress
from assay.judge.log import carry_over
from assay.judge.modes.pairwise import judge_pairs
from assay.judge.modes.panel import combine_panel
from assay.judge.modes.score import ANCHORS, SELF_TEST, judge
from assay.judge.seats import log_of, seats
from assay.judge.settings import JudgeSettings
from assay.progress import Listener
from assay.records import SIDES

VERDICTS, PAIRS = "verdicts.jsonl", "pairs.jsonl"


def judge_sides(
    samples: Path,
    predictions: Mapping[str, Path],
    out: Path,
    settings: JudgeSettings,
    *,
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Have each side's `predictions` judged into `out`/<side>/verdicts.jsonl, and by a panel's
    judges into panel/ beside it, with what they say together; with `pairwise` compare those of both
    sides in `out`/pairs.jsonl. Raises as `judge` does."""
    sides = [side for side in SIDES if side in predictions]
    logs = {side: out / side / VERDICTS for side in sides}
    for seat in (settings, *seats(settings)):
        before: Path | None = None
        for side in sides:
            first = seat is settings
            log = logs[side] if first else log_of(seat, logs[side])
            # what a judge says of these beside one side's answers holds beside the other's
            if before:
                for beside in (SELF_TEST, ANCHORS):
                    carry_over(before.with_name(beside), log.with_name(beside))
            judge(
                samples,
                predictions[side],
                log,
                seat,
                side=side if first else f"{side}, {seat.model}",
                only_failed=only_failed,
                listen=listen,
            )
            before = log
    for side in sides if settings.panel else ():
        combine_panel(predictions[side], logs[side], settings, side)
    if settings.pairwise and set(predictions) == set(SIDES):
        judge_pairs(
            samples,
            predictions["baseline"],
            predictions["candidate"],
            out / PAIRS,
            settings,
            only_failed=only_failed,
            listen=listen,
        )
