"""The verdict line: what the numbers let a reader say of the primary metric, and of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assay.gate import Gate
from assay.report.contents import Caution, Conclusion, MetricRow, Tone
from assay.report.plain import label, number, signed
from assay.report.primary import ORDER, Primary
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory

_NOT_A_VOTE = (
    "This is not a vote: the metrics measure overlapping things, and how many are better decides "
    "nothing."
)
_DETAILS = {
    "No verdict: no metric says which way is better": "A metric of your own says it by its record: "
    "see docs/metrics.md.",
    "No verdict: the judge failed its self-test": "Its scores are advisory.",
}


def conclude(
    run: EvaluatedRun,
    rows: Sequence[MetricRow],
    cautions: Sequence[Caution],
    primary: Primary,
    gate: Gate | None,
) -> Conclusion:
    """Return the verdict line, on the `primary` metric, and what came of the others: diagnostics
    and the likelihood left out, which say how answers look and how likely others are, not how good
    they are, and so are a judge that failed its self-test, and a metric of which no way is known to
    be better. A severe caution takes its place.

    The tone is never better over a judge that failed its self-test, nor over a gate that is not GO.
    """
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
            detail=_alone(rows, primary),
        )
    return _compared(run, rows, primary, gate)


def _compared(
    run: EvaluatedRun, rows: Sequence[MetricRow], primary: Primary, gate: Gate | None
) -> Conclusion:
    others = _others(rows, primary, failed=advisory(run))
    first = next((row for row in rows if row.name == primary.name), None)
    if first is None or primary.problem:
        detail = " ".join(filter(None, [_DETAILS.get(primary.problem, ""), _told(others)]))
        return Conclusion(
            tone="none", headline=primary.problem, detail=detail, primary=primary.name
        )
    tone = _tone(first, others)
    doubtful = advisory(run) or (gate is not None and gate.decision != "GO")
    return Conclusion(
        tone="none" if tone == "better" and doubtful else tone,
        headline=_headline(first),
        detail=_told(others) or "It is the only metric that is compared.",
        primary=first.name,
    )


def _others(rows: Sequence[MetricRow], primary: Primary, *, failed: bool) -> list[MetricRow]:
    """Return the rows that are counted beside the primary one."""
    return [
        row
        for row in rows
        if row.comparison
        and row.name != primary.name
        and row.kind in ORDER
        and row.direction in ("higher", "lower")
        and not (failed and row.kind in ("judge", "pairwise"))
    ]


def _alone(rows: Sequence[MetricRow], primary: Primary) -> str:
    remark = "Whether the model got better or worse needs a baseline over the same samples."
    scored = [row for row in rows if row.candidate]
    chosen = [row for row in scored if row.name == primary.name] or scored
    metric = chosen[0].candidate if chosen else None
    if metric is None or metric.low is None:
        return remark
    kind = chosen[0].kind
    low, high = number(metric.low, kind), number(metric.high, kind)
    value = number(metric.value, kind)
    return f"{label(metric.name)}: {value} (95% interval {low} to {high}). {remark}"


def _headline(row: MetricRow) -> str:
    if row.outcome == "few" or row.comparison is None:
        return f"Too few samples to compare {_named(row)}"
    low, high = (signed(bound, row.kind) for bound in (row.comparison.low, row.comparison.high))
    seen = f"{signed(row.difference, row.kind)} (95% interval {low} to {high})"
    if row.outcome in ("better", "worse"):
        return f"Candidate {row.outcome} on {_named(row)}: {seen}"
    chance = ", which may be chance" if row.outcome == "chance" else ""
    return f"No difference shown on {_named(row)}: {seen}{chance}"


def _named(row: MetricRow) -> str:
    return row.name.replace("_", " ") if row.kind == "judge" else row.name


def _tone(first: MetricRow, others: Sequence[MetricRow]) -> Tone:
    came = {row.outcome for row in others}
    if first.outcome == "better":
        return "mixed" if "worse" in came else "better"
    if first.outcome == "worse":
        return "mixed" if "better" in came else "worse"
    return "mixed" if "worse" in came else "none"


def _told(others: Sequence[MetricRow]) -> str:
    """Return what came of the other metrics, as sentences."""
    if not others:
        return ""
    counts = Counter(row.outcome for row in others)
    named = f"{len(others)} other metric{'s' * (len(others) != 1)}"
    rest = [
        f"no difference shown on {counts['none']}" if counts["none"] else "",
        f"{counts['chance']} may be chance" if counts["chance"] else "",
        f"too few samples on {counts['few']}" if counts["few"] else "",
    ]
    return (
        f"Of {named}, {counts['better']} better and {counts['worse']} worse after Holm's "
        f"correction{''.join(f', {part}' for part in rest if part)}. {_NOT_A_VOTE}"
    )
