"""A check, as text for people."""

from __future__ import annotations

from assay.dataset.check import Check, Spread
from assay.dataset.overlap import Overlap


def describe(result: Check, shown: int = 20) -> str:
    """Return a check as text for people; the first `shown` of each kind of trouble are named."""
    lines = [
        f"{result.source}: {result.format}, {result.rows:,} rows, {result.samples:,} samples",
        *(_line(spread) for spread in (result.turns, result.characters, result.tokens) if spread),
    ]
    if result.invalid:
        lines += ["", f"Rows that cannot be used: {len(result.invalid):,}"]
        lines += _first([f"  {fault}" for fault in result.invalid], shown)
    for finding in result.findings:
        lines += ["", f"Rows that {finding.cause}: {finding.count:,}"]
        lines += [f"  {place}" for place in finding.places]
        lines += [f"  and {finding.count - 5:,} more"] if finding.count > 5 else []
    if result.overlap:
        lines += ["", *_overlap_lines(result, result.overlap, shown)]
    if not result.invalid and not result.findings:
        lines += ["", "Nothing wrong with its rows."]
    return "\n".join(lines)


def _line(spread: Spread) -> str:
    return (
        f"  {spread.unit:<10} {spread.least:,} to {spread.most:,}, "
        f"median {spread.median:,}, 95% up to {spread.p95:,}"
    )


def _overlap_lines(result: Check, overlap: Overlap, shown: int) -> list[str]:
    if not overlap.pairs:
        return [f"No prompt is in {result.against}, nor one much like it."]
    lines = [
        f"Of {result.samples:,} samples, {overlap.exact:,} have the same prompt as a sample of "
        f"{result.against}, and {overlap.near:,} one much like it:"
    ]
    for pair in overlap.pairs:
        likeness = "same prompt" if pair.exact else f"{pair.similarity:.0%} alike"
        answer = "same answer" if pair.same_target else "another answer"
        lines.append(f"  {pair.eval_id} ~ {pair.train_id}: {likeness}, {answer}")
    return [lines[0], *_first(lines[1:], shown)]


def _first(lines: list[str], shown: int) -> list[str]:
    left = len(lines) - shown
    return [*lines[:shown], f"  and {left:,} more"] if left > 0 else lines
