"""A look at a dataset before it is used: what is in it, what is wrong, and what it shares with the
training data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assay.dataset.lengths import count_tokens
from assay.dataset.overlap import Overlap, compare
from assay.dataset.reading import Reading, read
from assay.dataset.selection import prompt_key
from assay.dataset.settings import Format
from assay.records import Sample

# What a person does not see, or sees in another order: control characters, and those that turn
# the direction of text (Unicode TR 36).
_HIDDEN = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The distribution of a length over the samples."""

    unit: str
    least: int
    median: int
    p95: int
    most: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Samples that can be used and deserve a look: `cause`, how many, and the first places."""

    cause: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a source holds. `invalid` has one message for each row that cannot be used; `tokens`
    is None where no model was named; `overlap` is None where nothing was compared."""

    source: str
    format: str
    rows: int
    samples: int
    turns: Spread
    characters: Spread
    tokens: Spread | None
    invalid: tuple[str, ...]
    findings: tuple[Finding, ...]
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
) -> Check:
    """Return what `source` holds, and its overlap with the training data `against`.

    With a `model` directory, tokens are counted as LLaMA-Factory counts them, with its `template`,
    and samples beyond `cutoff_len` are named. Raises DatasetError where nothing can be read.
    """
    reading = read(source, format=format, skip_invalid=True)
    samples, places = reading.samples, reading.places
    tokens = count_tokens(samples, model, template) if model else []
    findings = [*_doubtful(reading), _too_long(places, tokens, cutoff_len)]
    return Check(
        source=source,
        format=reading.format,
        rows=reading.rows,
        samples=len(samples),
        turns=_spread("turns", map(_turns, samples)),
        characters=_spread("characters", map(_characters, samples)),
        tokens=_spread("tokens", tokens) if tokens else None,
        invalid=reading.invalid,
        findings=tuple(finding for finding in findings if finding.count),
        against=against,
        overlap=_overlap(reading, against, format) if against else None,
    )


def _overlap(reading: Reading, against: str, stated: Format) -> Overlap:
    return compare(read(against, format=stated, skip_invalid=True).samples, reading.samples)


def _doubtful(reading: Reading) -> list[Finding]:
    samples, places = reading.samples, reading.places
    seen: dict[str, tuple[int, str]] = {}
    same: list[str] = []
    differing: list[str] = []
    for place, sample in enumerate(samples):
        first, target = seen.setdefault(prompt_key(sample), (place, sample.target))
        if first == place:
            continue
        pair = f"{places[place]} (as {places[first]})"
        (same if target == sample.target else differing).append(pair)
    return [
        _finding("repeat another row", same),
        _finding("ask what another row asks, with another answer", differing),
        _finding("hold control or direction characters", _holding(_HIDDEN.search, reading)),
        _finding("hold U+FFFD, left by a wrong decoding", _holding(_replaced, reading)),
    ]


def _holding(finds: Callable[[str], object], reading: Reading) -> list[str]:
    return [
        place
        for place, sample in zip(reading.places, reading.samples, strict=True)
        if any(finds(text) for text in _texts(sample))
    ]


def _replaced(text: str) -> bool:
    return not text.isascii() and "\ufffd" in text


def _too_long(places: Sequence[str], tokens: Sequence[int], cutoff_len: int) -> Finding:
    long = [place for place, count in zip(places, tokens, strict=False) if count > cutoff_len]
    return _finding(f"have more than cutoff_len = {cutoff_len} tokens and would be cut", long)


def _finding(cause: str, places: Sequence[str]) -> Finding:
    return Finding(cause=cause, count=len(places), places=tuple(places[:5]))


def _texts(sample: Sample) -> list[str]:
    return [*(turn.content for turn in sample.messages), sample.target, sample.tools]


def _turns(sample: Sample) -> int:
    return 1 + sum(message.role != "system" for message in sample.messages)


def _characters(sample: Sample) -> int:
    return sum(map(len, _texts(sample)))


def _spread(unit: str, lengths: Iterable[int]) -> Spread:
    """The lengths' spread, by nearest rank."""
    ordered = sorted(lengths)

    def rank(share: float) -> int:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Spread(unit=unit, least=ordered[0], median=rank(0.5), p95=rank(0.95), most=ordered[-1])
