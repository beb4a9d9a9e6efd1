"""The samples, each with both answers."""

from __future__ import annotations

from assay.report.contents import Report
from assay.report.section import Block, Drawn, Section, note


def section(report: Report) -> Section:
    """Return the samples, and how they were chosen where they are not all."""
    lead: tuple[Block, ...] = (note(report.selection),) if report.selection else ()
    blocks = (*lead, Drawn(name="samples"))
    return Section(name="samples", title="Samples", button="Samples", blocks=blocks)
