"""What a reading shows: the spread of its lengths, and the samples that deserve a look."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assay.dataset.reading import SourceReading
from assay.dataset.selection import prompt_hash, prompt_key
from assay.dataset.shelved import Computed
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


def doubtful(
    reading: SourceReading, show: Callable[[Sample], object] = lambda _sample: None
) -> list[Finding]:
    """Return what deserves a look, causes that no sample has included; each sample is shown to
    `show`, so that they are gone through once."""
    places, seen = reading.places, dict[bytes, int]()
    same, differing, hidden, replaced = (array("q") for _ in range(4))
    for place, sample in enumerate(reading.samples):
        first = seen.setdefault(prompt_hash(prompt_key(sample)), place)
        if first != place:
            repeats = reading.samples[first].target == sample.target
            (same if repeats else differing).extend((place, first))
        show(sample)
        texts = _texts(sample)
        if any(map(_HIDDEN.search, texts)):
            hidden.append(place)
        if any(map(_replaced, texts)):
            replaced.append(place)

    def pairs(of: Sequence[int]) -> Sequence[str]:
        return Computed(
            len(of) // 2, lambda at: f"{places[of[2 * at]]} (as {places[of[2 * at + 1]]})"
        )

    def told(of: Sequence[int]) -> Sequence[str]:
        return Computed(len(of), lambda at: places[of[at]])

    return [
        finding("repeat another row", pairs(same)),
        finding("ask what another row asks, with another answer", pairs(differing)),
        finding("hold control or direction characters", told(hidden)),
        finding("hold U+FFFD, left by a wrong decoding", told(replaced)),
        _lacking(reading),
    ]


def _lacking(reading: SourceReading) -> Finding:
    counts = reading.lacking.items()
    places = [f"{name}, row {there + 1} of {asked}" for name, (there, asked) in counts]
    return Finding(
        cause="num_samples asks for and that are not there (LLaMA-Factory draws some twice, Assay "
        "each once)",
        count=sum(asked - there for there, asked in reading.lacking.values()),
        places=tuple(places[:5]),
    )


def _replaced(text: str) -> bool:
    return not text.isascii() and "\ufffd" in text


def finding(cause: str, places: Sequence[str]) -> Finding:
    """Return the finding of `cause` at `places`."""
    return Finding(cause=cause, count=len(places), places=tuple(places[:5]))


def _texts(sample: Sample) -> list[str]:
    return [*(turn.content for turn in sample.messages), sample.target, sample.tools]


def turns(sample: Sample) -> int:
    """Return how many turns a sample has, the target included."""
    return 1 + sum(message.role != "system" for message in sample.messages)


def characters(sample: Sample) -> int:
    """Return how many characters a sample has."""
    return sum(map(len, _texts(sample)))


def spread(unit: str, lengths: Iterable[int]) -> Spread:
    """Return the spread of lengths, by nearest rank."""
    import numpy as np

    ordered = np.sort(np.fromiter(lengths, np.int64))

    def rank(share: float) -> int:
        return int(ordered[max(0, math.ceil(share * len(ordered)) - 1)])

    return Spread(unit=unit, least=rank(0), median=rank(0.5), p95=rank(0.95), most=rank(1))
