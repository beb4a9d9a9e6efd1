"""What a run is made of: both sides, the data and the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.dataset import Clusters
from assay.records import AnswersFile, Origin, Served, Side


@dataclass(frozen=True, kw_only=True)
class SideSummary:
    """How one side answered: the model, and its predictions over the dataset's `samples`.
    `name` is what to call the model, `proof` says what the digest of its weights proves, `engine`
    who answered with them, and in which precision, "" where Assay loaded none; `origin` is where
    the answers come from that an earlier run gave; `served` is how an endpoint answered, and
    `given` the file that they were in; both None where Assay loaded the weights. `cut`
    answers and `prompts_truncated` are None where a file had them, which does not say; `capped` are
    the answers that an endpoint cut before generate.max_new_tokens. Of the
    `output_tokens` the thoughts have `thought_tokens`, and answers `with_thought` have one in them
    that is scored with them.

    The judge's tokens and seconds are summed over every request, retries included.
    """

    side: Side
    name: str
    model: str
    base_model: str
    digest: str
    proof: str
    template: str
    engine: str
    samples: int
    predictions: int
    empty: int
    cut: int | None
    capped: int
    prompts_truncated: int | None
    output_tokens: int
    thought_tokens: int
    with_thought: int
    mean_length: float
    seconds: float
    origin: Origin | None
    served: Served | None
    given: AnswersFile | None
    commentaries: int
    judge_attempts: int
    judge_prompt_tokens: int
    judge_output_tokens: int
    judge_seconds: float


ParityCause = Literal["none", "decoding", "template", "model", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How an endpoint, that of `side`, answers beside the weights of the other side: of the samples
    that both `answered` so many have the `same` answer, and of the prompts that both `counted` in
    tokens, whole, so many `counts_differ`, by `more_tokens` at the median.

    `first`, `regret` and `surprise` are those of records.Likeness over the `tokens` of the answers
    that the weights have `read`: a share, nats a token, and the ends of its interval over answers;
    None where they have read none. `ending` is the part of the regret that lies in where answers
    end. `penalty` is the repetition penalty under which the answers are
    their first choices, None where none is; so many are `capped`, cut where the weights went on.
    `repeated_same` of `repeated` had the same answer
    twice; `sampled` says that it was asked to draw, or
    takes no temperature that would have it do otherwise. `cause` is what the difference is one of,
    "none" where there is none."""

    side: Side
    answered: int
    same: int
    counted: int
    counts_differ: int
    more_tokens: float
    read: int
    tokens: int
    first: float | None
    regret: float | None
    surprise: tuple[float, float] | None
    penalty: float | None
    ending: float | None
    repeated: int
    repeated_same: int
    sampled: bool
    capped: int
    cause: ParityCause


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset: `rows` read, `skipped` as invalid (the first 20 named), `samples` used, and the
    `clusters` of these with what joined them, None where that is not known."""

    name: str
    format: str
    rows: int
    skipped: int
    invalid: tuple[str, ...]
    samples: int
    clusters: Clusters | None = None


@dataclass(frozen=True, kw_only=True)
class Data:
    """The data of the run. `held_out`: the evaluation samples were taken out of the training data.
    `same_prompts` and `near_prompts` count evaluation prompts that training has, exactly and
    nearly, and `pairs` names the first 20; None where nothing was trained."""

    evaluation: Source
    training: Source | None
    held_out: bool
    same_prompts: int | None
    near_prompts: int | None
    pairs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Which of the `labels` a side's answers have: `counts` has a row for the label of the target
    and a column for that of the answer, the last one for answers without any. `precision`, `recall`
    and `f1` are those of each label in percent, None where nothing has it."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    f1: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The loss curve, thinned to at most 1,000 steps, and what was trained."""

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    finetuning_type: str
    samples: int
    elapsed: str
