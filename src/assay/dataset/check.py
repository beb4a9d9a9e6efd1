"""A look at a dataset before it is used: what is in it, what is wrong, and what it shares with the
training data."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from assay.dataset.clusters import Clusters, cluster
from assay.dataset.findings import Finding, Spread, characters, doubtful, finding, spread, turns
from assay.dataset.lengths import count_tokens
from assay.dataset.overlap import Overlap, compare
from assay.dataset.reading import SourceReading, read
from assay.dataset.settings import Format
from assay.records import Sample


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a source holds. `invalid` has one message for each row that cannot be used; `tokens`
    is None where no model was named; `overlap` is None where nothing was compared. `clusters` are
    those of all samples."""

    source: str
    format: str
    rows: int
    samples: int
    turns: Spread
    characters: Spread
    tokens: Spread | None
    invalid: tuple[str, ...]
    findings: tuple[Finding, ...]
    clusters: Clusters
    against: str = ""
    overlap: Overlap | None = None

    @property
    def exit_code(self) -> int:
        """2 where there are rows that cannot be used, else 0."""
        return 2 if self.invalid else 0


def check(
    source: str,
    *,
    against: str = "",
    format: Format = "auto",  # noqa: A002 - the word that users know
    model: str = "",
    template: str = "",
    cutoff_len: int = 2048,
    every_turn: bool = False,
    column: str = "",
    near: bool = True,
) -> Check:
    """Return what `source` holds, and its overlap with the training data `against`.

    With a `model` directory, tokens are counted as LLaMA-Factory counts them, with its `template`,
    and samples beyond `cutoff_len` are named. `every_turn` makes a sample of every assistant turn;
    rows with the same value in `column` are one cluster, and with `near` those whose prompts are
    much alike. Raises DatasetError where nothing can be read, and where a row has no value in
    `column`.
    """
    reading = read(source, format=format, skip_invalid=True, every_turn=every_turn, cluster=column)
    samples, places = reading.samples, reading.places
    tokens = count_tokens(samples, model, template) if model else []
    turn_counts, lengths = array("q"), array("q")

    def measure(sample: Sample) -> None:
        turn_counts.append(turns(sample))
        lengths.append(characters(sample))

    findings = [*doubtful(reading, measure), _too_long(places, tokens, cutoff_len)]
    return Check(
        source=source,
        format=reading.format,
        rows=reading.rows,
        samples=len(samples),
        turns=spread("turns", turn_counts),
        characters=spread("characters", lengths),
        tokens=spread("tokens", tokens) if tokens else None,
        invalid=reading.invalid,
        findings=tuple(finding for finding in findings if finding.count),
        clusters=cluster(samples, reading.origins, column, near=near)[1],
        against=against,
        overlap=_overlap(reading, against, format) if against else None,
    )


def _overlap(reading: SourceReading, against: str, stated: Format) -> Overlap:
    return compare(read(against, format=stated, skip_invalid=True).samples, reading.samples)


def _too_long(places: Sequence[str], tokens: Sequence[int], cutoff_len: int) -> Finding:
    long = [place for place, count in zip(places, tokens, strict=False) if count > cutoff_len]
    return finding(f"have more than cutoff_len = {cutoff_len} tokens and would be cut", long)
