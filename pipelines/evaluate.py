"""Evaluate a given model, against the one it was tuned from or any other."""

from kfp import dsl

from components.preflight import preflight
from pipelines.stages import answer, give_judge_key, give_store
from pipelines.stages import evaluate as evaluation


@dsl.pipeline(name="evaluate", display_name="Evaluate")
def evaluate(
    model: str,
    eval_dataset: str,
    template: str = "",
    base_model: str = "",
    baseline_model: str = "",
    history: str = "",
    mode: str = "both",
    max_samples: int = 0,
    batch_size: int = 16,
    generate_settings: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
    judge_endpoint: str = "",
    judge_model: str = "",
    judge_temperature: float = 0.0,
    judge_max_tokens: int = 512,
    judge_settings: dict = {},  # noqa: B006
    gate: dict = {},  # noqa: B006
    judge_secret: str = "assay-judge",  # noqa: S107  the name of a Secret
    more_settings: dict = {},  # noqa: B006
    seed: int = 42,
) -> None:
    """Evaluate a model, against the one it was tuned from or any other.

    Args:
        model: The model to evaluate: a model or adapter directory, an s3:// URI, a hub id, or
            PREFIX/latest for the newest model under a prefix.
        eval_dataset: Evaluation data, alpaca or sharegpt: a file, or dataset_info.json#name.
        template: LLaMA-Factory's chat template of the model. Empty: as its fine-tune recorded.
        base_model: What an adapter is put on. Empty: as it recorded.
        baseline_model: The model to compare with. Empty: the one it was tuned from. none: none.
        history: s3:// URI of this recurring evaluation's history, which the report's trend is over.
            Empty: none.
        mode: auto (metrics), judge (LLM as judge) or both.
        max_samples: Evaluate a seeded sample of so many. 0: all.
        batch_size: Samples a device and step.
        generate_settings: More of the generate section, such as {"max_new_tokens": 128}.
        judge_endpoint: Base URL of an OpenAI-compatible API, up to and with /v1.
        judge_model: The judge's model name at that endpoint.
        judge_temperature: The judge's temperature, 0 to 2.
        judge_max_tokens: Longest verdict, in tokens.
        judge_settings: More of the judge section, such as {"concurrency": 64}.
        gate: What the candidate must prove, such as {"rules": {"overall": {"max_drop": 0.3}}}.
            Empty: no gate.
        judge_secret: Kubernetes Secret whose entry api-key is the judge's key.
        more_settings: The sections cluster, dataset and metrics, such as
            {"cluster": {"queue": "research", "gpus": 8}, "dataset": {"every_turn": true}}.
        seed: Seed of the sample and of sampled decoding.
    """
    plan = preflight(
        model=model,
        base_model=base_model,
        baseline_model=baseline_model,
        history=history,
        eval_dataset=eval_dataset,
        template=template,
        mode=mode,
        max_samples=max_samples,
        batch_size=batch_size,
        generate_settings=generate_settings,
        judge_endpoint=judge_endpoint,
        judge_model=judge_model,
        judge_temperature=judge_temperature,
        judge_max_tokens=judge_max_tokens,
        gate=gate,
        judge_settings=judge_settings,
        more_settings=more_settings,
        seed=seed,
    )
    # what is behind a URI, or newest under a prefix, or free in the cluster, may have changed
    plan.set_display_name("Preflight").set_caching_options(False)
    give_judge_key(plan, judge_secret)
    give_store(plan)
    evaluation(
        plan,
        answer("baseline", plan, plan.outputs["baseline_model"]),
        model=plan.outputs["model"],
        mode=mode,
        judge_secret=judge_secret,
    )
