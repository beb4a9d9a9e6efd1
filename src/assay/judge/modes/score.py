"""The stage: every prediction gets a verdict, paid for once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay import progress, store
from assay.judge import anchors, cases, health
from assay.judge.log import key, plan, verdicts
from assay.judge.settings import JudgeSettings
from assay.judge.summary import summarise
from assay.judge.work import Keyed, Work, check_share
from assay.progress import Listener
from assay.records import Prediction, Verdict

SELF_TEST = "self_test.jsonl"
ANCHORS = "anchor_verdicts.jsonl"
SUMMARY = "judge.json"


def judge(
    samples: Path,
    predictions: Path,
    out: Path,
    settings: JudgeSettings,
    *,
    side: str = "",
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Append a Verdict to the log `out` (verdicts.jsonl) for every prediction that has none yet;
    then write judge.json (JudgeSummary) beside it. The verdicts on the self-test and on the
    anchors are logged in self_test.jsonl and anchor_verdicts.jsonl.

    A verdict that was paid for under the same rubric, model, parameters and prediction is not
    asked for again; one that failed is. `only_failed` leaves out what was never asked. Read the
    log with `verdicts`. Raises InputError before anything is paid for, and StageError where more
    than settings.max_unscored of the verdicts have no score, with all that was done kept.
    """
    work = Work(settings)
    frozen = anchors.load(settings.anchors, work.rubric)

    def keyed() -> Iterator[Keyed]:
        return ((key(work.identity, case), case) for case in cases.read(samples, predictions))

    todo = plan(out, keyed(), work.names, most=settings.max_samples, only_failed=only_failed)
    with progress.track(
        listen,
        "judge",
        total=todo.done + todo.left,
        unit="verdicts",
        side=side,
        done=todo.done,
    ) as tracker:
        known = health.probes() if settings.self_test else []
        tested = work.beside(out.with_name(SELF_TEST), known)
        anchored = work.beside(out.with_name(ANCHORS), anchors.cases(frozen))
        work.fill(out, todo, keyed(), tracker)
        rows = _with_lengths(out, predictions, settings.max_samples)
        summary = summarise(
            settings,
            work.rubric,
            work.identity,
            work.dialect,
            work.price,
            rows,
            tested,
            frozen,
            anchored,
        )
        store.write_json(out.with_name(SUMMARY), summary)
        check_share(summary.unscored, summary.verdicts, settings, out)


def _with_lengths(out: Path, predictions: Path, most: int) -> Iterator[tuple[Verdict, int]]:
    rows = verdicts(out)
    for number, prediction in enumerate(store.read_rows(predictions, Prediction)):
        if prediction.id in rows and (not most or number < most):
            yield rows[prediction.id], len(prediction.output)
