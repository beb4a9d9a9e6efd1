"""The verdict line and the cautions: what the numbers let a reader say, and what voids them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from assay.records import Comparison
from assay.report import data as of_data
from assay.report.contents import Caution, Conclusion, Data, Outcome, Row, SideSummary, Tone
from assay.report.judging import doubts
from assay.report.plain import label, number, signed
from assay.report.run import Run
from assay.report.self_test import advisory

MIN_PAIRS = 10
FEW_PAIRS = 100
_CUT = 0.05


def outcome(comparison: Comparison | None, difference: float | None) -> Outcome:
    """Return what the interval of a paired difference lets us say.

    With fewer than `MIN_PAIRS` pairs a bootstrap interval is too narrow to say anything.
    """
    if comparison is None:
        return "not compared" if difference is None else "no interval"
    if comparison.n < MIN_PAIRS:
        return "few"
    if comparison.low <= 0 <= comparison.high:
        return "none"
    risen = comparison.difference > 0
    if comparison.direction in ("neither", "unknown"):
        return "higher" if risen else "lower"
    return "better" if risen == (comparison.direction == "higher") else "worse"


def conclude(run: Run, rows: Sequence[Row], cautions: Sequence[Caution]) -> Conclusion:
    """Return the verdict line for the `rows`, diagnostics left out: they say how answers look, not
    how good they are; so is a judge that failed its self-test, and a metric of which no way is
    known to be better. A severe caution takes its place."""
    if any(caution.severe for caution in cautions):
        return Conclusion(
            tone="invalid",
            headline="These numbers cannot be trusted",
            detail="They do not say what they seem to say. What voids them is below, marked ✕.",
        )
    if run.baseline is None:
        return Conclusion(
            tone="alone",
            headline="The candidate alone: nothing to compare with",
            detail=_alone(rows),
        )
    left_out = {"diagnostic", "judge", "pairwise"} if advisory(run) else {"diagnostic"}
    compared = [row for row in rows if row.comparison and row.kind not in left_out]
    counted = [row for row in compared if row.direction in ("higher", "lower")]
    if compared and not counted:
        return Conclusion(
            tone="none",
            headline="No verdict: no metric says which way is better",
            detail="A metric of your own says it by its record: see docs/metrics.md.",
        )
    if advisory(run) and not counted:
        return Conclusion(
            tone="none",
            headline="No verdict: the judge failed its self-test",
            detail="Its scores are advisory, and there are no others to compare.",
        )
    return _compared(counted)


def cautions(
    run: Run, data: Data | None, sides: Sequence[SideSummary], rows: Sequence[Row], same: int
) -> tuple[Caution, ...]:
    """Return what must be known before trusting the numbers, severe ones first."""
    found = [
        *_identity(run, same),
        *_size(run, rows),
        *doubts(run),
        *of_data.cautions(data),
        *_answers(sides),
    ]
    return tuple(sorted(found, key=lambda caution: not caution.severe))


def _alone(rows: Sequence[Row]) -> str:
    said = "Whether the model got better or worse needs a baseline over the same samples."
    metric = next((row.candidate for row in rows if row.candidate), None)
    if metric is None or metric.low is None:
        return said
    kind = rows[0].kind
    low, high = number(metric.low, kind), number(metric.high, kind)
    value = number(metric.value, kind)
    return f"{label(metric.name)}: {value} (95% interval {low} to {high}). {said}"


def _compared(rows: Sequence[Row]) -> Conclusion:
    counts = Counter(row.outcome for row in rows)
    if not rows or counts["few"] == len(rows):
        headline = "Too few samples to compare" if rows else "No metric is scored on both sides"
        return Conclusion(tone="none", headline=headline, detail="No difference can be shown.")
    better, worse = counts["better"], counts["worse"]
    headline = "No difference shown between candidate and baseline"
    tone: Tone = "none"
    if better or worse:
        tone = "mixed" if better and worse else "better" if better else "worse"
        first = f"better than the baseline on {better}" if better else ""
        second = f"worse on {worse}" if better else f"worse than the baseline on {worse}"
        headline = f"Candidate {first or second} of {len(rows)} metrics"
        headline += f", {second}" if tone == "mixed" else ""
    return Conclusion(tone=tone, headline=headline, detail=_detail(rows, counts))


def _detail(rows: Sequence[Row], counts: Counter[Outcome]) -> str:
    rest = [
        f"no difference shown on {counts['none']}" if counts["none"] else "",
        f"too few samples on {counts['few']}" if counts["few"] else "",
    ]
    said = ", ".join(part for part in rest if part)
    leading = rows[0]
    sentences = [f"{said[0].upper()}{said[1:]}."] if said else []
    if leading.comparison:
        low, high = (
            signed(bound, leading.kind)
            for bound in (leading.comparison.low, leading.comparison.high)
        )
        sentences.append(
            f"{label(leading.name)}: {signed(leading.difference, leading.kind)} "
            f"(95% interval {low} to {high})."
        )
    sentences.append(
        "Better or worse means that the whole interval of the paired difference lies on one side "
        "of 0."
    )
    return " ".join(sentences)


def _identity(run: Run, same: int) -> Iterator[Caution]:
    candidate = run.candidate.generation
    if run.manifest and candidate.digest and candidate.digest != run.manifest.digest:
        yield Caution(
            severe=True,
            text=f"The graded weights ({candidate.digest[:12]}) are not the ones that were trained "
            f"({run.manifest.digest[:12]}).",
        )
    if not candidate.digest:
        yield Caution(
            severe=False,
            text="The candidate's weights have no digest: nothing proves which model was graded.",
        )
    if run.baseline is None:
        return
    baseline = run.baseline.generation
    if baseline.digest and baseline.digest == candidate.digest:
        yield Caution(
            severe=True,
            text=f"Baseline and candidate have the same weights ({candidate.digest[:12]}).",
        )
    if baseline.dataset_hash != candidate.dataset_hash:
        yield Caution(severe=True, text="Baseline and candidate answered different datasets.")
    if same == len(run.positions):
        yield Caution(
            severe=True, text="Baseline and candidate gave the same output on every sample."
        )
    if baseline.template != candidate.template:
        yield Caution(
            severe=False,
            text=f"The templates differ: {baseline.template} (baseline), "
            f"{candidate.template} (candidate).",
        )


def _size(run: Run, rows: Sequence[Row]) -> Iterator[Caution]:
    samples = len(run.positions)
    if run.baseline is None and samples < FEW_PAIRS:
        yield Caution(severe=False, text=f"Few samples: {samples}. The intervals are wide.")
    compared = [row for row in rows if row.comparison and row.kind != "diagnostic"]
    pairs = min((row.comparison.n for row in compared if row.comparison), default=0)
    if not compared or pairs >= FEW_PAIRS:
        return
    spans = [
        f"{row.comparison.detectable:.2g} in {row.name}"
        for kind in ("judge", "similarity")
        for row in [row for row in compared if row.kind == kind][:1]
        if row.comparison
    ]
    yield Caution(
        severe=False,
        text=f"Few samples: {pairs} pairs. A true difference smaller than {' or '.join(spans)} "
        "would probably not be seen (power 80%).",
    )


def _answers(sides: Sequence[SideSummary]) -> Iterator[Caution]:
    for side in sides:
        lacking = side.samples - side.predictions
        if lacking:
            yield Caution(severe=False, text=f"The {side.side} has no answer to {lacking} samples.")
        if side.cut > _CUT * side.predictions:
            yield Caution(
                severe=False,
                text=f"{side.cut} of {side.predictions} answers of the {side.side} were cut at "
                "max_new_tokens.",
            )
        if side.prompts_truncated:
            yield Caution(
                severe=False,
                text=f"{side.prompts_truncated} prompts of the {side.side} were truncated at "
                "cutoff_len: the model did not see all of them.",
            )
