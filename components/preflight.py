"""Check everything that costs only seconds, and write the samples that the run uses."""

from typing import NamedTuple

from kfp import dsl

from components.images import CPU_IMAGE


@dsl.component(base_image=CPU_IMAGE, install_kfp_package=False)
def preflight(
    samples: dsl.Output[dsl.Dataset],
    base_model: str = "",
    model: str = "",
    baseline_model: str = "",
    history: str = "",
    train_dataset: str = "",
    eval_dataset: str = "",
    template: str = "",
    learning_rate: float = 1e-4,
    num_epochs: float = 3.0,
    finetune_settings: dict = {},  # noqa: B006  KFP reads the default, nothing changes it
    enable_auto_eval: bool = True,
    mode: str = "both",
    max_samples: int = 0,
    batch_size: int = 16,
    generate_settings: dict = {},  # noqa: B006
    judge_endpoint: str = "",
    judge_model: str = "",
    judge_temperature: float = 0.0,
    judge_max_tokens: int = 512,
    gate: dict = {},  # noqa: B006
    judge_settings: dict = {},  # noqa: B006
    judge_secret: str = "assay-judge",  # noqa: S107  its name
    more_settings: dict = {},  # noqa: B006
    seed: int = 42,
) -> NamedTuple(
    "Plan",
    [
        ("config", dict),
        ("finetune", dict),
        ("generate", dict),
        ("metrics", dict),
        ("judge", dict),
        ("cluster", dict),
        ("store", dict),
        ("baseline_model", str),
        ("model", str),
        ("base_model", str),
        ("gated", bool),
    ],
):
    """Refuse before any GPU second what cannot work, and prepare the samples.

    Args:
        samples: A folder with dataset.jsonl (evaluation), train.jsonl and dataset.json.

    Returns:
        The whole configuration, the settings of each stage, the model to compare with, the model to
        evaluate (of PREFIX/latest the newest one), what an adapter is put on, and whether a gate
        decides.
    """
    parameters = {name: value for name, value in locals().items() if name != "samples"}
    from collections import namedtuple
    from pathlib import Path

    from assay import task

    with task.running(judge_secret=judge_secret) as listen:
        told = task.preflight(
            parameters, Path(samples.path), samples.metadata, listen, artifacts=samples.uri
        )
    return namedtuple("Plan", told)(**told)
