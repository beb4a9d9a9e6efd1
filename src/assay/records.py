"""The vocabulary: what the stages hand to each other, one record a line of JSON.

    dataset.jsonl      Sample         what to answer, and the answer that is wanted
    predictions.jsonl  Prediction     what a model answered
    likelihood.jsonl   Likelihood     how likely the model finds the target of one sample
    scores.jsonl       Score          what the auto-metrics say of one prediction
    totals.jsonl       Total          what they say of all predictions of a side at once
    labels.jsonl       LabelPair       which labels they read in target and output of one sample
    verdicts.jsonl     Verdict        what the judge says of one prediction
    specs.jsonl        MetricSpec     what each of the auto-metrics is
    metrics.json       Metric, Comparison   aggregates over one side, and between the two
    calibration.json   Agreement      how far the judge agrees with people

Rows of one sample carry the same `id` everywhere. A value that could not be had is absent from
`values` and named in `unscored` with its cause; no number ever stands for a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Role = Literal["system", "user", "assistant", "function_call", "observation"]
Side = Literal["baseline", "candidate"]
Direction = Literal["higher", "lower", "neither", "unknown"]
Kind = Literal["mean", "rate", "total"]
Group = Literal["judge", "pairwise", "task", "similarity", "own", "likelihood", "diagnostic"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")
THOUGHT_UNENDED: Literal["thought_unended"] = "thought_unended"
ENTRY, SCRIPT, PROMPT_LENGTH = "entry", "script", "prompt_length"
"""The tags that samples have by themselves."""
Failure = Literal[
    "empty_prompt",
    "prompt_too_long",
    "out_of_memory",
    "not_finite",
    "answer_filtered",  # these by an endpoint
    "answer_refused",
    "no_answer",
]
FAILURES: tuple[Failure, ...] = get_args(Failure)
UNANSWERED = (THOUGHT_UNENDED, *FAILURES)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a dataset: the prompt as `messages` (the last one is not the assistant's) and the
    assistant's turn that is wanted, `target`: its answer, or the JSON of its function call.
    `tools` is a JSON list as LLaMA-Factory takes it. Samples of one `cluster` belong together (one
    conversation, one prompt, one value of a column that the user names); of "" each is its own.
    `tags` say of what kind it is, by name: what the user's columns hold, and what is known anyway.
    """

    id: str
    messages: tuple[Message, ...]
    target: str
    target_role: Literal["assistant", "function_call"] = "assistant"
    tools: str = ""
    cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One model's answer to one sample. `finish` is "length" where the answer was cut at
    max_new_tokens, "unknown" where a file does not say; `prompt_tokens` counts what the model saw,
    after truncation at cutoff_len.

    `output` is the answer alone, the `thought` before it apart; of the `output_tokens` the thought
    has `thought_tokens`, its marks among them. With generate.score_thoughts `output` is both, and
    `thought` "". Of a function call it is the JSON of name and arguments that the template reads in
    what was `written`. `unanswered` is the cause where there is no answer to score:
    thought_unended, or one of FAILURES, where the model could not be asked, said no numbers, or
    answered nothing behind its endpoint. `wanted` is the target in the same form, None where that
    is the sample's own text, and `wanted_thought` the thought before it.
    """

    id: str
    output: str
    finish: Literal["stop", "length", "unknown"]
    prompt_tokens: int
    output_tokens: int
    prompt_truncated: bool = False
    thought: str = ""
    written: str = ""
    unanswered: Literal["", "thought_unended"] | Failure = ""
    wanted: str | None = None
    thought_tokens: int = 0
    wanted_thought: str = ""


def as_wanted(sample: Sample, prediction: Prediction) -> Sample:
    """Return `sample` with the target that the `prediction` is to be compared with."""
    return sample if prediction.wanted is None else replace(sample, target=prediction.wanted)


Case = tuple[Sample, Prediction]
"""A sample with what a side answered."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one scorer says of one prediction: metric name -> value, and for each metric that has
    no value, metric name -> cause."""

    id: str
    values: Mapping[str, float]
    unscored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Likelihood(Score):
    """How likely a model finds the target of one sample, given the turns before it: `eval_loss`,
    the mean cross-entropy of its `tokens` (its end among them) in nats, and `accuracy`, the share
    of them that are the model's first choice, 0 to 1."""

    tokens: int


