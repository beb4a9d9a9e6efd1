"""The samples with their answers, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.judge import Preference
from assay.records import Message, Side


@dataclass(frozen=True, kw_only=True)
class SideAnswer:
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
class PairVerdict:
    """The judge's pairwise verdict on one sample: whose answer is better, a tie, or inconsistent
    where the order changed the reply; None where it is unscored, by `cause`. `commentary` has the
    reasons in either order."""

    preference: Preference | None
    cause: str
    commentary: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """One sample with both answers. `change` is candidate minus baseline by the report's `focus`
    metric, positive where the candidate is better; `pair` is None where nothing was asked; `tags`
    say of what kind the sample is."""

    id: str
    messages: tuple[Message, ...]
    target: str
    tools: str
    baseline: SideAnswer | None
    candidate: SideAnswer | None
    change: float | None
    pair: PairVerdict | None
    tags: Mapping[str, str]


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
