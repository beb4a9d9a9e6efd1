"""What a report says, before it is HTML, Markdown or JSON: all three show these numbers.

`report.json` is `Report`, field by field; schema.json describes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from assay.gate import Gate
from assay.judge import JudgeSummary, PairSummary, PanelSummary, Preference
from assay.records import Agreement, Comparison, Direction, Message, Metric, Side
from assay.report.glossary import Kind

Outcome = Literal[
    "better", "worse", "higher", "lower", "none", "few", "no interval", "not compared"
]
Tone = Literal["better", "worse", "mixed", "none", "invalid", "alone"]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """The verdict line, and one sentence on what it rests on."""

    tone: Tone
    headline: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something a reader must know before trusting the numbers; `severe` ones void them."""

    severe: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric over both sides. `outcome` is "higher" or "lower" where neither is better, "none"
    where no difference is shown, "few" where there are too few pairs to say, "no interval" for a
    total, "not compared" with one side."""

    name: str
    kind: Kind
    meaning: str
    scale: tuple[float, float] | None
    direction: Direction
    baseline: Metric | None
    candidate: Metric | None
    difference: float | None
    comparison: Comparison | None
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class SideSummary:
    """How one side answered: the model, and its predictions over the dataset's `samples`.
    `name` is what to call the model, `proof` says what the digest of its weights proves.

    The judge's tokens and seconds are summed over every request, retries included.
    """

    side: Side
    name: str
    model: str
    base_model: str
    digest: str
    proof: str
    template: str
    samples: int
    predictions: int
    empty: int
    cut: int
    prompts_truncated: int
    output_tokens: int
    mean_length: float
    seconds: float
    commentaries: int
    judge_attempts: int
    judge_prompt_tokens: int
    judge_output_tokens: int
    judge_seconds: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One side's answer to one sample, with all that was said of it. `panel` is the median of the
    scores of the panel's judges, and `panel_judges` how many of them gave one. `thought` is what
    stood before the answer."""

    output: str
    finish: str
    prompt_truncated: bool
    prompt_tokens: int
    output_tokens: int
    scores: Mapping[str, float]
    unscored: Mapping[str, str]
    commentary: str
    panel: Mapping[str, float]
    panel_judges: Mapping[str, int]
    thought: str = ""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The judge's pairwise verdict on one sample: whose answer is better, a tie, or inconsistent
    where the order changed the reply; None where it is unscored, by `cause`. `commentary` has the
    reasons in either order."""

    preference: Preference | None
    cause: str
    commentary: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """One sample with both answers. `change` is candidate minus baseline by the report's `focus`
    metric, positive where the candidate is better; `pair` is None where nothing was asked."""

    id: str
    messages: tuple[Message, ...]
    target: str
    tools: str
    baseline: Answer | None
    candidate: Answer | None
    change: float | None
    pair: Pair | None


@dataclass(frozen=True, kw_only=True)
class Points:
    """Candidate's or baseline's answers as points: length in characters against the focus score;
    `correlation` is Spearman's over all samples, of which at most 1,000 are points."""

    side: Side
    lengths: tuple[int, ...]
    scores: tuple[float, ...]
    correlation: float | None


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What a further judge says of one dimension, on the `n` answers that it and the `first` judge
    scored: both means, Spearman's correlation and kappa with quadratic weights (None where one
    does not vary)."""

    side: Side
    model: str
    name: str
    n: int
    first: float | None
    mean: float | None
    spearman: float | None
    weighted_kappa: float | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """One dataset: `rows` read, `skipped` as invalid (the first 20 named), `samples` used."""

    name: str
    format: str
    rows: int
    skipped: int
    invalid: tuple[str, ...]
    samples: int


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
class Training:
    """The loss curve, thinned to at most 1,000 steps, and what was trained."""

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    finetuning_type: str
    samples: int
    elapsed: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One metric of one side in one run, with its 95% interval (None for a total)."""

    name: str
    kind: Kind
    side: Side
    value: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run of a recurring evaluation, as its history keeps it. `time` (UTC) is that of its
    first report, `name` what the candidate is called. By side: the `digests` of the weights, and
    `asked`, the digest of template and generation settings. `judge`, `rubric` and `judge_identity`
    (all that a verdict depends on but the case) are "" where nobody judged, `gate` without one."""

    id: str
    time: str
    name: str
    dataset_hash: str
    samples: int
    digests: Mapping[str, str]
    asked: Mapping[str, str]
    judge: str
    rubric: str
    judge_identity: str
    gate: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One metric of one side now and `before`, in the last comparable run: the difference with its
    95% interval (None for a total), which has `moved` where the interval leaves out 0."""

    name: str
    kind: Kind
    side: Side
    before: float
    now: float
    difference: float
    low: float | None
    high: float | None
    moved: bool


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The last `runs` of a recurring evaluation, the newest, this one, last. One with another
    dataset_hash is not comparable with it; `since` is the id of the last one that is, "" for none.
    `headlines` are the first metric of each kind, and `movements` how far they have moved since;
    `remarks` say what else has: the judge."""

    runs: tuple[Record, ...]
    since: str
    headlines: tuple[str, ...]
    movements: tuple[Movement, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything the report shows. `regressions` are ids of `examples`, the worst first;
    `examples` are all samples, or as many as a page can hold, chosen as `selection` says. `judge`
    is the judge's model, "" where nobody judged; `gate` is None without a policy; `judging` is each
    side's judge.json and `pairing` the run's pairs.json, where it has one; `panel` is what
    further judges say, `combining` each side's panel.json, `combined` the medians over all judges;
    `judge_scale` is the rubric's, and `histograms` count its scores from the lowest to the highest;
    `costs` are those of judge, panel and pairwise judging, where they have a price; `calibration`
    is what people's labels say of each dimension; `trend` is None without a history."""

    schema: int
    assay: str
    title: str
    gate: Gate | None
    conclusion: Conclusion
    cautions: tuple[Caution, ...]
    dataset_hash: str
    samples: int
    judge: str
    judging: Mapping[str, JudgeSummary]
    pairing: PairSummary | None
    panel: tuple[Opinion, ...]
    combining: Mapping[str, PanelSummary]
    combined: tuple[Row, ...]
    costs: Mapping[str, float]
    calibration: Mapping[str, Agreement]
    data: Data | None
    trend: Trend | None
    sides: tuple[SideSummary, ...]
    summary: tuple[Row, ...]
    judge_scale: tuple[int, int]
    histograms: Mapping[str, Mapping[str, tuple[int, ...]]]
    points: tuple[Points, ...]
    training: Training | None
    identical_outputs: int
    focus: str
    regressions: tuple[str, ...]
    selection: str
    examples: tuple[Example, ...]
    provenance: Mapping[str, object]
