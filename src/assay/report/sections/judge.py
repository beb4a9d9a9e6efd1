"""The judge: its scores, and whether to believe them."""

from __future__ import annotations

from collections.abc import Iterator

from assay.judge import PairSummary
from assay.progress import clock
from assay.report.contents import Report, SideSummary
from assay.report.section import (
    Block,
    Cell,
    Drawn,
    Note,
    Phrase,
    Section,
    note,
    of_kind,
)
from assay.report.sections import health, panel, people

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
    if any(summary.health.failed for summary in report.judging.values()):
        words = (Cell(text="Advisory.", look="strong"), Cell(text=f" {_ADVISORY}"))
        yield Note(phrases=(words,), look="alert")
    yield Drawn(name="scores")
    judged = tuple(_scored(report, side) for side in report.sides if side.judge_attempts)
    if judged:
        yield Note(phrases=judged, look="facts")
    if report.pairing:
        yield note(_pairs(report.pairing), "facts")
    if report.judging:
        yield health.table(report.judging)
    yield from panel.blocks(report)
    yield from people.blocks(report)
    if any(summary.health.self_test for summary in report.judging.values()):
        yield health.self_test(report.judging)


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
    twice = health.flips(pairing.flips, "{} outcomes changed", "{} to the other side")
    twice = f" Judged twice: {twice}." if twice else ""
    cost = "" if pairing.cost is None else f", cost {pairing.cost:.4g}"
    waited = f", waited {clock(pairing.waited_s)} for the judge" if pairing.waited_s else ""
    return (
        f"Pairwise, each pair in both orders{repeated}: of {pairing.pairs:,} pairs the candidate "
        f"won {pairing.wins:,}, lost {pairing.losses:,} and tied {pairing.ties:,}, of which "
        f"{pairing.inconsistent:,} because the order changed the judge's mind; unscored: "
        f"{causes or 'none'}. {pairing.requests:,} requests, {pairing.prompt_tokens:,} + "
        f"{pairing.output_tokens:,} tokens{cost}{waited}.{twice}"
    )
