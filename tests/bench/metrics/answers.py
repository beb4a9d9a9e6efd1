"""Answers to bench with: 430 characters each, half English, half Chinese, half right.

English is the Python manual's; Chinese is drawn from jieba's dictionary by frequency, with a
punctuation mark every ten words. An output is its target with every fourth word another one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, islice

LENGTH = 430


def english_and_chinese(count: int, length: int = LENGTH) -> Iterator[tuple[str, str]]:
    """Yield pairs of output and target, English and Chinese in turn."""
    chance = random.Random(0)
    kinds = (_english(chance, length), _chinese(chance, length))
    return (next(kinds[number % 2]) for number in range(count))


def english(count: int, length: int = LENGTH) -> Iterator[tuple[str, str]]:
    """Yield English pairs of output and target."""
    return islice(_english(random.Random(0), length), count)


def _english(chance: random.Random, length: int) -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    words = " ".join(topics.values()).split()
    while True:
        start = chance.randrange(len(words) - length)
        target = words[start : start + length // 5]
        output = [word if chance.random() < 0.75 else chance.choice(words) for word in target]
        yield " ".join(output)[:length], " ".join(target)[:length]


def _chinese(chance: random.Random, length: int) -> Iterator[tuple[str, str]]:
    import jieba

    jieba.initialize()
    words = [word for word, count in jieba.dt.FREQ.items() if count]
    weights = list(accumulate(jieba.dt.FREQ[word] for word in words))
    while True:
        target = chance.choices(words, cum_weights=weights, k=length)
        target[9::10] = chance.choices("，。、！？", k=len(target[9::10]))
        others = chance.choices(words, cum_weights=weights, k=length)
        output = [
            word if chance.random() < 0.75 else other
            for word, other in zip(target, others, strict=True)
        ]
        yield "".join(output)[:length], "".join(target)[:length]
