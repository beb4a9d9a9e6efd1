"""Serving parity: whether an endpoint answers as the weights do that it is compared with, and if
not, whether that is one of decoding, of the template or of the model.

Of each sample there is what both answered and how many tokens both made of its prompt; of some, how
the endpoint's answer looks to the weights behind their own prompt (records.Likeness). What they
would write themselves, all but for ties, is theirs: the rest is decoding. So is what they would
draw, where the endpoint draws: -log p less the entropy is 0 on average, for a model's own draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, median, stdev

from assay import store
from assay.folder import PARITY, PREDICTIONS
from assay.records import Likeness, Prediction, Served, Side
from assay.report.contents import Parity, ParityCause
from assay.report.run import EvaluatedRun, SideRun
from assay.report.sides import without_weights

NEAR = 0.02
"""Nats a token: so little likelier is the weights' own choice where only rounding differs."""
AS_NEAR = 0.006
"""The same where prompts have another number of tokens, and what they have more changes nothing."""
DRAWN = 0.1
"""Nats a token: an answer is no likelier drawn from other weights by less than this."""
_SIGMAS = 2.0

Pair = tuple[Prediction, Prediction]


def read(run: EvaluatedRun) -> Parity | None:
    """Return how the served side answers beside the weights of the other, None where it is not one
    of each."""
    served = [side for side in run.sides if side.generation.served]
    weights = [side for side in run.sides if not without_weights(side.generation)]
    if len(served) != 1 or len(weights) != 1:
        return None
    path = run.folder / PARITY
    rows = list(store.read_rows(path, Likeness)) if path.is_file() else []
    side, how = served[0], served[0].generation.served
    sampled = bool(side.generation.settings.get("do_sample"))
    pairs = list(_pairs(side, weights[0]))
    return sum_up(side.side, how, pairs, rows, sampled=sampled) if how else None


def _pairs(served: SideRun, weights: SideRun) -> Iterator[Pair]:
    """Yield what the endpoint answered to each sample, and the weights, where both did."""
    own = {row.id: row for row in store.read_rows(weights.folder / PREDICTIONS, Prediction)}
    for row in store.read_rows(served.folder / PREDICTIONS, Prediction):
        other = own.get(row.id)
        if other and not (row.unanswered or other.unanswered):
            yield row, other


def sum_up(
    side: Side,
    served: Served,
    pairs: Sequence[Pair],
    rows: Sequence[Likeness],
    *,
    sampled: bool = False,
) -> Parity:
    """Return what the `pairs` of answers (the endpoint's, the weights') and the `rows` come to;
    `sampled` is whether the endpoint was asked to draw."""
    made = {row.id: row.prompt_tokens for row in rows}
    counts = [
        row.prompt_tokens - made.get(row.id, other.prompt_tokens)
        for row, other in pairs
        if row.prompt_tokens and (row.id in made or not other.prompt_truncated)
    ]
    tokens = sum(row.tokens for row in rows)
    parity = Parity(
        side=side,
        answered=len(pairs),
        same=sum(_said(row) == _said(other) for row, other in pairs),
        counted=len(counts),
        counts_differ=sum(map(bool, counts)),
        more_tokens=median(counts) if counts else 0.0,
        read=len(rows),
        tokens=tokens,
        first=sum(row.first for row in rows) / tokens if tokens else None,
        regret=sum(row.regret for row in rows) / tokens if tokens else None,
        penalty=_penalty(rows, tokens),
        ending=sum(row.ending for row in rows) / tokens if tokens else None,
        surprise=_interval([row.surprise / row.tokens for row in rows if row.tokens]),
        repeated=served.repeated,
        repeated_same=served.repeated_same,
        sampled=sampled or "temperature" in served.dropped,
        capped=sum(_is_capped(row, other) for row, other in pairs),
        cause="unknown",
    )
    return _decided(parity)


def _penalty(rows: Sequence[Likeness], tokens: int) -> float | None:
    """Return the repetition penalty under which the answers are the weights' own, None where there
    is none, or they are so without."""
    totals = {
        name: sum(row.penalised.get(name, row.regret) for row in rows)
        for name in ("1", *(rows[0].penalised if rows else ()))
    }
    near = [name for name, total in totals.items() if total <= NEAR * tokens]
    return None if "1" in near or not near else float(min(near, key=totals.__getitem__))


def _is_capped(row: Prediction, own: Prediction) -> bool:
    """Return whether an answer was cut where the weights, under the same limit, went on."""
    shorter = len(row.output.strip()) < len(own.output.strip())
    fewer = row.output_tokens < own.output_tokens if row.output_tokens else shorter
    return row.finish == "length" and fewer and shorter


def _said(row: Prediction) -> tuple[str, str]:
    return row.thought.strip(), row.output.strip()


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean of the answers' values less and more two of its standard errors."""
    if len(values) < 2:
        return None
    error = _SIGMAS * stdev(values) / len(values) ** 0.5
    return fmean(values) - error, fmean(values) + error


def ends_elsewhere(parity: Parity) -> bool:
    """Whether the answers are the weights' own first choices but for where they end."""
    regret, ending = parity.regret or 0.0, parity.ending or 0.0
    return regret > NEAR >= regret - ending


def near(parity: Parity) -> bool:
    """Return whether each token of the answers is as good as the weights' own first choice."""
    return parity.regret is not None and parity.regret <= NEAR


def _decided(parity: Parity) -> Parity:
    return Parity(**{**vars(parity), "cause": _cause(parity)})


def _cause(parity: Parity) -> ParityCause:
    if not parity.answered:
        return "unknown"
    if parity.same == parity.answered:
        return "none"
    other_prompts = 2 * parity.counts_differ > parity.counted
    if parity.regret is not None and parity.regret <= (AS_NEAR if other_prompts else NEAR):
        return "decoding"
    if parity.penalty:
        return "decoding"
    if other_prompts:
        return "template"
    if parity.regret is None:
        return "unknown"
    if ends_elsewhere(parity):
        return "decoding"
    # drawn by a seed, an answer is the same when it is asked again
    drawn = parity.sampled or parity.repeated_same < parity.repeated
    own = parity.surprise is not None and parity.surprise[0] <= DRAWN
    if drawn and own:
        return "decoding"
    return "model" if parity.counted else "unknown"  # the template may be another
