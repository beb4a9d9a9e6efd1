"""Fine-tune a model and, by itself, evaluate it against the one it was tuned from."""

from kfp import dsl

from components.finetune import finetune
from pipelines.form import Given, pipeline
from pipelines.stages import answer, check, evaluate, give_store


def tune(plan: dsl.PipelineTask) -> dsl.PipelineTask:
    """Add the task that fine-tunes."""
    task = finetune(
        settings=plan.outputs["finetune"],
        samples=plan.outputs["samples"],
        cluster=plan.outputs["cluster"],
        store=plan.outputs["store"],
    )
    return give_store(task).set_display_name("Fine-tune")


@pipeline(name="finetune-and-evaluate", display_name="Fine-tune and evaluate")
def finetune_and_evaluate(given: Given) -> None:
    """Fine-tune a model with LLaMA-Factory and evaluate it against the one it was tuned from."""
    plan = check(given)
    # each with a fine-tune of its own: KFP lets nothing outside of a condition take what comes from
    # inside, and the baseline, which is to answer meanwhile, need not be asked for nothing
    with dsl.If(given["enable_auto_eval"] == True, name="Evaluate"):  # noqa: E712  for KFP
        tuned = tune(plan)
        evaluate(
            plan,
            answer("baseline", plan, plan.outputs["baseline_model"], given["judge_secret"]),
            model=tuned.outputs["model_uri"],
            mode=given["mode"],
            judge_secret=given["judge_secret"],
            training=tuned.outputs["training"],
        )
    with dsl.If(given["enable_auto_eval"] == False, name="Fine-tune only"):  # noqa: E712
        tune(plan)
