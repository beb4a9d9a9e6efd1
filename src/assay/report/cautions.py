"""The cautions: what must be known before trusting the numbers, and what voids them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay import decoding
from assay.records import UNKNOWN_WORD, Generation, Group
from assay.report import data as of_data
from assay.report import echoes, endpoints, given_answers
from assay.report.contents import Caution, Data, MetricRow, SideSummary
from assay.report.judging import doubts
from assay.report.likelihood import LOSS
from assay.report.run import EvaluatedRun
from assay.report.sides import without_weights

FEW_PAIRS = 100
FEW_CLUSTERS = 10
_CUT = 0.05
_FEWEST_ALIKE = 5
_COUNTED: tuple[Group, ...] = ("judge", "pairwise", "task", "similarity", "own")


def cautions(
    run: EvaluatedRun,
    data: Data | None,
    sides: Sequence[SideSummary],
    rows: Sequence[MetricRow],
    same: int,
) -> tuple[Caution, ...]:
    """Return what must be known before trusting the numbers, severe ones first."""
    warnings = [
        *_identity(run, same),
        *endpoints.cautions(run),
        *given_answers.cautions(run),
        *_size(run, rows),
        *_clusters(rows),
        *doubts(run),
        *of_data.cautions(data),
        *_answers(sides),
        *_alike_throughout(run),
        *echoes.cautions(run),
        *_likelihood(rows),
    ]
    return tuple(sorted(warnings, key=lambda caution: not caution.severe))


def _identity(run: EvaluatedRun, same: int) -> Iterator[Caution]:
    yield from _weights(run)
    if run.baseline is None:
        return
    baseline, candidate = run.baseline.generation, run.candidate.generation
    yield from _alike(baseline, candidate)
    if same == len(run.positions):
        yield Caution(
            severe=True, text="Baseline and candidate gave the same output on every sample."
        )
    yield from _differences(baseline, candidate)


def _weights(run: EvaluatedRun) -> Iterator[Caution]:
    candidate = run.candidate.generation
    if run.manifest and candidate.digest and candidate.digest != run.manifest.digest:
        yield Caution(
            severe=True,
            text=f"The graded weights ({candidate.digest[:12]}) are not the ones that were trained "
            f"({run.manifest.digest[:12]}).",
        )
    if not candidate.digest and not without_weights(candidate):
        yield Caution(
            severe=False,
            text="The candidate's weights have no digest: nothing proves which model was graded.",
        )


def _alike(baseline: Generation, candidate: Generation) -> Iterator[Caution]:
    """Yield where the sides are one model, or answered something else: nothing is compared."""
    if baseline.digest and baseline.digest == candidate.digest:
        yield Caution(
            severe=True,
            text=f"Baseline and candidate have the same weights ({candidate.digest[:12]}).",
        )
    on = candidate.base_digest
    if candidate.base_model == baseline.model and on and baseline.digest not in ("", on):
        yield Caution(
            severe=True,
            text=f"{baseline.model} changed between the sides: the baseline's weights "
            f"({baseline.digest[:12]}) are not those that the candidate's adapter was loaded on "
            f"({on[:12]}).",
        )
    if baseline.dataset_hash != candidate.dataset_hash:
        yield Caution(severe=True, text="Baseline and candidate answered different datasets.")


def _differences(baseline: Generation, candidate: Generation) -> Iterator[Caution]:
    """Yield in what the sides differ beside their weights."""
    if baseline.device and candidate.device and baseline.device != candidate.device:
        yield Caution(
            severe=False,
            text=f"The devices differ, which may change an answer: {baseline.device} (baseline), "
            f"{candidate.device} (candidate).",
        )
    given = baseline.given or candidate.given  # who answered is not known
    if baseline.engine != candidate.engine and not given:
        yield Caution(
            severe=False,
            text=f"The engines differ, which may change an answer: {baseline.engine} (baseline), "
            f"{candidate.engine} (candidate).",
        )
    yield from _decoding(baseline, candidate)
    known = baseline.template and candidate.template  # an endpoint's is its own
    if known and baseline.template != candidate.template:
        yield Caution(
            severe=False,
            text=f"The templates differ: {baseline.template} (baseline), "
            f"{candidate.template} (candidate).",
        )


def _decoding(baseline: Generation, candidate: Generation) -> Iterator[Caution]:
    """What was not decoded alike, or not as the models' own files ask."""
    for name, one, other in decoding.differences(baseline, candidate):
        yield Caution(
            severe=False,
            text=f"The decoding differs: {name} is {one} (baseline), {other} (candidate).",
        )
    asked = {side.model: decoding.unasked(side) for side in (baseline, candidate)}
    for model, own in asked.items():
        if own:
            yield Caution(
                severe=False,
                text=f"The generation_config.json of {model} asks for {own}. It was not obeyed: "
                "both sides are decoded alike. Served with it, the model answers otherwise.",
            )