@dataclass(frozen=True, kw_only=True)
class Verdict(Score):
    """The judge's score for one prediction: dimension -> score, and a one-line commentary.

    `key` identifies everything the verdict depends on (prediction, rubric, judge, parameters), so
    that a verdict is paid for once. With repeats a value is the median over them, and `spread` the
    standard deviation within the item. Tokens are those the endpoint reported, over all `attempts`,
    or `estimated` from the text where it reported none; of them the batch tokens have the price of
    a batch. `seconds` is the wall time from the first request to the last answer. `cost` is what
    was paid for this row, None where that had no price.
    """

    key: str
    commentary: str = ""
    spread: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    batch_prompt_tokens: int = 0
    batch_output_tokens: int = 0
    estimated: bool = False
    cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """One number over all `n` samples that have a target and an answer, which is no mean of scores;
    None where n is 0. `signature` says exactly what was computed, "" where the name does."""

    name: str
    value: float | None
    n: int
    signature: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelPair:
    """The labels that are read in the target of one sample, `wanted`, and in the output, `given`:
    "" where there is none. `cause` is why the two are not compared, "" where they are."""

    id: str
    wanted: str
    given: str
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is, said where it is made and carried to whoever reads its numbers.

    `direction` says which values are better: higher or lower ones, neither (any change is a
    loss), or unknown, where the metric does not say. `kind` is "mean" of the samples' scores,
    "rate" where each score is 0 or 100, or "total", one number over all samples. `scale` holds the
    least and the greatest value, None where there are none. `meaning` is one sentence for a
    reader, and `group` the numbers that it stands among in the report.
    """

    name: str
    direction: Direction
    kind: Kind = "mean"
    scale: tuple[float, float] | None = None
    meaning: str = ""
    group: Group = "own"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number over one side: the mean of the per-sample scores with its 95% interval, or a
    total that has no per-sample part (then `low` and `high` are None).

    `n` samples have a value; `unscored` counts those without one, by cause. `value` is None where
    n is 0. `method` names the interval, and `clusters` counts what the n samples belong to, None
    where that is not known.
    """

    name: str
    side: Side
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    unscored: Mapping[str, int] = field(default_factory=dict)
    method: str = ""
    clusters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate minus baseline over the `n` samples that both have a score for, with the 95%
    interval of the paired difference, and on how many the candidate was better, equal, worse
    (higher, equal, lower where the metric's `direction` is neither or unknown).

    `detectable` is the minimum detectable effect: the smallest true difference that `n` such pairs
    show in four runs of five (5% two-sided, power 80%); None over the samples of one tag, where it
    is not looked for. `p` is the least alpha at which the interval of confidence 1 - alpha leaves
    out 0; `method` and `clusters` are as of Metric.
    """

    name: str
    n: int
    difference: float
    low: float
    high: float
    better: int
    equal: int
    worse: int
    detectable: float | None
    direction: Direction = "unknown"
    p: float | None = None
    method: str = ""
    clusters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """A number as the judge gives it over a side's `n` answers, and corrected by the `labels` on
    some of them, with the 95% interval; None where these are too few."""

    n: int
    labels: int
    judge: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How far judge and people agree on one side: the `value`, the lower end of its 95% interval,
    and the `bar` that this must reach (0: none). None where the labels do not tell."""

    value: float | None
    low: float | None
    bar: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Judge against people on `n` labels of one dimension.

    `exact` and `within_one` are shares; `kappa` is Cohen's, `weighted_kappa` the same with
    quadratic weights; `spearman` is the rank correlation; `bias` is the mean of judge minus label
    with its 95% interval. None where a side does not vary, or there are too few labels. `means`
    and `rates` are each side's corrected mean, and share of scores of `pass_at` and more, and
    `mean_difference` and `rate_difference` the candidate's minus the baseline's.

    The judge of this `identity` is `admitted` where no measure of any side has a lower bound below
    its bar; else `shortfalls` says which. `sides` is side -> measure -> what it is.
    """

    n: int
    exact: float
    within_one: float
    kappa: float | None
    weighted_kappa: float | None
    spearman: float | None
    bias: float
    bias_low: float | None
    bias_high: float | None
    pass_at: float
    means: Mapping[str, Corrected]
    rates: Mapping[str, Corrected]
    mean_difference: Corrected | None = None
    rate_difference: Corrected | None = None
    identity: str = ""
    admitted: bool = False
    shortfalls: tuple[str, ...] = ()
    sides: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelManifest:
    """What a model directory is: written last by finetune, so its presence means complete.

    `digest` is over the weight files alone (sha256, see store.digest_weights); `base_digest` is
    the same of the base model, or its commit where that is on a hub. `runner` says where it was
    made: inline, or in which Volcano Job.
    """

    base_model: str
    base_digest: str
    finetuning_type: Literal["lora", "full"]
    template: str
    digest: str
    dataset_hash: str
    samples: int
    settings: Mapping[str, object]
    versions: Mapping[str, str]
    runner: str = "inline"
    finished: str = ""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where predictions come from that a run took from generate.cache: the `entry` there, the
    `place` that they were first written to, when they were `made` (UTC), in how many `seconds`, and
    by which `runner`."""

    entry: str
    place: str
    made: str
    seconds: float
    runner: str


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How answers were decoded: every parameter that was `used`, by transformers' names, and what
    the model's own generation_config.json would have changed of it, which was `not_obeyed`."""

    used: Mapping[str, object]
    not_obeyed: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Served:
    """How an endpoint answered for a model: its base URL, what it refused of what was asked for
    (`dropped`), how many samples it gave no answer to, by cause, and the `requests` and tokens that
    it took, `estimated` where it counted none; `cost` is None without a price.

    `cut` are the ids of prompts of which it counted far fewer tokens than they have, at most 20 of
    `cut_count`. Of `repeated` samples asked a second time, `repeated_same` had the same answer.
    """

    endpoint: str
    dropped: tuple[str, ...] = ()
    failed: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    cut: tuple[str, ...] = ()
    cut_count: int = 0
    repeated: int = 0
    repeated_same: int = 0


@dataclass(frozen=True, kw_only=True)
class AnswersFile:
    """The file that a side's answers were in before the run: its name, the `sha256` of its bytes,
    its `format` (LLaMA-Factory, or its columns) and how many `rows` it has. Samples and rows were
    `matched` by id or by order, or the samples are its own; so many samples were `lacking` a row,
    and so many rows `unused`. `templated` says that the samples' prompts have the marks of a chat
    template in them."""

    file: str
    sha256: str
    format: str
    rows: int
    matched: Literal["id", "order", "own"]
    lacking: int = 0
    unused: int = 0
    templated: bool = False


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How one answer of an endpoint looks to weights that are given its sample by their own
    template, token by token: of so many `tokens` (its end among them where it ended) the weights'
    first choice were `first`. `regret` is the sum over them, in nats, of how much likelier the
    first choice was; `surprise` that of -log p less the entropy, which for tokens that the weights
    would draw themselves is 0 on average. `penalised` is the regret by repetition penalty: under
    each the tokens that were there before, in the prompt too, are less likely. `prompt_tokens` is
    what their template makes of it."""

    id: str
    prompt_tokens: int
    tokens: int
    first: int
    regret: float
    surprise: float
    penalised: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How one side's predictions came to be: written last by generate, so its presence means
    complete. `results` is all_results.json: LLaMA-Factory's, and eval_token_loss, but for what is
    not finite; `runner` says where it was made: inline, or in which Volcano Job; `finished` is when
    (UTC, to the second), "" in a run from before it was kept. `device` is what the answers were
    computed on, "" where that is not known, and `engine` who gave them; `served` is None unless
    that is an endpoint, and `given` unless they were in a file. `origin` is None unless they were
    taken from an earlier run's; the `seconds` are then those that taking them took.
    `decoding` is None in a run from before it was kept, and where no weights were loaded."""

    model: str
    base_model: str
    digest: str
    template: str
    dataset_hash: str
    samples: int
    seconds: float
    settings: Mapping[str, object]
    results: Mapping[str, float]
    versions: Mapping[str, str]
    runner: str = "inline"
    finished: str = ""
    device: str = ""
    engine: str = "transformers"
    origin: Origin | None = None
    decoding: Decoding | None = None
    served: Served | None = None
    given: AnswersFile | None = None
