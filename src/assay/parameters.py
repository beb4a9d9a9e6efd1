"""The parameters of the two pipelines, each once: its name, type, default, meaning, and what it
stands for in a configuration.

A pipeline's form (pipelines/), a configuration's way to a cluster (`kubeflow.parameters`) and back
(`config.from_parameters`), and the table in docs/pipelines.md are made from it. Only the component
preflight repeats names and types, since KFP ships a component's source text; a test compares them.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Final

FINETUNE, EVALUATE = "finetune_and_evaluate", "evaluate"
NEEDED: Final = inspect.Parameter.empty  # in the place of a default


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of some `pipelines`. `settings` are those that it sets, such as dataset.train; of
    a dict it is the section that the dict's settings go into, and win there."""

    name: str
    type: type
    meaning: str
    default: object = NEEDED
    settings: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = (FINETUNE, EVALUATE)


TABLE = (
    Parameter(
        name="base_model",
        type=str,
        meaning="The model to tune: a directory, an s3:// URI or a hub id.",
        settings=("finetune.base_model",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="model",
        type=str,
        meaning="The model to evaluate: a model or adapter directory, an s3:// URI, a hub id, "
        "PREFIX/latest for the newest model under a prefix, adapters on top of each other with "
        "commas between, or as JSON one behind an endpoint, "
        '{"endpoint": "http://llm/v1", "name": "tuned"}, or a file of its answers, '
        '{"predictions": "s3://bucket/answers.jsonl"}.',
        settings=("model",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="train_dataset",
        type=str,
        meaning="Training data, alpaca or sharegpt: a file, or dataset_info.json#name.",
        settings=("dataset.train",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="template",
        type=str,
        meaning="LLaMA-Factory's chat template of the model, such as qwen3 or llama3.",
        settings=("finetune.template",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="eval_dataset",
        type=str,
        meaning="Evaluation data in the same forms. Empty: held out of the training data.",
        default="",
        settings=("dataset.eval",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="eval_dataset",
        type=str,
        meaning="Evaluation data, alpaca or sharegpt: a file, or dataset_info.json#name. Empty: "
        "the prompts in a file of answers.",
        default="",
        settings=("dataset.eval",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="template",
        type=str,
        meaning="LLaMA-Factory's chat template of the model. Empty: as its fine-tune recorded.",
        default="",
        settings=("generate.template",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="base_model",
        type=str,
        meaning="What an adapter is put on. Empty: as it recorded.",
        default="",
        settings=("base_model",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="baseline_model",
        type=str,
        meaning="The model to compare with, in the same forms. Empty: the one it was tuned from. "
        "none: none.",
        default="",
        settings=("baseline",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="history",
        type=str,
        meaning="s3:// URI of this recurring evaluation's history, which the report's trend is "
        "over. Empty: none.",
        default="",
        settings=("history",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="learning_rate",
        type=float,
        meaning="Peak learning rate.",
        default=1e-4,
        settings=("finetune.learning_rate",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="num_epochs",
        type=float,
        meaning="Passes over the training data.",
        default=3.0,
        settings=("finetune.epochs",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="batch_size",
        type=int,
        meaning="Samples a device and step, in training and in generation.",
        default=8,
        settings=("generate.batch_size", "finetune.batch_size"),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="finetune_settings",
        type=dict,
        meaning='More of the finetune section, such as {"finetuning_type": "full", '
        '"llamafactory": {"bf16": true}}.',
        default={},
        settings=("finetune",),
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="enable_auto_eval",
        type=bool,
        meaning="Evaluate when training is done. Off: train only.",
        default=True,
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="mode",
        type=str,
        meaning="auto (metrics), judge (LLM as judge) or both.",
        default="both",
        settings=("mode",),
    ),
    Parameter(
        name="max_samples",
        type=int,
        meaning="Evaluate a seeded sample of so many. 0: all.",
        default=0,
        settings=("dataset.max_samples",),
    ),
    Parameter(
        name="batch_size",
        type=int,
        meaning="Samples a device and step.",
        default=16,
        settings=("generate.batch_size",),
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="generate_settings",
        type=dict,
        meaning='More of the generate section, such as {"max_new_tokens": 128}.',
        default={},
        settings=("generate",),
    ),
    Parameter(
        name="judge_endpoint",
        type=str,
        meaning="Base URL of an OpenAI-compatible API, up to and with /v1.",
        default="",
        settings=("judge.endpoint",),
    ),
    Parameter(
        name="judge_model",
        type=str,
        meaning="The judge's model name at that endpoint.",
        default="",
        settings=("judge.model",),
    ),
    Parameter(
        name="judge_temperature",
        type=float,
        meaning="The judge's temperature, 0 to 2.",
        default=0.0,
        settings=("judge.temperature",),
    ),
    Parameter(
        name="judge_max_tokens",
        type=int,
        meaning="Longest verdict, in tokens.",
        default=512,
        settings=("judge.max_tokens",),
    ),
    Parameter(
        name="judge_settings",
        type=dict,
        meaning='More of the judge section, such as {"concurrency": 64}.',
        default={},
        settings=("judge",),
    ),
    Parameter(
        name="gate",
        type=dict,
        meaning='What the candidate must prove, such as {"rules": {"overall": {"max_drop": 0.3}}}. '
        "Empty: no gate.",
        default={},
        settings=("gate",),
    ),
    Parameter(
        name="judge_secret",
        type=str,
        meaning="Kubernetes Secret whose entry api-key is the judge's key; header-1 and header-2, "
        "where it has them, are values of headers; model-key and baseline-key are those of models "
        "behind an endpoint.",
        default="assay-judge",
    ),
    Parameter(
        name="more_settings",
        type=dict,
        meaning="The sections cluster, store, dataset and metrics, baseline and history, such as "
        '{"cluster": {"queue": "research", "gpus": 8}, "dataset": {"every_turn": true}}.',
        default={},
        pipelines=(FINETUNE,),
    ),
    Parameter(
        name="more_settings",
        type=dict,
        meaning="The sections cluster, store, dataset and metrics, such as "
        '{"cluster": {"queue": "research", "gpus": 8}, "dataset": {"every_turn": true}}.',
        default={},
        pipelines=(EVALUATE,),
    ),
    Parameter(
        name="seed",
        type=int,
        meaning="Seed of the sample and of sampled decoding.",
        default=42,
        settings=("dataset.seed", "generate.seed"),
        pipelines=(EVALUATE,),
    ),
)


def of(pipeline: str) -> tuple[Parameter, ...]:
    """Return the parameters of a pipeline."""
    return tuple(row for row in TABLE if pipeline in row.pipelines)


def single(pipeline: str) -> dict[str, tuple[str, ...]]:
    """Return the settings that each parameter of a pipeline sets to its value, by its name."""
    return {row.name: row.settings for row in of(pipeline) if row.type is not dict and row.settings}


def sections(pipeline: str) -> dict[str, str]:
    """Return the section that each dict among a pipeline's parameters goes into, by its name."""
    return {row.name: row.settings[0] for row in of(pipeline) if row.type is dict and row.settings}
