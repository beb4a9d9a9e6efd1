"""Panel: further judges score the same predictions, and all of them together have a score: the
median of what they gave, with how many of them gave one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from assay import cases, store
from assay.folder import COMBINED, JUDGE, PANEL, SCORES
from assay.judge import rubric
from assay.judge.log import verdicts
from assay.judge.mode import JudgeJob, JudgeMode, priced
from assay.judge.modes import score
from assay.judge.seats import log_of, seats
from assay.judge.settings import JudgeSettings
from assay.judge.specs import dimension_specs
from assay.judge.summary import JudgeSummary
from assay.records import SIDES, Metric, Score, Side, Verdict
from assay.stats import collect, summarise

TOO_FEW = "too_few_judges"


@dataclass(frozen=True, kw_only=True)
class PanelScore(Score):
    """The panel's score for one prediction: dimension -> the median of its judges' scores, and how
    many `judges` gave one. Where fewer than half of them did it is unscored (too_few_judges)."""

    judges: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class PanelSummary:
    """One side's panel, written last: its judges' `models`, the first judge's first; the mean of
    each dimension with its 95% interval; on how many answers so many judges gave a score
    (dimension -> judges -> answers); and what all judges took together. `cost` is None without
    prices."""

    models: tuple[str, ...]
    metrics: tuple[Metric, ...]
    judges: Mapping[str, Mapping[int, int]]
    requests: int
    prompt_tokens: int
    output_tokens: int
    cost: float | None


def combine_panel(
    samples: Path, predictions: Path, log: Path, settings: JudgeSettings, side: Side
) -> None:
    """Write panel/scores.jsonl (PanelScore) and panel/panel.json (PanelSummary) beside `log`, the
    first judge's, from what each judge of the panel has said of the predictions."""
    logs = [log, *(log_of(seat, log) for seat in seats(settings))]
    joined = islice(cases.read(samples, predictions), settings.max_samples or None)
    clusters = {sample.id: sample.cluster for sample, _ in joined}
    ids = list(clusters)
    asked = rubric.load(settings.rubric)
    rows = list(combine([verdicts(judge) for judge in logs], ids, tuple(asked.dimensions)))
    summaries = [store.read_record(judge.with_name(JUDGE), JudgeSummary) for judge in logs]
    positions = {id_: number for number, id_ in enumerate(ids)}
    store.write_rows(log.parent / PANEL / SCORES, rows)
    scores = collect(positions, rows, cases.cluster_numbers(clusters.values()))
    specs = dimension_specs(asked.dimensions, (asked.low, asked.high), asked.directions)
    metrics = summarise(side, scores, (), {spec.name: spec for spec in specs})
    summary = _summarise(summaries, rows, metrics)
    store.write_json(log.parent / PANEL / COMBINED, summary)


def combine(
    judges: Sequence[Mapping[str, Verdict]], ids: Iterable[str], names: Sequence[str]
) -> Iterator[PanelScore]:
    """Yield the panel's score of each id that a judge has a verdict on; `judges` are id -> verdict,
    one of each judge, and `names` the dimensions."""
    for id_ in ids:
        given = [verdicts[id_].values for verdicts in judges if id_ in verdicts]
        if given:
            yield _combined(id_, given, names, len(judges))


def _combined(
    id_: str, given: Sequence[Mapping[str, float]], names: Sequence[str], judges: int
) -> PanelScore:
    scores = {name: [values[name] for values in given if name in values] for name in names}
    enough = {name for name, each in scores.items() if 2 * len(each) >= judges}
    return PanelScore(
        id=id_,
        values={name: median(each) for name, each in scores.items() if name in enough},
        unscored={name: TOO_FEW for name in names if name not in enough},
        judges={name: len(each) for name, each in scores.items()},
    )


def _summarise(
    summaries: Sequence[JudgeSummary], rows: Sequence[PanelScore], metrics: Sequence[Metric]
) -> PanelSummary:
    names = rows[0].judges if rows else {}
    costs = [judge.cost for judge in summaries if judge.cost is not None]
    return PanelSummary(
        models=tuple(judge.model for judge in summaries),
        metrics=tuple(metrics),
        judges={
            name: dict(sorted(Counter(row.judges[name] for row in rows).items(), reverse=True))
            for name in names
        },
        requests=sum(judge.requests for judge in summaries),
        prompt_tokens=sum(judge.prompt_tokens for judge in summaries),
        output_tokens=sum(judge.output_tokens for judge in summaries),
        cost=sum(costs) if costs else None,
    )


def _judges(settings: JudgeSettings, _sides: int) -> list[JudgeSettings]:
    return seats(settings)


def _judge(job: JudgeJob) -> None:
    first = {side: score.log_of(job.out, side) for side in job.sides}
    for seat in seats(job.settings):
        logs = {side: log_of(seat, log) for side, log in first.items()}
        score.judge_each_side(job, seat, logs, f", {seat.model}")
    for side, log in first.items():
        combine_panel(job.samples, job.predictions[side], log, job.settings, side)


def _costs(out: Path) -> list[float]:
    """Without the first judge, whose scores are the panel's too and are paid for once."""
    folders = [score.log_of(out, side).parent / PANEL for side in SIDES]
    paths = [path for folder in folders for path in sorted(folder.glob(f"*/{JUDGE}"))]
    return priced(store.read_record(path, JudgeSummary) for path in paths)


MODE = JudgeMode(
    name="panel",
    judges=_judges,
    calls=score.calls,
    judge=_judge,
    costs=_costs,
)
