"""What people's labels said of a judge in an earlier run: it holds as long as judge and rubric are
the same."""

from __future__ import annotations

from dataclasses import replace

from assay import store
from assay.errors import JudgeError
from assay.judge.log import judge_of
from assay.records import Agreement


def load(source: str, *identities: str) -> dict[str, Agreement]:
    """Return what a calibration.json, a path or URI, says of each dimension, {} for "": how far the
    judge agrees with people, without the numbers that were corrected, which are of that run.

    Raises JudgeError where it is of another judge or rubric than the `identities`, InputError where
    the file is none of agreements."""
    if not source:
        return {}
    with store.fetched(source) as path:
        agreements = store.read_record(path, dict[str, Agreement])
    known = set(map(judge_of, identities))
    if any(judge_of(each.identity) not in known for each in agreements.values()):
        raise JudgeError(
            f"judge.calibration = {source!r} is of another judge or rubric, or of other settings",
            "Have people label answers that this judge scored: assay calibrate export, import",
        )
    return {
        name: replace(agreement, means={}, rates={}, mean_difference=None, rate_difference=None)
        for name, agreement in agreements.items()
    }
