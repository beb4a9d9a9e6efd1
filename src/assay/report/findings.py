"""The verdict line: what the numbers let a reader say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assay.records import Comparison
from assay.report.contents import Caution, Conclusion, MetricRow, Outcome, Tone
from assay.report.plain import label, number, signed
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory

MIN_PAIRS = 10


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


def conclude(
    run: EvaluatedRun, rows: Sequence[MetricRow], cautions: Sequence[Caution]
) -> Conclusion:
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


def _alone(rows: Sequence[MetricRow]) -> str:
    remark = "Whether the model got better or worse needs a baseline over the same samples."
    metric = next((row.candidate for row in rows if row.candidate), None)
    if metric is None or metric.low is None:
        return remark
    kind = rows[0].kind
    low, high = number(metric.low, kind), number(metric.high, kind)
    value = number(metric.value, kind)
    return f"{label(metric.name)}: {value} (95% interval {low} to {high}). {remark}"


def _compared(rows: Sequence[MetricRow]) -> Conclusion:
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


def _detail(rows: Sequence[MetricRow], counts: Counter[Outcome]) -> str:
    rest = [
        f"no difference shown on {counts['none']}" if counts["none"] else "",
        f"too few samples on {counts['few']}" if counts["few"] else "",
    ]
    remainder = ", ".join(part for part in rest if part)
    leading = rows[0]
    sentences = [f"{remainder[0].upper()}{remainder[1:]}."] if remainder else []
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
