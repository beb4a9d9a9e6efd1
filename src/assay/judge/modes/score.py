"""Scores: every prediction gets a verdict on the rubric, paid for once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from assay import cases, progress, store
from assay.folder import ANCHORS, JUDGE, SECOND_VERDICTS, SELF_TEST, TRIALS, VERDICTS
from assay.judge import anchors, conversation, health, labelled, rubric
from assay.judge.access import check_access
from assay.judge.cost import Budget
from assay.judge.earlier import identities
from assay.judge.hearing import Hearing, Keyed
from assay.judge.ledger import budget_beside
from assay.judge.log import alone, carry_over, identity
from assay.judge.mode import Calls, JudgeJob, JudgeMode, priced
from assay.judge.modes.whole_log import LogFiles, Verdicts, first, judge_all
from assay.judge.settings import JudgeSettings
from assay.judge.summary import Beside, JudgeSummary, summarise
from assay.progress import Listener
from assay.records import SIDES, Case, Side, Verdict


@alone
def judge(
    samples: Path,
    predictions: Path,
    out: Path,
    settings: JudgeSettings,
    *,
    side: str = "",
    budget: Budget | None = None,
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Append a Verdict to the log `out` (verdicts.jsonl) for every prediction that has none yet;
    then write judge.json (JudgeSummary) beside it. The verdicts on the self-test and on the
    anchors are logged in self_test.jsonl and anchor_verdicts.jsonl, and those on the answers that
    are judged twice in second_verdicts.jsonl.

    A verdict that was paid for under the same rubric, model, parameters and prediction is not
    asked for again; one that failed is. `only_failed` leaves out what was never asked. The run's
    `budget` pays for it, or one of its own, for this log and those beside it. Read the
    log with `verdicts`. Raises InputError before anything is paid for, and StageError where more
    than settings.max_unscored of the verdicts have no score, with all that was done kept.
    """
    hearing = Hearing(settings, budget=budget or budget_beside(settings, out))
    hearing.learn(samples.with_name(TRIALS))
    frozen = anchors.load(settings.anchors, hearing.rubric)
    calibration = labelled.load(
        settings.calibration, hearing.identity, *identities(settings, hearing.rubric)
    )
    cases.count(samples, predictions)

    def keyed() -> Iterator[Keyed]:
        return hearing.keyed(conversation.read(samples, predictions))

    hearing.recall(out, keyed)
    before = _asked_before(out.with_name(JUDGE), hearing.identity)

    def beside() -> Beside:
        probes = health.probes() if settings.self_test else []
        tested = hearing.beside(out.with_name(SELF_TEST), list(hearing.keyed(probes)))
        shown = list(hearing.keyed(anchors.cases(frozen)))
        anchored = hearing.beside(out.with_name(ANCHORS), shown)
        return Beside(
            tested=tested,
            anchors=frozen,
            anchored=anchored,
            calibration=calibration,
            asked_before=before,
        )

    def summary(given: Verdicts, second: Verdicts, others: Beside) -> JudgeSummary:
        joined = first(hearing, cases.read(samples, predictions))
        return summarise(hearing, _with_lengths(given, joined), second, others)

    files = LogFiles(log=out, second=out.with_name(SECOND_VERDICTS), summary=out.with_name(JUDGE))
    judge_all(
        hearing,
        files,
        keyed,
        beside,
        summary,
        side=side,
        unit="verdicts",
        only_failed=only_failed,
        listen=listen,
    )


def _asked_before(path: Path, identity: str) -> Mapping[str, object]:
    """Return how an earlier try asked the same judge: of verdicts that are all there nothing is
    asked again, and how they came about stays known."""
    if not path.is_file():
        return {}
    before = store.read_json(path)
    return before.get("asked_with", {}) if before.get("identity") == identity else {}


def _with_lengths(
    given: Mapping[str, Verdict], joined: Iterable[Case]
) -> Iterator[tuple[Verdict, int]]:
    for sample, prediction in joined:
        if sample.id in given:
            yield given[sample.id], len(prediction.output)


def log_of(out: Path, side: str) -> Path:
    """Return the log of a side's verdicts in the run folder `out`."""
    return out / side / VERDICTS


def judge_each_side(
    job: JudgeJob, settings: JudgeSettings, logs: Mapping[Side, Path], seat: str = ""
) -> None:
    """Have the judge of `settings` score each side's predictions into its log; the progress names
    the side with the `seat` behind it. Raises as `judge` does."""
    before: Path | None = None
    for side, log in logs.items():
        if before:
            _carry_over(before, log)
        judge(
            job.samples,
            job.predictions[side],
            log,
            settings,
            side=f"{side}{seat}",
            budget=job.budget,
            only_failed=job.only_failed,
            listen=job.listen,
        )
        before = log


def _carry_over(before: Path, log: Path) -> None:
    """What a judge says of these beside one side's answers holds beside the other's."""
    for beside in (SELF_TEST, ANCHORS):
        carry_over(before.with_name(beside), log.with_name(beside))


def calls(settings: JudgeSettings, sides: int) -> Calls:
    """Return what scoring so many sides asks of one judge. Raises JudgeError where the rubric, the
    anchors or the calibration cannot be read, or are none of this judge's."""
    chosen = rubric.load(settings.rubric)
    labelled.load(settings.calibration, identity(settings, chosen), *identities(settings, chosen))
    parts = len(chosen.parts()) if settings.one_call_each else 1
    each = sides * parts * settings.repeats
    beside = len(anchors.load(settings.anchors, chosen))
    beside += len(health.PROBES) if settings.self_test else 0
    return Calls(per_sample=each, beside=each * beside, twice=settings.flip_sample)


def _judges(settings: JudgeSettings, _sides: int) -> list[JudgeSettings]:
    check_access(settings)
    return [settings]


def _judge(job: JudgeJob) -> None:
    judge_each_side(job, job.settings, {side: log_of(job.out, side) for side in job.sides})


def _costs(out: Path) -> list[float]:
    paths = [log_of(out, side).with_name(JUDGE) for side in SIDES]
    return priced(store.read_record(path, JudgeSummary) for path in paths if path.is_file())


MODE = JudgeMode(name="score", judges=_judges, calls=calls, judge=_judge, costs=_costs)
