"""The sections of a report, in their order. A new one is a file here and a line below."""

from __future__ import annotations

from assay.report.contents import Report
from assay.report.section import Section
from assay.report.sections import (
    accepted,
    charts,
    compared,
    cost,
    coverage,
    data,
    diagnostics,
    gate,
    judge,
    labels,
    metrics,
    parity,
    provenance,
    regressions,
    samples,
    subsets,
    trend,
)

_BUILDERS = (
    gate.section,
    compared.section,
    metrics.section,
    subsets.section,
    labels.section,
    judge.section,
    parity.section,
    accepted.section,
    trend.section,
    charts.section,
    regressions.section,
    samples.section,
    coverage.section,
    data.section,
    diagnostics.section,
    cost.section,
    provenance.section,
)


def build_sections(report: Report) -> tuple[Section, ...]:
    """Return what `report` has to say, without the sections that have nothing to."""
    built = (build(report) for build in _BUILDERS)
    return tuple(section for section in built if section is not None)
