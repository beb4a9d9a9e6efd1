"""The primary metric: the one that the verdict line speaks of, chosen before its number is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.gate import GatePolicy
from assay.records import Group
from assay.report.contents import MetricRow
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory, passed

ORDER: tuple[Group, ...] = ("judge", "pairwise", "task", "similarity", "own")
_OVERALL = "overall"
_FAILED = "the judge failed its self-test"
_UNTESTED = "the judge has not passed all of its self-test"
_OF_A_JUDGE = ("judge", "pairwise")


@dataclass(frozen=True, kw_only=True)
class Primary:
    """The primary metric's name, "" for none, and why there is no verdict on it, "" where there
    may be one."""

    name: str = ""
    problem: str = ""


def choose(run: EvaluatedRun, rows: Sequence[MetricRow], policy: GatePolicy | None) -> Primary:
    """Return what the policy declares; else overall, where a judge scored that passed all of its
    self-test; else the first metric in the order of the table that is compared and says which way
    is better, diagnostics left out and the judge's only where it passed."""
    believed = passed(run) or (policy is not None and policy.trust_advisory)
    if policy and policy.primary:
        return Primary(name=policy.primary, problem=_against(policy.primary, run, rows, believed))
    compared = [row for row in rows if row.comparison and row.kind in ORDER]
    usable = [row for row in compared if believed or row.kind not in _OF_A_JUDGE]
    counted = [row for row in usable if row.direction in ("higher", "lower")]
    if counted:
        first = min(counted, key=lambda row: (row.name != _OVERALL, ORDER.index(row.kind)))
        return Primary(name=first.name)
    return Primary(problem=_none(run, usable, compared))


def _against(name: str, run: EvaluatedRun, rows: Sequence[MetricRow], believed: bool) -> str:
    """Return why a declared metric has no verdict."""
    row = next((row for row in rows if row.name == name), None)
    if row is None or row.comparison is None:
        return f"No verdict: {name}, the primary metric, is not compared"
    if row.direction not in ("higher", "lower"):
        return f"No verdict: {name}, the primary metric, has no better way"
    if row.kind in _OF_A_JUDGE and not believed:
        return f"No verdict: {_FAILED if advisory(run) else _UNTESTED}"
    return ""


def _none(run: EvaluatedRun, usable: Sequence[MetricRow], compared: Sequence[MetricRow]) -> str:
    if usable:
        return "No verdict: no metric says which way is better"
    if compared:
        return f"No verdict: {_FAILED if advisory(run) else _UNTESTED}"
    return "No metric is scored on both sides"
