"""What all the judging of a run cost."""

from __future__ import annotations

from pathlib import Path

from assay.judge.modes import MODES

# What report.json calls a mode, where that is not its name.
_NAMES = {"score": "judge"}


def costs(folder: Path) -> dict[str, float]:
    """Return what each way of judging cost in a run folder, both sides together, without what has
    no price. Raises InputError for a summary that cannot be read."""
    bills = {_NAMES.get(mode.name, mode.name): mode.costs(folder) for mode in MODES}
    return {name: sum(prices) for name, prices in bills.items() if prices}
