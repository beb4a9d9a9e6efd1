"""perplexity, of the loss that is kept for each sample: exp(L), L the mean loss over all tokens.

L is a ratio of two means over the samples: of loss times tokens, and of tokens. To first order it
varies as the mean of l(i) = L + tokens(i) / mean tokens * (loss(i) - L) does, which is L: so the
intervals are those of a mean (the linearised ratio: Cochran 1977, Sampling Techniques, 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.records import Comparison, Metric
from assay.report.files import Likelihoods
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import SideScores, Specs, compare, summarise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOSS, PERPLEXITY = "eval_loss", "perplexity"
_MAX_LOSS = 300.0  # its exponential can still be squared


def perplexity(side: SideRun, specs: Specs) -> list[Metric]:
    """Return the perplexity of a side, its interval the exponential of that of L; none where no
    loss was kept for each sample."""
    likelihood = side.likelihood
    if likelihood is None or LOSS not in likelihood.scores.values or _is_own(side):
        return []
    logs = replace(
        side.scores,
        values={PERPLEXITY: _linear(likelihood, _scored(likelihood))},
        causes={PERPLEXITY: likelihood.scores.causes.get(LOSS, {})},
    )
    return [_exponential(metric) for metric in summarise(side.side, logs, (), specs)]


def perplexities(
    run: EvaluatedRun, compared: Sequence[Comparison], specs: Specs, *, detect: bool = True
) -> list[Comparison]:
    """Return how the perplexities of the two sides differ, over the pairs of the loss among what
    is `compared`; of how many samples the candidate's is better is said there. None without it."""
    losses = next((comparison for comparison in compared if comparison.name == LOSS), None)
    likelihoods = [side.likelihood for side in run.sides if side.likelihood and not _is_own(side)]
    if losses is None or len(likelihoods) < 2:
        return []
    both = _scored(likelihoods[0]) & _scored(likelihoods[1])
    logs = [_linear(likelihood, both) for likelihood in likelihoods]
    if max(float(log[both].mean()) for log in logs) > _MAX_LOSS:
        return []
    pairs = [
        _first_order(side.scores, log, both) for side, log in zip(run.sides, logs, strict=True)
    ]
    counts = {name: getattr(losses, name) for name in ("better", "equal", "worse")}
    differences = compare(pairs[0], pairs[1], specs, detect=detect)
    return [replace(comparison, **counts) for comparison in differences]


def _is_own(side: SideRun) -> bool:
    """Whether a user's own metric has the name."""
    return PERPLEXITY in side.scores.values


def _scored(likelihood: Likelihoods) -> NDArray[np.bool_]:
    import numpy as np

    return np.isfinite(likelihood.scores.values[LOSS])


def _linear(likelihood: Likelihoods, scored: NDArray[np.bool_]) -> Floats:
    """Return l(i) of the `scored` samples, NaN for the others."""
    import numpy as np

    losses, tokens = likelihood.scores.values[LOSS][scored], likelihood.tokens[scored]
    linear = np.full(len(scored), np.nan)
    if len(losses):
        mean = float((losses * tokens).sum()) / tokens.sum()
        linear[scored] = mean + tokens / tokens.mean() * (losses - mean)
    return linear


def _first_order(scores: SideScores, linear: Floats, both: NDArray[np.bool_]) -> SideScores:
    """Return exp(L) (1 + l(i) - L), the mean of which varies as exp(L) does to first order."""
    mean = float(linear[both].mean())
    values = {PERPLEXITY: math.exp(mean) * (1 + linear - mean)}
    return replace(scores, values=values, causes={})


def _exponential(metric: Metric) -> Metric:
    ends = (metric.value, metric.low, metric.high)
    if max((end for end in ends if end is not None), default=0.0) > _MAX_LOSS:
        unscored = dict(metric.unscored)
        unscored["not_finite"] = unscored.get("not_finite", 0) + metric.n
        return replace(metric, value=None, low=None, high=None, n=0, unscored=unscored)
    value, low, high = (None if end is None else math.exp(end) for end in ends)
    return replace(metric, value=value, low=low, high=high)
