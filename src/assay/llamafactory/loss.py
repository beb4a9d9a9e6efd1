"""The loss of an evaluation, each token counting the same.

transformers averages within a batch over tokens and then over batches by their samples: its
eval_loss depends on which samples share a batch, and its exponential is no perplexity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

IGNORED = -100
MEASURED = "eval_token_loss"


def watch_token_loss(model: Any) -> Callable[[], float | None]:
    """Return a function that gives the mean loss, in nats a token of the targets, over all that
    `model` has been asked since; None where that was nothing."""
    seen: list[tuple[float, int]] = []

    def note(_module: Any, _arguments: Any, given: Mapping[str, Any], output: Any) -> None:
        labels = given.get("labels")
        if labels is not None:
            count = int((labels[:, 1:] != IGNORED).sum())
            seen.append((float(output.loss) * count, count))

    model.register_forward_hook(note, with_kwargs=True)

    def mean() -> float | None:
        tokens = sum(count for _, count in seen)
        return sum(loss for loss, _ in seen) / tokens if tokens else None

    return mean
