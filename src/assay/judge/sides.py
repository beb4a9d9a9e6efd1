"""Everything that the settings ask of the judges, for the answers of one side or of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from assay import progress, store
from assay.judge.combine import combine_panel
from assay.judge.pairwise import judge_pairs
from assay.judge.panel import log_of, seats
from assay.judge.run import ANCHORS, SELF_TEST, judge
from assay.judge.settings import JudgeSettings
from assay.progress import Listener
from assay.records import SIDES, Verdict

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
            log = logs[side] if seat is settings else log_of(seat, logs[side])
            if before:
                _carry_over(before, log)
            judge(
                samples,
                predictions[side],
                log,
                seat,
                side=side if seat is settings else f"{side}, {seat.model}",
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


def _carry_over(judged: Path, log: Path) -> None:
    """Copy the verdicts on the self-test and on the anchors: what a judge said of them beside one
    side's answers holds beside the other's, where nothing is paid for them."""
    for name in (SELF_TEST, ANCHORS):
        if (source := judged.with_name(name)).is_file():
            rows = store.read_rows(source, Verdict)
            free = (replace(row, attempts=0, prompt_tokens=0, output_tokens=0) for row in rows)
            store.write_rows(log.with_name(name), free)
