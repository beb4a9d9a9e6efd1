"""The diagnostics: how the answers look."""

from __future__ import annotations

from assay.report.contents import Report
from assay.report.section import Metrics, RowGroup, Section, note, of_kind


def section(report: Report) -> Section | None:
    """Return the metrics that do not count in the verdict, None where there are none."""
    rows = of_kind(report.summary, "diagnostic")
    if not rows:
        return None
    lead = "How the answers look, not how good they are: these do not count in the verdict."
    title = "Each diagnostic of baseline and candidate with its 95% interval"
    table = Metrics(title=title, groups=(RowGroup(title="", rows=rows),))
    return Section(
        name="diagnostics", title="Diagnostics of the answers", blocks=(note(lead), table)
    )
