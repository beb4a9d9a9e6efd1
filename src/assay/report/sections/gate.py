"""The gate: its decision, and each rule with its reason."""

from __future__ import annotations

from assay.gate import headline
from assay.report.contents import Report
from assay.report.section import Checks, Section

NAME = "gate"


def section(report: Report) -> Section | None:
    """Return the gate, None where none was asked for."""
    if report.gate is None:
        return None
    checks = Checks(rulings=report.gate.rulings)
    return Section(name=NAME, title=headline(report.gate), blocks=(checks,))
