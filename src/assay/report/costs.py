"""What all the judging of a run cost."""

from __future__ import annotations

from assay.report.run import EvaluatedRun


def costs(run: EvaluatedRun) -> dict[str, float]:
    """Return what the judge, the rest of the panel and the pairwise judging cost, both sides
    together, without what has no price."""
    bills = {
        "judge": [side.judge.cost for side in run.sides if side.judge],
        "panel": [summary.cost for side in run.sides for summary, _ in side.panel],
        "pairwise": [run.pairing.cost] if run.pairing else [],
    }
    prices = {name: [cost for cost in each if cost is not None] for name, each in bills.items()}
    return {name: sum(each) for name, each in prices.items() if each}
