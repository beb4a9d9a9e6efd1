"""What both pipelines share: preflight, and the evaluation of a candidate against a baseline."""

from typing import Any

from kfp import dsl, kubernetes

from assay.judge.access import JUDGE_VARIABLES, MODEL_VARIABLES
from assay.scoring import SCORERS
from components.gate import gate
from components.generate import generate
from components.preflight import preflight
from components.report import report
from components.room import give_room
from components.score import SCORING
from pipelines.form import Given

ASKS_THE_JUDGE = ("assay/judge", "asked")
ASKS_A_MODEL = ("assay/model", "asked")
STORE_SECRET = "assay-store"  # noqa: S105  its name
STORE = {
    name: name
    for name in (
        "AWS_ENDPOINT_URL_S3",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    )
}


def give_judge_key(task: dsl.PipelineTask, secret: str) -> dsl.PipelineTask:
    """Pass the judge's key and its headers' values to `task` from a Kubernetes Secret; locally they
    are in the environment. A NetworkPolicy knows its pod by the label."""
    kubernetes.add_pod_label(task, *ASKS_THE_JUDGE)
    kubernetes.use_secret_as_env(task, secret, dict(JUDGE_VARIABLES), optional=True)
    return task


def give_model_keys(task: dsl.PipelineTask, secret: str) -> dsl.PipelineTask:
    """Pass the keys of models behind an endpoint to `task`, as `give_judge_key` does the judge's,
    which it does not get."""
    kubernetes.add_pod_label(task, *ASKS_A_MODEL)
    kubernetes.use_secret_as_env(task, secret, dict(MODEL_VARIABLES), optional=True)
    return task


def give_store(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Pass the store's address and credentials to `task` from the Secret, where there is one."""
    kubernetes.use_secret_as_env(task, STORE_SECRET, STORE, optional=True)
    return task


def check(given: Given) -> dsl.PipelineTask:
    """Add the task that refuses what cannot work and plans the rest."""
    task = preflight(**given)
    # what is behind a URI, or newest under a prefix, or free in the cluster, may have changed
    task.set_display_name("Preflight").set_caching_options(False)
    secret = given["judge_secret"]
    return give_store(give_model_keys(give_judge_key(give_room(task), secret), secret))


def answer(
    side: str, plan: dsl.PipelineTask, model: str, secret: str, base_model: str = ""
) -> dsl.PipelineTask:
    """Add the task that answers with the model of one side; the `secret` has the key of one behind
    an endpoint."""
    task = generate(
        side=side,
        model=model,
        settings=plan.outputs["generate"],
        samples=plan.outputs["samples"],
        cluster=plan.outputs["cluster"],
        store=plan.outputs["store"],
        base_model=base_model,
    )
    give_model_keys(task, secret)
    return give_store(task).set_display_name(f"Generate: {side}")


def evaluate(
    plan: dsl.PipelineTask,
    baseline: dsl.PipelineTask,
    model: str,
    mode: str,
    judge_secret: str,
    training: Any = None,
) -> None:
    """Add the tasks that answer with the candidate, score both sides, judge, report and decide."""
    candidate = answer("candidate", plan, model, judge_secret, plan.outputs["base_model"])
    answers = {
        "samples": plan.outputs["samples"],
        "baseline": baseline.outputs["predictions"],
        "candidate": candidate.outputs["predictions"],
    }
    scored = {}
    for scorer in SCORERS:
        stage = SCORING[scorer.name](
            name=scorer.name,
            mode=mode,
            settings=plan.outputs[scorer.name],
            store=plan.outputs["store"],
            **answers,
            **({"secret": judge_secret} if scorer.keyed else {}),
        )
        give_store(give_room(stage)).set_display_name(scorer.title)
        if scorer.keyed:
            give_judge_key(stage, judge_secret)
        scored[scorer.name] = stage.outputs["scores"]
    reported = report(
        config=plan.outputs["config"],
        **{f"{name}_scores": scores for name, scores in scored.items()},
        **answers,
        **({"training": training} if training else {}),
    )
    give_store(give_room(reported))
    reported.set_display_name("Report").set_caching_options(False)
    with dsl.If(plan.outputs["gated"] == True, name="Gated"):  # noqa: E712  for KFP
        decided = gate(decision=reported.outputs["gate"])
        give_room(decided).set_display_name("Gate").set_caching_options(False)
