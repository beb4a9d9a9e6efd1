"""What the training and evaluation samples have in common: contamination."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from assay.dataset.hashes import HashFile
from assay.dataset.likeness import (
    BANDS,
    BLOCK,
    SIMILAR,
    BandKeys,
    common_limit,
    hashes_of,
    similarity,
)
from assay.dataset.selection import prompt_hash, prompt_key
from assay.records import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """An evaluation sample and the training sample most like it, by id. `exact`: their prompts
    are the same but for case and white space; `similarity` is the Jaccard similarity of the
    prompts; `same_target`: the answer was trained on, too."""

    eval_id: str
    train_id: str
    exact: bool
    similarity: float
    same_target: bool


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How many evaluation samples have the same prompt as a training sample (`exact`) or one much
    like it (`near`), and the `pairs`, the most alike first: one for each such sample."""

    exact: int
    near: int
    pairs: tuple[Match, ...]


def compare(training: Iterable[Sample], evaluation: Sequence[Sample]) -> Overlap:
    """Return the overlap of two sets of samples."""
    index = _Index(evaluation)
    best: dict[int, Match] = {}
    coming = iter(training)
    while block := list(islice(coming, BLOCK)):
        for place, match in index.matches(block):
            if place not in best or _rank(match) > _rank(best[place]):
                best[place] = match
    matches = sorted(best.values(), key=_rank, reverse=True)
    exact = sum(match.exact for match in matches)
    return Overlap(exact=exact, near=len(matches) - exact, pairs=tuple(matches))


class _Index:
    """The evaluation samples, to be found by prompt and by likeness."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        import numpy as np

        self.samples = samples
        prompts = array("Q")

        def hashed() -> Iterator[NDArray[np.uint64]]:
            for sample in samples:
                prompts.append(_number(prompt_key(sample)))
                yield hashes_of(sample)

        whole = HashFile(hashed())
        every = np.arange(len(samples))
        self.common = whole.common(every, common_limit(len(samples)))
        self.hashes = whole.without(self.common)
        self.by_prompt = _Keys(np.array(prompts, np.uint64), every)
        keys = BandKeys(self.hashes)
        self.alike = [_Keys(keys.of(band), keys.places) for band in range(BANDS)]

    def matches(self, trained: Sequence[Sample]) -> Iterator[tuple[int, Match]]:
        """Yield the evaluation samples, by place, that training samples are like."""
        import numpy as np

        asked = HashFile(map(hashes_of, trained)).without(self.common)
        keys = [prompt_key(sample) for sample in trained]
        same = self.by_prompt.places(np.array(list(map(_number, keys)), np.uint64))
        near: dict[int, set[int]] = {}
        own = BandKeys(asked)
        for band, found in enumerate(self.alike):
            for at, places in found.places(own.of(band)).items():
                near.setdefault(int(own.places[at]), set()).update(places)
        for at in sorted(same.keys() | near.keys()):
            sample, key = trained[at], keys[at]
            exact = [p for p in same.get(at, ()) if prompt_key(self.samples[p]) == key]
            for place in exact:
                yield place, self._match(place, sample, 1.0, exact=True)
            for place in near.get(at, set()) - set(exact):
                likeness = similarity(asked[at], self.hashes[place])
                if likeness >= SIMILAR:
                    yield place, self._match(place, sample, likeness, exact=False)

    def _match(self, place: int, trained: Sample, similarity: float, *, exact: bool) -> Match:
        evaluated = self.samples[place]
        return Match(
            eval_id=evaluated.id,
            train_id=trained.id,
            exact=exact,
            similarity=round(similarity, 3),
            same_target=evaluated.target.strip() == trained.target.strip(),
        )


class _Keys:
    """Keys in their order, and the place that each is of."""

    def __init__(self, keys: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
        import numpy as np

        order = np.argsort(keys, kind="stable")
        self._keys, self._places = keys[order], places[order].astype(np.int32)

    def places(self, asked: NDArray[np.uint64]) -> dict[int, list[int]]:
        """Return which of the `asked` keys there are, by number, and the places of each."""
        import numpy as np

        first = np.searchsorted(self._keys, asked)
        there = np.take(self._keys, first, mode="clip") if len(self._keys) else ~asked
        hit = np.flatnonzero(there == asked)
        end = np.searchsorted(self._keys, asked[hit], "right")
        bounds = zip(hit.tolist(), first[hit].tolist(), end.tolist(), strict=True)
        return {at: self._places[start:stop].tolist() for at, start, stop in bounds}


def _number(key: str) -> int:
    return int.from_bytes(prompt_hash(key)[:8])


def _rank(match: Match) -> tuple[bool, float, bool]:
    return match.exact, match.similarity, match.same_target
