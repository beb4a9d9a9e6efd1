"""Fine-tune a model and, by itself, evaluate it against the one it was tuned from."""

from kfp import dsl

from components.finetune import finetune
from pipelines.form import Given, pipeline
from pipelines.stages import answer, check, evaluate, give_store


@pipeline(name="finetune-and-evaluate", display_name="Fine-tune and evaluate")
def finetune_and_evaluate(given: Given) -> None:
    """Fine-tune a model with LLaMA-Factory and evaluate it against the one it was tuned from."""
    plan = check(given)
    tuned = finetune(
        settings=plan.outputs["finetune"],
        samples=plan.outputs["samples"],
        cluster=plan.outputs["cluster"],
        store=plan.outputs["store"],
    )
    give_store(tuned).set_display_name("Fine-tune")
    # outside of the condition, so that it need not wait for the fine-tune: KFP lets nothing outside
    # of a condition take what comes from inside. Preflight names no baseline where none is wanted.
    baseline = answer("baseline", plan, plan.outputs["baseline_model"])
    with dsl.If(given["enable_auto_eval"] == True, name="Evaluate"):  # noqa: E712  for KFP
        evaluate(
            plan,
            baseline,
            model=tuned.outputs["model_uri"],
            mode=given["mode"],
            judge_secret=given["judge_secret"],
            training=tuned.outputs["training"],
        )
