"""accuracy, eval_loss and perplexity: what an evaluation says of a side."""

from __future__ import annotations

import math
from collections.abc import Mapping

from assay.llamafactory.loss import MEASURED
from assay.records import Likelihood, MetricSpec, Total

NO_WEIGHTS = "no_weights"
_MAX_LOG = 700.0
_OF_OLD = "all turns of the assistant; eval_loss is a mean over batches"

LIKELIHOOD = (
    MetricSpec(
        name="accuracy",
        direction="higher",
        scale=(0.0, 1.0),
        meaning="LLaMA-Factory's eval_accuracy: share of a target's tokens predicted when the "
        "tokens before are given (teacher-forced), 0 to 1. Not the share of right answers.",
        group="likelihood",
    ),
    MetricSpec(
        name="eval_loss",
        direction="lower",
        meaning="Mean cross-entropy of a target's tokens, in nats: LLaMA-Factory's eval_loss of "
        "batches of one sample.",
        group="likelihood",
    ),
    MetricSpec(
        name="perplexity",
        direction="lower",
        meaning="The exponential of the loss with each token of the targets counting the same: "
        "between how many tokens the model is, on average, undecided.",
        group="likelihood",
    ),
)


def unknown(id_: str) -> Likelihood:
    """Return the row of a sample whose likelihood nothing can say, as no weights are there."""
    causes = {spec.name: NO_WEIGHTS for spec in LIKELIHOOD if spec.name != "perplexity"}
    return Likelihood(id=id_, values={}, unscored=causes, tokens=0)


def evaluation_totals(results: Mapping[str, float], n: int) -> list[Total]:
    """Return the totals among a side's all_results.json over `n` samples, for a run from before
    likelihood.jsonl was kept: LLaMA-Factory's eval_loss and accuracy (its eval_accuracy, 0..1), and
    perplexity, the exponential of eval_token_loss. History counts in them like the targets."""
    values: dict[str, float] = {}
    if "eval_loss" in results:
        values["eval_loss"] = results["eval_loss"]
    if results.get(MEASURED, math.inf) < _MAX_LOG:
        values["perplexity"] = math.exp(results[MEASURED])
    if "eval_accuracy" in results:
        values["accuracy"] = results["eval_accuracy"]
    return [Total(name=name, value=value, n=n, signature=_OF_OLD) for name, value in values.items()]
