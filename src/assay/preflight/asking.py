"""Endpoints that have to answer before anything is spent on them."""

from __future__ import annotations

from pathlib import Path

from assay import judge as judging
from assay import served
from assay.folder import SAMPLES
from assay.judge import Estimate
from assay.plan import Plan
from assay.preflight.samples import begun


def ask_model(plan: Plan, name: str, model: served.ServedModel, folder: Path | None) -> None:
    """Have the endpoint of a model answer, unless this run has begun: then it has answered."""
    if folder is None or not begun(folder):
        served.check(model, plan.generate, name, folder and folder / SAMPLES)


def ask_judge(plan: Plan, folder: Path | None) -> Estimate | None:
    """Have the judge give a verdict on the longest sample, or where there are none yet on a fixed
    one, and return what all will take. Raises JudgeError, also where `max_cost` cannot pay for it;
    of a run that has begun a part is paid already."""
    judge = plan.judge
    if judge is None:
        return None
    estimate = judging.check(judge, folder and folder / SAMPLES, sides=len(plan.sides))
    if folder and not begun(folder):
        judging.check_cost(judge, estimate)
    return estimate
