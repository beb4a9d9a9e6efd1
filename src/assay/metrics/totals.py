"""totals.jsonl: the corpus metrics of one side, beside its scores.jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from assay import store
from assay.folder import TOTALS
from assay.metrics.contract import CorpusFunction, Unscored, target_of
from assay.records import Case, Total


@dataclass
class CorpusSums:
    """What corpus metrics, by name, have summed so far over `n` samples that have a target."""

    n: int = 0
    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: CorpusSums) -> None:
        """Add the sums of other samples."""
        self.n += other.n
        for name, counts in other.counts.items():
            held = self.counts.get(name, [])
            self.counts[name] = list(map(sum, zip_longest(held, counts, fillvalue=0)))


def totals_path(scores: Path) -> Path:
    """Return where the totals that belong to a scores.jsonl are."""
    return scores.with_name(TOTALS)


def totals(scores: Path) -> dict[str, Total]:
    """Return the totals that `compute_metrics` wrote beside `scores`, by name. Raises InputError
    where it did not."""
    return {total.name: total for total in store.read_rows(totals_path(scores), Total)}


def sum_counts(corpus: Mapping[str, CorpusFunction], cases: Iterable[Case]) -> CorpusSums:
    """Return the sums of some cases; those without a target or an answer are left out."""
    sums = CorpusSums()
    for sample, prediction in cases if corpus else ():
        if prediction.unanswered:
            continue
        try:
            target = target_of(sample)
        except Unscored:
            continue
        counts = {name: metric.counts(prediction.output, target) for name, metric in corpus.items()}
        sums.add(CorpusSums(n=1, counts=counts))
    return sums


def make_totals(
    corpus: Mapping[str, CorpusFunction], signatures: Mapping[str, str], sums: CorpusSums
) -> list[Total]:
    """Return the totals of the sums."""
    return [
        Total(
            name=name,
            value=metric.score(sums.counts[name]) if sums.n else None,
            n=sums.n,
            signature=signatures[name],
        )
        for name, metric in corpus.items()
    ]
