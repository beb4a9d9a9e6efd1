"""What the training and evaluation samples have in common: contamination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.dataset.likeness import BANDS, PERMUTATIONS, SEED, SIMILAR, common_limit, shingles
from assay.dataset.selection import prompt_key
from assay.records import Sample


@dataclass(frozen=True, kw_only=True)
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
    for sample in training:
        for place, match in index.matches(sample):
            if place not in best or _rank(match) > _rank(best[place]):
                best[place] = match
    matches = sorted(best.values(), key=_rank, reverse=True)
    exact = sum(match.exact for match in matches)
    return Overlap(exact=exact, near=len(matches) - exact, pairs=tuple(matches))


class _Index:
    """The evaluation samples, to be found by prompt and by likeness."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        import rensa

        self.samples = samples
        self.by_prompt: dict[str, list[int]] = {}
        self.alike = rensa.RMinHashLSH(SIMILAR, PERMUTATIONS, BANDS)
        every = [shingles(sample) for sample in samples]
        self.common = _common(every)
        self.shingles = [prompt - self.common for prompt in every]
        for place, sample in enumerate(samples):
            self.by_prompt.setdefault(prompt_key(sample), []).append(place)
            if self.shingles[place]:
                self.alike.insert(place, _minhash(self.shingles[place]))

    def matches(self, sample: Sample) -> list[tuple[int, Match]]:
        """Return the evaluation samples, by place, that a training sample is like."""
        same = self.by_prompt.get(prompt_key(sample), [])
        matches = [(place, self._match(place, sample, 1.0, exact=True)) for place in same]
        asked = shingles(sample) - self.common
        near = self.alike.query(_minhash(asked)) if asked else []
        for place in set(near) - set(same):
            other = self.shingles[place]
            similarity = len(asked & other) / len(asked | other)
            if similarity >= SIMILAR:
                matches.append((place, self._match(place, sample, similarity, exact=False)))
        return matches

    def _match(self, place: int, trained: Sample, similarity: float, *, exact: bool) -> Match:
        evaluated = self.samples[place]
        return Match(
            eval_id=evaluated.id,
            train_id=trained.id,
            exact=exact,
            similarity=round(similarity, 3),
            same_target=evaluated.target.strip() == trained.target.strip(),
        )


def _rank(match: Match) -> tuple[bool, float, bool]:
    return match.exact, match.similarity, match.same_target


def _common(every: Sequence[set[str]]) -> set[str]:
    counts = Counter(shingle for prompt in every for shingle in prompt)
    limit = common_limit(len(every))
    return {shingle for shingle, count in counts.items() if count > limit}


def _minhash(prompt: set[str]) -> Any:
    import rensa

    minhash = rensa.RMinHash(PERMUTATIONS, SEED)
    minhash.update(list(prompt))
    return minhash
