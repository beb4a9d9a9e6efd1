"""Evaluate a given model, against the one it was tuned from or any other."""

from pipelines.form import Given, pipeline
from pipelines.stages import answer, check
from pipelines.stages import evaluate as evaluation


@pipeline(name="evaluate", display_name="Evaluate")
def evaluate(given: Given) -> None:
    """Evaluate a model, against the one it was tuned from or any other."""
    plan = check(given)
    evaluation(
        plan,
        answer("baseline", plan, plan.outputs["baseline_model"], given["judge_secret"]),
        model=plan.outputs["model"],
        mode=given["mode"],
        judge_secret=given["judge_secret"],
    )
