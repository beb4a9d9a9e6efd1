"""What has no score is counted by cause, and ends the stage where it is too much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay.errors import StageError
from assay.judge.causes import LIMITED, TIMEOUT
from assay.judge.cost import Budget
from assay.judge.log import NOT_JUDGED, verdicts
from assay.judge.outcome import CallError
from assay.judge.settings import JudgeSettings
from assay.records import UNANSWERED

ASK_AGAIN = "Correct the cause and run the same command again: only these are asked again"


def describe(causes: Mapping[str, int]) -> str:
    """Return how many verdicts have no score, by cause, as one line; "" where all have one."""
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def check_share(
    unscored: Mapping[str, int], total: int, settings: JudgeSettings, out: Path, budget: Budget
) -> None:
    """Raise StageError where more than settings.max_unscored of the `total` have no score, but
    for those without an answer, which is not the judge's failure."""
    failed = sum(unscored.values()) - sum(unscored.get(cause, 0) for cause in UNANSWERED)
    if failed > settings.max_unscored * total:
        if 2 * unscored.get(NOT_JUDGED, 0) > failed and budget.capped:
            raise _capped(unscored, total, budget)
        example = _example(out)
        raise StageError(
            f"{failed} of {total} verdicts have no score ({describe(unscored)})"
            f"{example}; the commentary in {out.name} says why",
            ASK_AGAIN,
        )


def _capped(unscored: Mapping[str, int], total: int, budget: Budget) -> StageError:
    scored = total - sum(unscored.values())
    return StageError(
        f"judge.max_cost = {budget.most:g} ended the judging: {scored} of {total} verdicts have a "
        f"score ({describe(unscored)}); the whole run: {budget}",
        "Raise judge.max_cost and run the same command again: what is paid for stays",
    )


def _example(log: Path) -> str:
    """Quote the first failure: the log of a task that fails on a cluster goes with its pod."""
    failed = (row for row in verdicts(log).values() if row.unscored and row.commentary)
    return next((f", such as id={row.id}, {row.commentary}" for row in failed), "")


def hopeless(count: int, causes: Mapping[str, int], last: str) -> StageError:
    """Return what ends a stage whose first `count` verdicts have no score; `last` is the commentary
    of the last one."""
    return StageError(
        f"None of the first {count} verdicts has a score ({describe(causes)}), the last one: "
        f"{last}",
        ASK_AGAIN,
    )


def given_up(settings: JudgeSettings, ended: CallError) -> StageError:
    """Return what ends a stage whose judge was waited for in vain."""
    rest = "only what is missing is asked"
    moved = "If it has moved, assay judge RUN --set judge.endpoint=URL goes on with what is there"
    slow = ". If it is only slow, raise judge.timeout_s" if ended.cause == TIMEOUT else ""
    return StageError(
        f"The judge {settings.model} at {settings.endpoint} gives no more verdicts: "
        f"{ended.cause}: {ended}",
        f"Run the same command again after that: {rest}. Or raise judge.max_wait_s, or the limit "
        "itself"
        if ended.cause == LIMITED
        else f"Run the same command again once it is up: {rest}{slow}. {moved}. Or raise "
        "judge.outage_s",
    )
