"""The last accepted model beside the candidate."""

from __future__ import annotations

from collections.abc import Iterator

from assay.gate import FOREIGN, called
from assay.report.contents import Acceptance, Accepted, Movement, Report
from assay.report.plain import label, minute, number
from assay.report.section import Block, Cell, Column, Phrase, Section, Table, note
from assay.report.trend import difference


def section(report: Report) -> Section | None:
    """Return the comparison with the last accepted model, None where there is none."""
    if report.accepted is None:
        return None
    blocks: list[Block] = [note(text) for text in _notes(report.accepted)]
    if report.accepted.movements:
        blocks.append(_table(report.accepted))
    return Section(
        name="accepted", title="Against the last accepted", button="Accepted", blocks=tuple(blocks)
    )


def _notes(accepted: Accepted) -> Iterator[str]:
    if accepted.acceptance:
        yield _who(accepted.acceptance)
    if accepted.problem:
        yield f"It is not compared with: {accepted.problem}."
    yield from accepted.remarks


def _who(acceptance: Acceptance) -> str:
    digest = acceptance.digest[:12] or "no digest"
    # a GO is accepted against nothing but where it was by other rules
    gate = called(acceptance.gate) + (FOREIGN if acceptance.gate == "GO" else "")
    anyway = f", although its gate said {gate}" if acceptance.anyway else ""
    return (
        f"{acceptance.name} ({digest}), accepted by {acceptance.by} on {minute(acceptance.time)} "
        f"UTC{anyway}: {acceptance.why}"
    )


def _table(accepted: Accepted) -> Table:
    numbers = (
        Column(title=title, number=True) for title in ("Accepted", "Candidate", "Difference")
    )
    return Table(
        title=f"Over the {accepted.samples:,} samples that both answered, in pairs; better and "
        "worse hold with all of these tested at once",
        columns=(Column(title="Metric"), *numbers),
        rows=tuple(_row(moved) for moved in accepted.movements),
    )


def _row(moved: Movement) -> Phrase:
    texts = (number(moved.before, moved.kind), number(moved.now, moved.kind))
    told = Cell(text=difference(moved) + _verdict(moved))
    return (Cell(text=label(moved.name)), *(Cell(text=text) for text in texts), told)


def _verdict(moved: Movement) -> str:
    if not moved.moved:
        return ""
    if moved.direction in ("neither", "unknown"):
        return ", moved"
    return ", better" if (moved.difference > 0) == (moved.direction == "higher") else ", worse"
