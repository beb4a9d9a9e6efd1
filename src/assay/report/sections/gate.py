"""The gate: its decision, each rule with its reason, and how often it stops a good candidate."""

from __future__ import annotations

from assay.gate import headline, remark
from assay.report.contents import Report
from assay.report.section import Block, Checks, Section, note

NAME = "gate"


def section(report: Report) -> Section | None:
    """Return the gate, None where none was asked for."""
    if report.gate is None:
        return None
    blocks: list[Block] = [Checks(rulings=report.gate.rulings)]
    said = remark(report.gate)
    blocks += [note(said, "quiet")] if said else []
    return Section(name=NAME, title=headline(report.gate), blocks=tuple(blocks))
