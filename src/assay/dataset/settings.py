"""What a user may set about data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen

Format = Literal["auto", "alpaca", "sharegpt", "openai"]


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Where the data is and how it is read.

    `train` and `eval` are sources as `load` takes them: a file, a folder, an entry of a
    dataset_info.json ("folder#name"), s3://, minio:// or hf://. Without `eval`, `eval_fraction` of
    the training rows is held out of training. `max_samples` (0: all) of the evaluation samples are
    drawn by `seed`. `every_turn` makes a sample of every assistant turn instead of the last one.
    `skip_invalid` skips, and counts, the rows that cannot be used. `cluster` names a column of the
    evaluation data: samples of rows with the same value in it belong together; so do those whose
    prompts are much alike, where `near_prompts` says so. `tags` names columns of the evaluation
    data whose values tell its samples apart: the report compares both sides for each of them.
    """

    train: str = ""
    eval: str = ""
    format: Format = "auto"
    max_samples: Annotated[int, Ge(0)] = 0
    eval_fraction: Annotated[float, Gt(0), Lt(1)] = 0.1
    seed: int = 42
    every_turn: bool = False
    skip_invalid: bool = False
    cluster: str = ""
    near_prompts: bool = True
    tags: tuple[Annotated[str, MinLen(1)], ...] = ()
