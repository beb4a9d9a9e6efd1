"""Everything that the settings ask of the judges, for the answers of one side or of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay import progress
from assay.judge.combine import combine_panel
from assay.judge.pairwise import judge_pairs
from assay.judge.panel import log_of, seats
from assay.judge.run import judge
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
    others = seats(settings)
    for side in [one for one in SIDES if one in predictions]:
        answers, log = predictions[side], out / side / VERDICTS
        judge(samples, answers, log, settings, side=side, only_failed=only_failed, listen=listen)
        for seat in others:
            judge(
                samples,
                answers,
                log_of(seat, log),
                seat,
                side=f"{side}, {seat.model}",
                only_failed=only_failed,
                listen=listen,
            )
        if settings.panel:
            combine_panel(answers, log, settings, side)
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
