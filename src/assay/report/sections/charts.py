"""The charts, which the page draws."""

from __future__ import annotations

from assay.report.charts import figures
from assay.report.contents import Report
from assay.report.section import Drawn, Section


def section(report: Report) -> Section | None:
    """Return the place of the charts, None where there is nothing to draw."""
    if not any("place" not in figure for figure in figures(report)):
        return None
    return Section(name="charts", title="Charts", button="Charts", blocks=(Drawn(name="charts"),))
