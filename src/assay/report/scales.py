"""How far each metric of a run can go: its lowest and its highest score."""

from __future__ import annotations

from assay.report.glossary import entry
from assay.report.run import Run


def scales(run: Run) -> dict[str, tuple[float, float]]:
    """Return metric name -> (lowest, highest) of each metric with a known scale; the judge's is
    its rubric's."""
    judged = {name for side in run.sides for name in side.verdicts.values}
    paired = run.pairs.values if run.pairs else {}
    names = {name for side in run.sides for name in side.values} | {*paired}
    known = {name: entry(name, name in judged, run.scale).scale for name in names}
    return {name: scale for name, scale in known.items() if scale}
