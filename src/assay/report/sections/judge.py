"""The judge: its scores, and whether to believe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.judge import JudgeSummary, PairSummary
from assay.report.contents import Report, SideSummary
from assay.report.plain import signed
from assay.report.section import (
    Block,
    Cell,
    Column,
    Drawn,
    Note,
    Phrase,
    Section,
    Table,
    note,
    of_kind,
    side_columns,
    titled,
)
from assay.report.sections import panel, people

NAMED = 5
_ADVISORY = (
    "The judge failed its self-test: it scores answers of known worth wrongly, so its scores are "
    "no ground for a decision."
)


def section(report: Report) -> Section | None:
    """Return what is to be said of the judge, None where nobody judged."""
    if not of_kind(report.summary, "judge") and not report.judging:
        return None
    return Section(name="judge", title="Judge", button="Judge", blocks=tuple(_blocks(report)))


def _blocks(report: Report) -> Iterator[Block]:
    if any(summary.health.advisory for summary in report.judging.values()):
        words = (Cell(text="Advisory.", look="strong"), Cell(text=f" {_ADVISORY}"))
        yield Note(phrases=(words,), look="alert")
    yield Drawn(name="scores")
    judged = tuple(_scored(report, side) for side in report.sides if side.judge_attempts)
    if judged:
        yield Note(phrases=judged, look="facts")
    if report.pairing:
        yield note(_pairs(report.pairing), "facts")
    if report.judging:
        yield _health(report.judging)
    yield from panel.blocks(report)
    yield from people.blocks(report)
    if any(summary.health.self_test for summary in report.judging.values()):
        yield _self_test_table(report.judging)


def _scored(report: Report, side: SideSummary) -> Phrase:
    leading = next(iter(of_kind(report.summary, "judge")), None)
    metric = getattr(leading, side.side) if leading else None
    scored = f", {metric.n:,} of {side.samples:,} scored" if metric else ""
    return (
        Cell(text=f"{side.side.capitalize()}: ", side=side.side),
        Cell(text=f"{side.commentaries:,}", look="strong"),
        Cell(text=f" commentaries{scored}"),
    )


def _pairs(pairing: PairSummary) -> str:
    """What the pairwise judging came to, as one sentence."""
    causes = ", ".join(f"{count} {cause}" for cause, count in pairing.unscored.items())
    repeated = f", {pairing.repeats} times by majority" if pairing.repeats > 1 else ""
    cost = "" if pairing.cost is None else f", cost {pairing.cost:.4g}"
    return (
        f"Pairwise, each pair in both orders{repeated}: of {pairing.pairs:,} pairs the candidate "
        f"won {pairing.wins:,}, lost {pairing.losses:,} and tied {pairing.ties:,}, of which "
        f"{pairing.inconsistent:,} because the order changed the judge's mind; unscored: "
        f"{causes or 'none'}. {pairing.requests:,} requests, {pairing.prompt_tokens:,} + "
        f"{pairing.output_tokens:,} tokens{cost}."
    )


def _health(judging: Mapping[str, JudgeSummary]) -> Table:
    columns = side_columns("Of the judge", list(judging))
    rows = ((title, [text(summary) for summary in judging.values()]) for title, text in _ROWS)
    told = tuple(
        titled(title, [text or "–" for text in texts]) for title, texts in rows if any(texts)
    )
    return Table(title="Whether to believe it", columns=columns, rows=told)


def _self_test_table(judging: Mapping[str, JudgeSummary]) -> Table:
    first, *sides = side_columns("Answer", list(judging))
    return Table(
        title="Self-test: answers whose worth is known",
        columns=(first, Column(title="Wanted"), *sides),
        rows=tuple(_probes(judging)),
    )


def _probes(judging: Mapping[str, JudgeSummary]) -> Iterator[Phrase]:
    """Each answer of the self-test with the score wanted, and the result of each side."""
    results: dict[tuple[str, str], list[Cell]] = {}
    for place, summary in enumerate(judging.values()):
        for probe in summary.health.self_test:
            key = (probe.name, probe.wanted)
            cells = results.setdefault(key, [Cell(text="–")] * len(judging))
            score = "no verdict" if probe.score is None else f"{probe.score:g}"
            mark = "✓" if probe.passed else "✗"
            cells[place] = Cell(text=f"{mark} {score}", look="" if probe.passed else "worse")
    for (name, wanted), cells in results.items():
        yield (Cell(text=name), Cell(text=wanted), *cells)


def _asked(summary: JudgeSummary) -> str:
    accepted = summary.asked_with
    if not accepted:
        return "nothing asked in this run"
    form = "json_schema" if accepted.get("json_schema") else "by prompt alone, parsed strictly"
    heat = f"temperature {summary.temperature:g}"
    heat = heat if accepted.get("temperature") else "temperature refused: its own"
    return f"{form}; {heat}; {accepted.get('limit')} {summary.max_tokens}"


def _self_test(summary: JudgeSummary) -> str:
    results = summary.health.self_test
    passed = sum(probe.passed for probe in results)
    if not results:
        return "not made"
    return f"{'failed' if summary.health.advisory else 'passed'}: {passed} of {len(results)}"


def _verdicts(summary: JudgeSummary) -> str:
    scored = summary.verdicts - sum(summary.unscored.values())
    causes = ", ".join(f"{count} {cause}" for cause, count in summary.unscored.items())
    return f"{scored:,} of {summary.verdicts:,}" + (f"; unscored: {causes}" if causes else "")


def _spread(summary: JudgeSummary) -> str:
    spread = summary.health.within_item_sd
    return ", ".join(f"{name} {value:.2f}" for name, value in spread.items())


def _unstable(summary: JudgeSummary) -> str:
    return _first(summary.health.unstable) if summary.health.within_item_sd else ""


def _drift(summary: JudgeSummary) -> str:
    if summary.anchors and not summary.drift:
        return f"too few of {summary.anchors} have a score"
    return "; ".join(
        f"{name} {signed(shift.mean, 'judge')} ({signed(shift.low, 'judge')} to "
        f"{signed(shift.high, 'judge')})" + (", moved" if shift.drifted else "")
        for name, shift in summary.drift.items()
    )


def _first(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{len(names):,}" + (f": {listed}" if names else "")


def _number(value: float | None) -> str:
    return "" if value is None else signed(value, "judge")


_ROWS = (
    ("Judge", lambda summary: f"{summary.model} at {summary.host}"),
    (
        "Rubric",
        lambda summary: (
            f"{summary.rubric}, version {summary.rubric_version} ({summary.rubric_digest[:12]})"
        ),
    ),
    ("Asked with", _asked),
    ("Self-test", _self_test),
    ("Scored", _verdicts),
    (
        "Rank correlation of score and length",
        lambda summary: _number(summary.health.length_correlation),
    ),
    (
        "Overall minus the mean of the other dimensions",
        lambda summary: _number(summary.health.overall_gap),
    ),
    ("Standard deviation within an item", _spread),
    ("Unstable items", _unstable),
    ("Drift on the anchors, now minus then", _drift),
    ("Requests", lambda summary: f"{summary.requests:,}"),
    (
        "Tokens, in and out",
        lambda summary: f"{summary.prompt_tokens:,} + {summary.output_tokens:,}",
    ),
    ("Cost", lambda summary: "" if summary.cost is None else f"{summary.cost:.4g}"),
)