def _size(run: EvaluatedRun, rows: Sequence[MetricRow]) -> Iterator[Caution]:
    samples = len(run.positions)
    if run.baseline is None and samples < FEW_PAIRS:
        yield Caution(severe=False, text=f"Few samples: {samples}. The intervals are wide.")
    few = [row for kind in _COUNTED for row in _fewest(rows, kind)]
    if few:
        spans = " or ".join(
            f"{row.comparison.detectable:.2g} in {row.name} ({row.comparison.n} pairs)"
            for row in few
            if row.comparison and row.comparison.detectable is not None
        )
        yield Caution(
            severe=False,
            text=f"Few samples: a true difference smaller than {spans} would probably not be seen "
            "(power 80%).",
        )


def _clusters(rows: Sequence[MetricRow]) -> Iterator[Caution]:
    """The metric of the fewest clusters, where they are few."""
    counted = [row.comparison or row.candidate for row in rows if row.kind in _COUNTED]
    few = [metric for metric in counted if metric and metric.clusters is not None]
    least = min(few, key=lambda metric: metric.clusters or 0, default=None)
    if least and least.clusters is not None and least.clusters < FEW_CLUSTERS:
        yield Caution(
            severe=False,
            text=f"Few clusters: the {least.n} samples of {least.name} are in {least.clusters} "
            "(conversations, prompts or what a column names). Its interval rests on these, not on "
            "the samples, and is less sure than it says.",
        )


def _fewest(rows: Sequence[MetricRow], kind: Group) -> list[MetricRow]:
    """The metric of a kind with the fewest pairs, none where all have enough."""
    pairs = {row.comparison.n: row for row in reversed(rows) if row.comparison and row.kind == kind}
    least = min(pairs, default=FEW_PAIRS)
    return [pairs[least]] if least < FEW_PAIRS else []


def _answers(sides: Sequence[SideSummary]) -> Iterator[Caution]:
    for side in sides:
        lacking = side.samples - side.predictions
        if lacking and not (side.served or side.given):
            yield Caution(severe=False, text=f"The {side.side} has no answer to {lacking} samples.")
        if _CUT * side.predictions < side.empty < side.predictions:
            yield Caution(
                severe=False,
                text=f"{side.empty} of {side.predictions} answers of the {side.side} are empty.",
            )
        if side.cut and side.cut > _CUT * side.predictions:
            yield Caution(
                severe=False,
                text=f"{side.cut} of {side.predictions} answers of the {side.side} were cut "
                f"{_where_cut(side)}.",
            )
        if side.with_thought > _CUT * side.predictions:
            yield Caution(
                severe=False,
                text=f"{side.with_thought} of {side.predictions} answers of the {side.side} have a "
                f"thought in them, which is scored with them: {_why_scored(side)}, or "
                "generate.score_thoughts asks for it.",
            )
        if side.prompts_truncated and not side.served:
            yield Caution(
                severe=False,
                text=f"{side.prompts_truncated} prompts of the {side.side} were truncated at "
                "cutoff_len: the model did not see all of them.",
            )


def _alike_throughout(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield where a side says one thing whatever it is asked: no model that was asked does."""
    for side in run.sides:
        given = side.answers.length >= 0
        count = int(given.sum())
        if count >= _FEWEST_ALIKE and len(set(side.answers.fingerprint[given].tolist())) == 1:
            how = "empty" if not side.answers.length[given].any() else "the same"
            yield Caution(
                severe=False,
                text=f"All {count} answers of the {side.side} are {how}: look whether it was asked "
                "at all.",
            )


def _where_cut(side: SideSummary) -> str:
    if 2 * side.capped <= (side.cut or 0):
        return "at max_new_tokens"
    return (
        "before generate.max_new_tokens: its endpoint has a lower limit of its own, or its context "
        "ends there"
    )


def _why_scored(side: SideSummary) -> str:
    """Return why a thought is no thought of an answer's."""
    if side.template:
        return f"it is part of the text under the template {side.template}"
    return "no answer begins with it, or generate.thought_marks names other marks"


def _likelihood(rows: Sequence[MetricRow]) -> Iterator[Caution]:
    losses = next((row for row in rows if row.name == LOSS), None)
    for metric in (losses.baseline, losses.candidate) if losses else ():
        if metric is None:
            continue
        broken, cut = (metric.unscored.get(cause, 0) for cause in ("not_finite", "target_cut"))
        samples = metric.n + sum(metric.unscored.values())
        if broken:
            yield Caution(
                severe=not metric.n,
                text=f"The loss of the {metric.side} is no finite number on {broken} of {samples} "
                "samples: its weights are broken, or the precision that they are loaded with.",
            )
        if cut:
            yield Caution(
                severe=False,
                text=f"{cut} of {samples} targets are cut at cutoff_len: the {metric.side} has no "
                "likelihood of them.",
            )
        if lacking := metric.unscored.get(UNKNOWN_WORD, 0):
            yield Caution(
                severe=not metric.n,
                text=f"{lacking} of {samples} samples have words that the tokenizer of the "
                f"{metric.side} has and its model does not: it has no likelihood of them.",
            )
