"""Fine-tune a model and, by itself, evaluate it against the one it was tuned from."""

from kfp import dsl

from components.finetune import finetune
from components.preflight import preflight
from pipelines.stages import answer, evaluate, give_judge_key, give_store


@dsl.pipeline(name="finetune-and-evaluate", display_name="Fine-tune and evaluate")
def finetune_and_evaluate(
    base_model: str,
    train_dataset: str,
    template: str,
    eval_dataset: str = "",
    learning_rate: float = 1e-4,
    num_epochs: float = 3.0,
    batch_size: int = 8,
    finetune_settings: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
    enable_auto_eval: bool = True,
    mode: str = "both",
    max_samples: int = 0,
    generate_settings: dict = {},  # noqa: B006
    judge_endpoint: str = "",
    judge_model: str = "",
    judge_temperature: float = 0.0,
    judge_max_tokens: int = 512,
    judge_settings: dict = {},  # noqa: B006
    gate: dict = {},  # noqa: B006
    judge_secret: str = "assay-judge",  # noqa: S107  the name of a Secret
    more_settings: dict = {},  # noqa: B006
) -> None:
    """Fine-tune a model with LLaMA-Factory and evaluate it against the one it was tuned from.

    Args:
        base_model: The model to tune: a directory, an s3:// URI or a hub id.
        train_dataset: Training data, alpaca or sharegpt: a file, or dataset_info.json#name.
        template: LLaMA-Factory's chat template of the model, such as qwen3 or llama3.
        eval_dataset: Evaluation data in the same forms. Empty: held out of the training data.
        learning_rate: Peak learning rate.
        num_epochs: Passes over the training data.
        batch_size: Samples a device and step, in training and in generation.
        finetune_settings: More of the finetune section, such as {"finetuning_type": "full",
            "llamafactory": {"bf16": true}}.
        enable_auto_eval: Evaluate when training is done. Off: train only.
        mode: auto (metrics), judge (LLM as judge) or both.
        max_samples: Evaluate a seeded sample of so many. 0: all.
        generate_settings: More of the generate section, such as {"max_new_tokens": 128}.
        judge_endpoint: Base URL of an OpenAI-compatible API, up to and with /v1.
        judge_model: The judge's model name at that endpoint.
        judge_temperature: The judge's temperature, 0 to 2.
        judge_max_tokens: Longest verdict, in tokens.
        judge_settings: More of the judge section, such as {"concurrency": 64}.
        gate: What the candidate must prove, such as {"rules": {"overall": {"max_drop": 0.3}}}.
            Empty: no gate.
        judge_secret: Kubernetes Secret whose entry api-key is the judge's key.
        more_settings: The sections cluster, dataset and metrics, and baseline and history, such as
            {"cluster": {"queue": "research", "gpus": 8}, "dataset": {"every_turn": true}}.
    """
    plan = preflight(
        base_model=base_model,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        template=template,
        learning_rate=learning_rate,
        num_epochs=num_epochs,
        train_batch_size=batch_size,
        finetune_settings=finetune_settings,
        enable_auto_eval=enable_auto_eval,
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
    )
    # what is behind a URI, or newest under a prefix, or free in the cluster, may have changed
    plan.set_display_name("Preflight").set_caching_options(False)
    give_judge_key(plan, judge_secret)
    give_store(plan)
    tuned = finetune(
        settings=plan.outputs["finetune"],
        samples=plan.outputs["samples"],
        cluster=plan.outputs["cluster"],
    )
    give_store(tuned).set_display_name("Fine-tune")
    # outside of the condition, so that it need not wait for the fine-tune: KFP lets nothing outside
    # of a condition take what comes from inside. Preflight names no baseline where none is wanted.
    baseline = answer("baseline", plan, plan.outputs["baseline_model"])
    with dsl.If(enable_auto_eval == True, name="Evaluate"):  # noqa: E712  a condition for KFP
        evaluate(
            plan,
            baseline,
            model=tuned.outputs["model_uri"],
            mode=mode,
            judge_secret=judge_secret,
            training=tuned.outputs["training"],
        )
