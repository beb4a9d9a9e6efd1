"""The trend of a recurring evaluation: what has moved since the last comparable run."""

from __future__ import annotations

from collections.abc import Iterator

from assay.gate import called
from assay.report.contents import Reading, Record, Report, Trend
from assay.report.plain import label, number
from assay.report.section import Block, Cell, Column, Drawn, Phrase, Section, Table, note, titled
from assay.report.trend import difference, when


def section(report: Report) -> Section | None:
    """Return the trend, None without a history."""
    if report.trend is None:
        return None
    blocks: list[Block] = [note(_headline(report.trend))]
    if report.trend.movements:
        blocks.append(_moved(report.trend))
    blocks += [Drawn(name="trend"), _listed(report.trend)]
    return Section(name="trend", title="Trend", button="Trend", blocks=tuple(blocks))


def _headline(trend: Trend) -> str:
    """In one sentence, what this run is compared with."""
    if len(trend.runs) == 1:
        return "This is the first run in its history."
    before = next((run for run in trend.runs if run.id == trend.since), None)
    if before is None:
        return "No earlier run is comparable: they evaluated other samples."
    alike = "on the same dataset" if before.dataset_hash == trend.runs[-1].dataset_hash else ""
    alike = alike or "with most of the same samples"
    unpaired = f" The two are not compared sample by sample: {trend.unpaired}."
    return (
        f"Compared with the last run {alike}, of {when(before)} UTC: {before.name}."
        f"{unpaired if trend.unpaired else ''}"
    )


def _moved(trend: Trend) -> Table:
    numbers = (Column(title=title, number=True) for title in ("Then", "Now", "Difference"))
    return Table(
        title=_over(trend),
        columns=(Column(title="Metric"), *numbers),
        rows=tuple(_movements(trend)),
    )


def _over(trend: Trend) -> str:
    """What the table of movements is over."""
    pairs = max((moved.pairs or 0 for moved in trend.movements), default=0)
    how = "the interval is of the difference of two means, not paired"
    if pairs:
        how = f"in pairs, over the {pairs:,} samples that both runs scored"
    return f"Since that run, {how}; what has moved has so with all of these tested at once"


def _movements(trend: Trend) -> Iterator[Phrase]:
    for moved in trend.movements:
        name = Cell(text=f"{label(moved.name)}, {moved.side}", side=moved.side)
        told = difference(moved) + ", moved" * moved.moved
        texts = (number(moved.before, moved.kind), number(moved.now, moved.kind), told)
        yield (name, *(Cell(text=text) for text in texts))


def _listed(trend: Trend) -> Table:
    titles = ("UTC", "Candidate", "Gate", "Its metrics")
    return Table(
        title="The runs, the newest first",
        columns=tuple(Column(title=title) for title in titles),
        rows=tuple(_run(trend, run) for run in reversed(trend.runs)),
        folded=True,
    )


def _run(trend: Trend, run: Record) -> Phrase:
    by_name = {(reading.name, reading.side): reading for reading in run.readings}
    texts = [_told(by_name.get((name, "candidate"))) for name in trend.headlines]
    values = "; ".join(text for text in texts if text)
    if run.dataset_hash != trend.runs[-1].dataset_hash:
        values = f"Not comparable, another dataset ({run.dataset_hash[:12]}). {values}"
    digest = run.digests.get("candidate", "")[:12] or "no digest"
    gate = called(run.gate) or "–"
    return titled(when(run), [f"{run.name} ({digest})", gate, values])


def _told(reading: Reading | None) -> str:
    if reading is None or reading.value is None:
        return ""
    estimate = f"{label(reading.name)} {number(reading.value, reading.kind)}"
    if reading.low is None:
        return estimate
    bounds = (number(bound, reading.kind) for bound in (reading.low, reading.high))
    return f"{estimate} ({' to '.join(bounds)})"
