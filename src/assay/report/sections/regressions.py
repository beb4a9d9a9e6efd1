"""The worst regressions: where the candidate lost most."""

from __future__ import annotations

from assay.report.contents import Report
from assay.report.plain import label
from assay.report.section import Block, Drawn, Section, note, of_kind


def section(report: Report) -> Section | None:
    """Return the worst regressions, None where nothing was compared."""
    if len(report.sides) < 2:
        return None
    title = "Worst regressions"
    if not report.regressions:
        none = "None: on no sample did the candidate score lower than the baseline by"
        blocks: tuple[Block, ...] = (note(f"{none} {_focus(report)}."),)
        return Section(name="regressions", title=title, blocks=blocks)
    told = f"Where the candidate lost most against the baseline, by {_focus(report)}."
    lead = note(told + _counted(report))
    blocks = (lead, Drawn(name="regressions"))
    return Section(name="regressions", title=title, button="Regressions", blocks=blocks)


def _focus(report: Report) -> str:
    """What to call the metric that ranks the samples."""
    judged = any(row.name == report.focus for row in of_kind(report.summary, "judge"))
    name = label(report.focus)
    return f"the judge's {name.lower()} score" if judged else name or "any metric"


def _counted(report: Report) -> str:
    """On how many samples of the whole run it lost and gained."""
    compared = next((row.comparison for row in report.summary if row.name == report.focus), None)
    if compared is None:
        return ""
    return f" It lost on {compared.worse:,} of {compared.n:,} and gained on {compared.better:,}."
