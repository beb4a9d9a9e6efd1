"""How many samples could not be answered, by cause, and when that is too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from assay.errors import StageError
from assay.records import FAILURES, Failure, Prediction

_REMEDIES: dict[str, str] = {
    "empty_prompt": "Leave out the samples whose prompt is empty, or set a generate.template that "
    "writes one",
    "prompt_too_long": "Lower generate.cutoff_len below the model's context, or leave them out",
    "unknown_word": "Leave out the samples with words that the tokenizer has and the model's "
    "vocabulary lacks, restore the tokenizer's files, or set generate.llamafactory.resize_vocab "
    "where the model was tuned so",
    "out_of_memory": "Give a process more memory (generate.devices_each), or lower "
    "generate.cutoff_len or max_new_tokens",
    "not_finite": "The model's logits are NaN: look at the fine-tune's loss, and try another "
    "generate.llamafactory.infer_dtype",
}


@dataclass
class FailureCount:
    """The samples that failed of `total`, of which at most a share of `most` may."""

    total: int
    most: float
    causes: Counter[Failure] = field(default_factory=Counter)

    def count(self, rows: Iterable[Prediction]) -> None:
        """Count those of the rows that failed. Raises StageError where they are too many."""
        for row in rows:
            if row.unanswered in FAILURES:
                self.causes[row.unanswered] += 1
                if self.causes.total() > self.most * self.total:
                    raise self._too_many(row)

    def note(self) -> str:
        """Return how many failed, by cause; "" where none did."""
        told = ", ".join(f"{count} {cause}" for cause, count in sorted(self.causes.items()))
        return f"no answer: {told}" if told else ""

    def _too_many(self, last: Prediction) -> StageError:
        [(cause, _)] = self.causes.most_common(1)
        return StageError(
            f"{self.causes.total()} of {self.total} samples could not be answered "
            f"({self.note().removeprefix('no answer: ')}), the last one: id={last.id} "
            f"({last.prompt_tokens} tokens), and generate.max_unanswered is {self.most:g}",
            f"{_REMEDIES[cause]}. What was answered is kept: the same again asks only the rest",
        )
